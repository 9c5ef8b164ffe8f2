"""The predictor: predictions by a machine profile, this machine's or another's, refined here by a pilot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from tuisim import backends, data
from tuisim.backends import choose, computes_with
from tuisim.config import RunConfig
from tuisim.data import info, shape
from tuisim.data.info import KeptRows
from tuisim.errors import BackendError, DataError, TuisimError
from tuisim.predict import profiles
from tuisim.predict.cost_model import entry_of, predict
from tuisim.predict.data_generation import seconds_per_row
from tuisim.predict.pilot import MAX_STEP_SECONDS, Pilot, step_of, time_pilot
from tuisim.predict.prediction import Interval, Prediction
from tuisim.predict.profile import MachineProfile, ProfileEntry

Timed = Callable[[RunConfig], Pilot | None]
"""Return the pilot of a resolved configuration's step; None if there is none."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The seconds of a run on one backend of one machine, without reading its data file."""

    label: str
    """Backend and threads: `numpy@1`."""
    machine: str
    """In words."""
    foreign: bool
    """True if the profile is another machine's."""
    step: Interval | None
    """A full step; None if it is not known."""
    seconds: Interval | None
    """All steps, with the short last one of each epoch and shuffling; None if it is not known."""
    wall_seconds: Interval | None
    """The whole run, as `Prediction.wall_seconds`; None if it is not known."""
    reason: str = ""
    """The reason why they are unknown."""
    backend: str = ""

    @property
    def run_seconds(self) -> Interval | None:
        """The whole run, or its steps alone where more is not known, as `Prediction.run_seconds`."""
        return self.wall_seconds or self.seconds


@dataclass(frozen=True)
class Predictor:
    """Predictions by one profile: this machine's, or another's under its name."""

    profile: MachineProfile
    name: str = ""
    """The other machine's name; empty for this one."""

    def predict(self, config: RunConfig, rows: KeptRows | None = None, pilot: Pilot | None = None) -> Prediction:
        """Return the prediction of `config`. Raises BackendError if the profile has no entry for it.

        A few rows are generated to time that, for runs that generate them. `rows`: those of a file, which is not read here; by
        default they are known if it was read before.
        """
        rows = rows or shape.kept_rows(config)
        config = replace(config, backend=choose(config).name)
        if self.name:
            measured = [one.threads for one in self.profile.entries if (one.backend, one.dtype) == (config.backend, config.dtype)]
            # The most threads that the machine was calibrated with, unless the configuration names a number.
            there = replace(config, threads=max(measured)) if config.threads is None and measured else config
            return predict(there, self.profile, foreign=True, rows=rows)
        _check_device(entry_of(config.resolved(), self.profile))
        examples = data.rows(config)
        # Kept rows are not generated during the run, so none are generated to find out.
        seconds = seconds_per_row(config) if examples is not None and info.is_regenerated(config, examples) else None
        return predict(config, self.profile, generation=seconds, rows=rows, pilot=pilot)

    def predict_timed(
        self, config: RunConfig, rows: KeptRows | None = None, wanted: Callable[[], bool] = lambda: True
    ) -> Prediction:
        """Return the prediction of `config` by a pilot where one can run here, else the model's."""
        found = self.predict(config, rows=rows)
        if not can_pilot(found):
            return found
        pilot = _pilot_of(found.config, wanted)
        return found if pilot is None else self.predict(config, rows=rows, pilot=pilot)

    def priced(self, config: RunConfig, timed: Timed) -> list[Priced]:
        """Return the seconds of `config` on each backend of the profile with its dtype, by a pilot if `timed` has one."""
        found: list[Priced] = []
        machine = str(self.profile.machine)
        for entry in self.profile.entries:
            if computes_with(entry.backend, entry.threads, config.dtype)[1] != entry.dtype:
                continue
            label = f"{entry.label} {self.name}".rstrip()
            try:
                asked = replace(config, backend=entry.backend, threads=entry.threads)
                one = self.predict(asked)
                if can_pilot(one) and (pilot := timed(one.config)) is not None:
                    one = self.predict(asked, pilot=pilot)
                found.append(
                    Priced(label, machine, bool(self.name), one.step, one.seconds, one.wall_seconds, backend=entry.backend)
                )
            except BackendError as error:
                found.append(Priced(label, machine, bool(self.name), None, None, None, str(error), entry.backend))
        return found


