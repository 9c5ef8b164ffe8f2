"""The background predictor: predictions of the configuration in front, kept ready on a thread for screens that poll them.

The model answers at once. If the machine profile lacks an entry, a quick calibration makes it; once the configuration has stayed
the same for a moment, a pilot takes the model's place. Both hold the machine lease, at a priority below pages and runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from time import monotonic

from tuisim import backends
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine.job import Cancelled, Job
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.errors import DataError, TuisimError, printable
from tuisim.predict import profiles
from tuisim.predict.calibrate import calibrate
from tuisim.predict.cost_model import memory
from tuisim.predict.pilot import Pilot, step_of, time_pilot
from tuisim.predict.prediction import Prediction, RunMemory
from tuisim.predict.predictor import Predictor, can_pilot
from tuisim.predict.profile import MachineProfile, ProfileKey
from tuisim.threads import usable_cores

VARIABLE = "TUISIM_CALIBRATION"
"""`never` keeps the app from calibrating and from timing pilots."""
CALIBRATED = ("numpy", "numba", "scalar")
"""Backends that are calibrated automatically."""
SETTLED_SECONDS = 0.7
"""Seconds that a configuration must stay unchanged before anything is measured: numbers are typed one digit at a time."""
LOOK_SECONDS = 0.25
"""Seconds between two looks at the configuration."""
READ_SECONDS = 10.0
"""Seconds between two looks at the profile on disk: `tuisim calibrate` may have run meanwhile."""
MAX_PILOTS = 64
MAX_DISTURBED = 5
"""Pilots of a configuration that may be disturbed before the model's prediction is kept."""
OWNER = "the prediction"
"""Its name as the holder of the machine lease."""
SOON = "this machine is measured once, before the first prediction"
NO_PROFILE = "no machine profile yet: tuisim calibrate measures this machine in 20 s"


@dataclass(frozen=True, slots=True)
class Measuring:
    """The progress of a calibration."""

    key: str
    """`numpy@1 float32`."""
    done: int
    of: int

    @property
    def words(self) -> str:
        """`12 of 30` between the preparation and the fit."""
        return {0: "preparing", self.of: "fitting the costs"}.get(self.done, f"{self.done} of {self.of}")


@dataclass(frozen=True, slots=True)
class PredictionState:
    """The prediction of one configuration as far as it has come."""

    prediction: Prediction | None = None
    measuring: Measuring | None = None
    trouble: str = ""
    """The reason why there is no prediction, or the error in the profile, in one line."""
    memory: RunMemory | None = None
    """The counted memory, if there is no prediction."""

    @property
    def why_not(self) -> str:
        """The event that the prediction waits for, or the error; empty if there is none."""
        if self.measuring is not None:
            return f"measuring this machine, once … {self.measuring.words}"
        return self.trouble or ("" if self.prediction is not None else "reading the machine profile …")


@dataclass(frozen=True, eq=False)
class _Known:
    """Everything that the thread publishes, at once."""

    predictor: Predictor | None = None
    measuring: Measuring | None = None
    trouble: str = ""
    failed: dict[ProfileKey, str] = field(default_factory=dict)
    pilots: dict[RunConfig, Pilot | None] = field(default_factory=dict)
    """By `step_of` the configuration; None if it could not be timed."""
    is_read: bool = True
    """False until the profile was looked for."""


