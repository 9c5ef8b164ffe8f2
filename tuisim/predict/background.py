"""What can be said of a run before it, kept ready on a thread: this machine's card, and how fast the machine is just now.

Where the card lacks what is asked for, it is measured, quickly, unless something else is at work. Screens poll what is
published by reference; it knows none of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event
from time import monotonic

from tuisim import backends
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.errors import DataError, TuisimError, printable
from tuisim.predict import profiles as cards
from tuisim.predict.calibrate import ProfileKey, Unwanted, calibrate
from tuisim.predict.cost_model import memory
from tuisim.predict.prediction import Prediction, RunMemory
from tuisim.predict.predictor import FRESH_SECONDS, Predictor, steady
from tuisim.predict.profile import MachineProfile
from tuisim.threads import usable_cores

VARIABLE = "TUISIM_CALIBRATION"
"""`never` keeps the app from measuring the machine by itself."""
MEASURED_BY_ITSELF = ("numpy", "numba", "scalar")
SETTLED_SECONDS = 0.7
"""What is asked for must have stood so long: a thread count is typed one digit at a time, and typing is drawn."""
LOOK_SECONDS = 0.25
"""Between two looks at what is asked for, while anything is."""
SOON_SECONDS = 1.5
"""From the first look at the machine to the second."""
NO_CARD = "no machine card yet: tuisim calibrate measures this machine in 20 s"


SOON = "this machine is measured first, once"
"""Of what nobody need do anything about."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """How far a calibration has come."""

    key: str
    """`numpy@1 float32`."""
    done: int
    of: int

    @property
    def words(self) -> str:
        """`12 of 30`, once it has begun and until all are measured."""
        return {0: "getting ready", self.of: "adding it up"}.get(self.done, f"{self.done} of {self.of}")


@dataclass(frozen=True, slots=True)
class PredictionState:
    """What there is to see of one configuration."""

    prediction: Prediction | None = None
    measuring: Measuring | None = None
    trouble: str = ""
    """Why there is no prediction, or what is wrong with the card, in one line."""
    memory: RunMemory | None = None
    """What is counted all the same where there is no prediction."""

    @property
    def why_not(self) -> str:
        """What there is instead of a prediction, or is waited for; empty where there is one and nothing is wrong."""
        if self.measuring is not None:
            return f"measuring this machine, once … {self.measuring.words}"
        return self.trouble or ("" if self.prediction is not None else "reading the machine card …")


@dataclass(frozen=True, eq=False)
class _News:
    """All that the thread publishes, at once."""

    outlook: Predictor | None = None
    measuring: Measuring | None = None
    trouble: str = ""
    failed: dict[ProfileKey, str] = field(default_factory=dict)
    read: bool = True
    """Whether it is known what card there is."""


class BackgroundPredictor(Background):
    """`measure` is the calibration. Whatever it measures, it measures under the lease, and gives way to everybody else."""

    def __init__(
        self,
        lease: MachineLease | None = None,
        measure: Callable[..., MachineProfile] = calibrate,
        by_itself: bool | None = None,
    ) -> None:
        super().__init__("forecast")
        self._measure = measure
        self._lease = MachineLease() if lease is None else lease
        self._claim = Claim("a calibration", Priority.BACKGROUND)
        self._by_itself = os.environ.get(VARIABLE) != "never" if by_itself is None else by_itself
        self._attended: RunConfig | None = None
        self._since = 0.0
        self._asked = Event()
        self._news = _News(read=False)
        self._looked_at = -math.inf
        self._stamp: object = None
        self._waiting: tuple[ProfileKey | None, float] = (None, 0.0)
        self._at_work = False

    # ── for the screens' thread ──

    @property
    def stamp(self) -> object:
        return self._news, self.failure

    @property
    def measuring(self) -> bool:
        return self._at_work

    @property
    def current(self) -> Predictor | None:
        return self._news.outlook

    def prepare(self, config: RunConfig | None) -> None:
        if config != self._attended:
            self._attended, self._since = config, monotonic()
            self._asked.set()

    def stop(self) -> None:
        super().stop()
        self._asked.set()

    def state(self, config: RunConfig) -> PredictionState:
        """In milliseconds: nothing is waited for here, and measured no more than the making of a few rows."""
        found = self._state(config)
        return found if found.prediction is not None else replace(found, memory=_memory(config))

    def _state(self, config: RunConfig) -> PredictionState:
        news = self._news
        trouble = self.failure or news.trouble
        if config.backend == backends.AUTO and any(backends.probe_if_loaded(name) is None for name in backends.names()):
            return PredictionState(None, news.measuring, "finding out which backends work here")
        if not news.read:
            return PredictionState(None, None, trouble)
        if news.outlook is None:
            why = news.failed.get(_job(config)) or (SOON if self._will_measure(config) else NO_CARD)
            return PredictionState(None, news.measuring, trouble or ("" if news.measuring else why))
        try:
            return PredictionState(news.outlook.predict(config), news.measuring, trouble)
        except TuisimError as error:
            soon = "" if news.measuring else SOON if self._will_measure(config) else printable(str(error), 500)
            return PredictionState(None, news.measuring, trouble or news.failed.get(_job(config)) or soon)

    def _will_measure(self, config: RunConfig) -> bool:
        return self._attended is not None and self._is_missing(_job(config))

    # ── on its own thread ──

    def work(self) -> None:
        self._read()
        self._looked_at -= FRESH_SECONDS - SOON_SECONDS  # the app itself was at work just then
        while self.wanted:
            self._asked.wait(None if self._attended is None else LOOK_SECONDS)
            self._asked.clear()
            config = self._attended
            if config is not None and self.wanted:
                self._make_ready(config)

    def _read(self) -> None:
        """Take the card on disk where it is another than before: somebody may have run tuisim calibrate meanwhile."""
        stamp = cards.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        found = cards.own()
        if found.card is not None:
            self._look_at(found.card)
        else:
            self._publish(found.trouble)

    def _make_ready(self, config: RunConfig) -> None:
        if config.backend == backends.AUTO:
            self._choose()
        fresh = monotonic() - self._looked_at <= FRESH_SECONDS
        if not fresh:
            self._read()
        job = _job(config)
        if self._is_missing(job):
            if self._waiting[0] != job:
                self._waiting = job, monotonic()
            elif monotonic() - self._waiting[1] >= SETTLED_SECONDS:
                self._calibrate(job, config)
        elif not fresh and not self._lease.holder and self._news.outlook and monotonic() - self._since >= SETTLED_SECONDS:
            # While somebody types, the drawing of it would be taken for another program's work.
            self._look_at(self._news.outlook.card, self._news.trouble)

    def _choose(self) -> None:
        """Ask every backend, which may take seconds, so that `auto` can be answered for at once."""
        if any(backends.probe_if_loaded(name) is None for name in backends.names()):
            for name in backends.names():
                backends.probe(name)
            self._publish(self._news.trouble)

    def _is_missing(self, job: ProfileKey) -> bool:
        card = self._news.outlook.card if self._news.outlook else None
        if not self._by_itself or job in self._news.failed or job.backend not in MEASURED_BY_ITSELF:
            return False
        if job.threads > usable_cores():
            return False
        return card is None or card.entry(job.backend, job.threads, job.dtype) is None

    def _calibrate(self, job: ProfileKey, config: RunConfig) -> None:
        with self._lease.hold(self._claim, lambda: self.wanted and self._attended == config) as granted:
            if granted:
                self._calibrate_alone(job)

    def _calibrate_alone(self, job: ProfileKey) -> None:
        self._at_work = True
        try:
            self._read()
            before = self._news.outlook.card if self._news.outlook else None
            card = self._measure([job], before, self._tell, quick=True, wanted=self._go_on)
            self._look_at(*self._kept(card))
        except Unwanted:
            self._publish(self._news.trouble)
        except TuisimError as error:
            why = f"{job.key} could not be measured: {printable(str(error), 300)}"
            self._publish(self._news.trouble, failed={**self._news.failed, job: why})
        finally:
            self._at_work = False

    def _kept(self, card: MachineProfile) -> tuple[MachineProfile, str]:
        """The card as it is on disk now, and nothing; or as it was measured, and why it could not be kept."""
        try:
            kept = cards.keep(card)
        except DataError as error:
            return card, f"{printable(str(error), 300)}; it is measured again at the next start"
        self._stamp = kept.stamp
        return kept.card, ""

    def _go_on(self) -> bool:
        return self.wanted and self._attended is not None and not self._claim.is_revoked

    def _tell(self, job: ProfileKey, done: int, of: int) -> None:
        self._publish(self._news.trouble, measuring=Measuring(job.key, done, of))

    def _look_at(self, card: MachineProfile, trouble: str = "") -> None:
        """Publish predictions by this card, at the machine's speed of now."""
        at_work, self._at_work = self._at_work, True
        try:
            outlook = _at_speed(card)
            self._warm(outlook)
        finally:
            self._at_work = at_work
        self._looked_at = monotonic()
        self._publish(trouble, outlook=outlook)

    def _warm(self, outlook: Predictor) -> None:
        """The first prediction reads the past runs and finds out which machine this is."""
        config = self._attended
        if config is None or config.backend == backends.AUTO:
            return
        try:
            outlook.predict(config)
        except TuisimError:  # it will be said to whoever asks
            return

    def _publish(
        self,
        trouble: str = "",
        measuring: Measuring | None = None,
        outlook: Predictor | None = None,
        failed: dict[ProfileKey, str] | None = None,
    ) -> None:
        before = self._news
        self._news = _News(outlook or before.outlook, measuring, trouble, before.failed if failed is None else failed)


def _job(config: RunConfig) -> ProfileKey:
    """What a card must have for it."""
    config = replace(config, backend=backends.choose(config).name).resolved()
    assert config.threads is not None
    return ProfileKey.of(config.backend, config.threads, config.dtype)


def _memory(config: RunConfig) -> RunMemory:
    config = config.resolved()
    return memory(config, count(config.of_known_length()))


def _at_speed(card: MachineProfile) -> Predictor:
    """By this card at the machine's speed of now."""
    outlook = steady(card)
    _ = outlook.slowdown  # looked at here alone, never while somebody types
    return outlook