def timed_once() -> Timed:
    """Return a function that times the step of each configuration once, whatever its volume; None if it cannot run here."""
    pilots: dict[RunConfig, Pilot | None] = {}

    def timed(config: RunConfig) -> Pilot | None:
        step = replace(step_of(config), examples=None)
        if step not in pilots:
            pilots[step] = _pilot_of(config)
        return pilots[step]

    return timed


def _pilot_of(config: RunConfig, wanted: Callable[[], bool] = lambda: True) -> Pilot | None:
    """Time the step of `config`; None if it cannot be timed, so that the model's prediction applies."""
    try:
        return time_pilot(config, wanted=wanted)
    except (TuisimError, MemoryError):  # too large for this machine, or no finite loss
        return None


def can_pilot(prediction: Prediction) -> bool:
    """Return True if the predicted run can be timed here within a moment."""
    return not prediction.foreign and prediction.step.likely <= MAX_STEP_SECONDS


def _check_device(entry: ProfileEntry) -> None:
    """Raise BackendError if an entry is of another GPU than the one here, as far as that is known already."""
    found = backends.probe_if_loaded(entry.backend) if backends.has_own_memory(entry.backend) else None
    name, measured = (device.partition(",")[0] for device in ("" if found is None else found.device, entry.device))
    if name not in ("", measured):
        raise BackendError(
            f"backend {entry.key}: the machine profile has it of {entry.device}, here is {name}; "
            f"tuisim calibrate --backends {entry.backend} --dtypes {entry.dtype}"
        )


def own_predictor() -> Predictor:
    """Return a predictor by this machine's profile. Raises DataError if there is none, with the remedy."""
    found = profiles.own()
    if found.profile is None:
        raise DataError(found.trouble or "there is no machine profile yet: run tuisim calibrate")
    return Predictor(found.profile)


def named_predictor(name: str) -> Predictor:
    """Return a predictor by the profile that was imported under `name`. Raises DataError."""
    return Predictor(profiles.named(name), name)


def all_predictors() -> tuple[Predictor, ...]:
    """Return predictors by this machine's profile, if any, and by every imported one; read again only after a change."""
    return _all_predictors(profiles.stamp())


@lru_cache(maxsize=1)
def _all_predictors(_: profiles.Stamp) -> tuple[Predictor, ...]:
    own = profiles.own().profile
    return (
        *((Predictor(own),) if own is not None else ()),
        *(Predictor(profile, name) for name, profile in profiles.others().items()),
    )


def priced(config: RunConfig, own: Predictor | None = None, timed: Timed = lambda _: None) -> list[Priced]:
    """Return the seconds of `config` on every backend of every profile.

    `own`: by this machine's profile, which need not be on disk. `timed`: pilots for it, of the steps that can run here.
    """
    found = all_predictors()
    predictors = found if own is None else (own, *(one for one in found if one.name))
    return [one for predictor in predictors for one in predictor.priced(config, timed)]


def missing() -> str:
    """Return why nothing is known of this machine, with the remedy."""
    return profiles.own().trouble or "nothing has been measured here yet: tuisim calibrate does that"


def best_entry() -> ProfileEntry | None:
    """Return the entry of this machine's profile with the highest rate of a whole step."""
    entries = [entry for predictor in all_predictors() if not predictor.name for entry in predictor.profile.entries]
    return max(entries, key=lambda entry: entry.best_rate, default=None)