class BackgroundPredictor(Job[None, None]):
    """Makes predictions of the configuration in front; with `by_itself`, calibrations and pilots start automatically."""

    def __init__(
        self,
        lease: MachineLease | None = None,
        calibration: Callable[..., MachineProfile] = calibrate,
        by_itself: bool | None = None,
        pilot: Callable[..., Pilot | None] = time_pilot,
    ) -> None:
        super().__init__("predictor", lambda _: self._keep_ready())
        self._machine = MachineLease() if lease is None else lease
        self._calibration, self._pilot = calibration, pilot
        self._by_itself = os.environ.get(VARIABLE) != "never" if by_itself is None else by_itself
        self._config: RunConfig | None = None
        self._since = 0.0
        self._asked = Event()
        self._known = _Known(is_read=False)
        self._stamp: object = None
        self._read_at = 0.0
        self._disturbed: dict[RunConfig, int] = {}
        """Pilots of the latest configuration that were cancelled, or had too little CPU time."""
        self.measuring = False
        """True while it holds the machine lease."""

    # ── for the screens' thread ──

    @property
    def stamp(self) -> object:
        """A value that changes when `state` may return something else."""
        return self._known, self.failure

    @property
    def current(self) -> Predictor | None:
        """The predictor by this machine's profile; None if there is none."""
        return self._known.predictor

    def pilot(self, config: RunConfig) -> Pilot | None:
        """Return the pilot of the step of `config`, timed with its volume if possible; None if there is none."""
        step, pilots = step_of(config), self._known.pilots
        if step in pilots:
            return pilots[step]
        same = (pilot for known, pilot in reversed(pilots.items()) if replace(known, examples=step.examples) == step)
        return next(same, None)

    def prepare(self, config: RunConfig | None) -> None:
        """Make predictions of `config` ready; None to leave the machine alone. Cancels the pilot of any other."""
        if config != self._config:
            self._config, self._since = config, monotonic()
            self._asked.set()

    def cancel(self) -> None:
        """End the thread as soon as it notices."""
        super().cancel()
        self._asked.set()

    def state(self, config: RunConfig) -> PredictionState:
        """Return what is known of `config` in milliseconds, without waiting."""
        found = self._state(config)
        if found.prediction is not None:
            return found
        resolved = config.resolved()
        return replace(found, memory=memory(resolved, count(resolved.of_known_length())))

    def _state(self, config: RunConfig) -> PredictionState:
        known = self._known
        trouble = known.trouble if self.failure is None else self.failure.message
        if config.backend == backends.AUTO and any(backends.probe_if_loaded(name) is None for name in backends.names()):
            return PredictionState(None, known.measuring, "finding out which backends work here")
        if not known.is_read:
            return PredictionState(None, None, trouble)
        missing = NO_PROFILE
        if known.predictor is not None:
            try:
                prediction = known.predictor.predict(config, pilot=self.pilot(config))
                return PredictionState(prediction, known.measuring, trouble)
            except TuisimError as error:
                missing = printable(str(error), 500)
        key = _key(config)
        is_free = self._machine.holder in ("", OWNER)  # a run may go on for hours
        if self._config is not None and is_free and self._is_missing(key):
            missing = SOON
        return PredictionState(None, known.measuring, trouble or known.failed.get(key) or ("" if known.measuring else missing))

    # ── on its own thread ──

    def _keep_ready(self) -> None:
        """Read the profile, and prepare what is asked for until stopped."""
        self._read()
        while self.is_wanted():
            self._asked.wait(None if self._config is None else LOOK_SECONDS)
            self._asked.clear()
            if (config := self._config) is not None and self.is_wanted():
                self._prepare(config)

    def _prepare(self, config: RunConfig) -> None:
        if config.backend == backends.AUTO and any(backends.probe_if_loaded(name) is None for name in backends.names()):
            for name in backends.names():
                backends.probe(name)
            self._publish()
        if monotonic() - self._read_at >= READ_SECONDS:
            self._read()
        if not self._by_itself or monotonic() - self._since < SETTLED_SECONDS:
            return
        if self._is_missing(key := _key(config)):
            self._hold(Priority.BACKGROUND, lambda: self._config is not None, partial(self._calibrate, key))
        elif step_of(config) not in self._known.pilots and self._known.predictor is not None:
            try:
                prediction = self._known.predictor.predict(config)
            except TuisimError:  # `state` has the reason
                return
            if can_pilot(prediction):
                self._hold(Priority.PILOT, lambda: self._config == config, partial(self._time, config, prediction))

    def _hold(self, priority: Priority, is_asked: Callable[[], bool], measure: Callable[[Callable[[], bool]], None]) -> None:
        """Call `measure` under the machine lease, unless it is no longer asked for by then."""
        claim = Claim(OWNER, priority)

        def wanted() -> bool:
            return self.is_wanted() and not claim.is_revoked and is_asked()

        with self._machine.hold(claim, wanted) as granted:
            self.measuring = granted
            try:
                if granted:
                    measure(wanted)
            finally:
                self.measuring = False

    def _read(self) -> None:
        """Take the profile on disk if it has changed."""
        self._read_at = monotonic()
        stamp = profiles.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        found = profiles.own()
        self._publish(predictor=found.profile and Predictor(found.profile), trouble=found.trouble)

    def _is_missing(self, key: ProfileKey) -> bool:
        """Return True if the profile lacks an entry that may be calibrated automatically."""
        known = self._known
        if not self._by_itself or key in known.failed or key.backend not in CALIBRATED or key.threads > usable_cores():
            return False
        return known.predictor is None or known.predictor.profile.entry(key) is None

    def _calibrate(self, key: ProfileKey, wanted: Callable[[], bool]) -> None:
        self._read()
        before = self._known.predictor.profile if self._known.predictor else None

        def tell(key: ProfileKey, done: int, of: int) -> None:
            if not wanted():
                raise Cancelled
            self._publish(measuring=Measuring(key.key, done, of))

        try:
            profile, trouble = self._calibration([key], before, tell, quick=True), ""
            try:
                kept = profiles.keep(profile)
                profile, self._stamp = kept.profile, kept.stamp
            except DataError as error:
                trouble = f"{printable(str(error), 300)}; it is measured again at the next start"
            self._publish(predictor=Predictor(profile), trouble=trouble, measuring=None)
        except Cancelled:
            self._publish(measuring=None)
        except TuisimError as error:
            why = f"{key.key} could not be measured: {printable(str(error), 300)}"
            self._publish(measuring=None, failed={**self._known.failed, key: why})

    def _time(self, config: RunConfig, prediction: Prediction, wanted: Callable[[], bool]) -> None:
        try:
            pilot = self._pilot(prediction.config, wanted=wanted)
            if pilot is None:
                self._disturbed = {config: self._disturbed.get(config, 0) + 1}
                if not wanted() or self._disturbed[config] < MAX_DISTURBED:
                    return
        except (TuisimError, MemoryError):  # too large, or no finite loss: the model's prediction stays
            pilot = None
        latest = list(self._known.pilots.items())[-MAX_PILOTS + 1 :]
        self._publish(pilots=dict([*latest, (step_of(config), pilot)]))

    def _publish(self, **changes: object) -> None:
        self._known = replace(self._known, is_read=True, **changes)  # type: ignore[arg-type]


def _key(config: RunConfig) -> ProfileKey:
    """Return the key of the entry that predicts `config`."""
    return ProfileKey.of(replace(config, backend=backends.choose(config).name).resolved())
