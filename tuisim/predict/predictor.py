"""What can be said of a run before it: the cards at hand, how fast the machine is now, and how far off the past said was.

It puts these together for whoever asks; it neither measures for long nor writes anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from statistics import median
from time import monotonic

from tuisim import backends, data
from tuisim.backends import choose, computes_with
from tuisim.config import RunConfig
from tuisim.data import info
from tuisim.data.info import KeptRows
from tuisim.errors import BackendError, ClockError, DataError
from tuisim.measure.machine_speed import Slowdown, measure_slowdown
from tuisim.predict import profiles as cards
from tuisim.predict.cost_model import UNDISTURBED, entry_of, predict
from tuisim.predict.data_generation import seconds_per_row
from tuisim.predict.interval import Interval
from tuisim.predict.machine import this_machine
from tuisim.predict.prediction import Prediction
from tuisim.predict.prices import bounded
from tuisim.predict.profile import MachineProfile, ProfileEntry
from tuisim.predict.record import LEAST_SECONDS
from tuisim.provenance import Provenance
from tuisim.store.runs import Run, read

LATEST = 200
"""Scored runs of a backend whose errors count; older ones say little of today."""
FRESH_SECONDS = 10.0
"""How long the machine is taken to be as fast as it was found."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A speed that was shown: multiplications and additions per second."""

    value: float
    who: str
    """Which backend and threads showed it."""
    mark: Provenance = Provenance.MEASURED


@dataclass(frozen=True, slots=True)
class Priced:
    """What a network's step and epoch cost on one backend of one machine, without making or reading its rows."""

    label: str
    """Backend and threads: `numpy@1`."""
    machine: str
    """In words."""
    foreign: bool
    """The price is from another machine's card."""
    step: Interval | None
    """Seconds of a full one; none where they are not known."""
    epoch: Interval | None
    """Seconds of the steps of one, the short last one and the shuffling among them; none as well."""
    reason: str = ""
    """Why they are not known."""
    backend: str = ""


@dataclass
class Predictor:
    """Predictions by one card: this machine's, or another's under its name."""

    card: MachineProfile
    name: str = ""
    """The other machine's; empty for this one."""
    clock: Callable[[], float] = monotonic
    looks: bool = True
    """Whether it takes a moment to find out how fast this machine is now; else it is as it was on the whole when calibrated."""
    _slowed: tuple[float, Slowdown] | None = field(default=None, init=False)

    def predict(self, config: RunConfig, making: bool = True, rows: KeptRows | None = None) -> Prediction:
        """What `config` would take. Raises BackendError where the card has no price for it.

        Without `making`, rows that are made as the run goes are not tried, and its wall time is not told where they are. `rows`:
        those of a file, which is not read here.
        """
        config = replace(config, backend=choose(config).name)
        if self.name:
            return predict(self._as_there(config), self.card, foreign=True, rows=rows)
        entry = entry_of(config.resolved(), self.card)
        _same_device(entry)
        return predict(
            config,
            self.card,
            slowdown=self.slowdown if self.looks else None,
            errors=errors(entry),
            making=_making(config) if making else None,
            rows=rows,
        )

    def _as_there(self, config: RunConfig) -> RunConfig:
        """Unless a number of threads is asked for, as many as that machine was measured with: it has other cores."""
        measured = [one.threads for one in self.card.entries if (one.backend, one.dtype) == (config.backend, config.dtype)]
        return replace(config, threads=max(measured)) if config.threads is None and measured else config

    @property
    def slowdown(self) -> Slowdown:
        """How much slower than at its best this machine is now; not at all of another, of which nothing is known."""
        if self.name:
            return UNDISTURBED
        if self._slowed is None or self.clock() - self._slowed[0] > FRESH_SECONDS:
            try:
                found = measure_slowdown(self.card.speed)
            except ClockError:  # nobody can say; it will be said to whoever measures
                found = UNDISTURBED
            self._slowed = self.clock(), found
        return self._slowed[1]

    def refreshed(self) -> Predictor:
        """The same, with the machine's speed looked at anew."""
        self._slowed = None
        return self

    def priced(self, config: RunConfig) -> list[Priced]:
        """What a step and an epoch of `config` cost on each backend of the card that has its dtype."""
        found: list[Priced] = []
        machine = str(self.card.machine)
        for entry in self.card.entries:
            if computes_with(entry.backend, entry.threads, config.dtype)[1] != entry.dtype:
                continue
            chosen = replace(config, backend=entry.backend, threads=entry.threads)
            label = f"{entry.label} {self.name}".rstrip()
            try:
                one = self.predict(chosen, making=False)
                found.append(Priced(label, machine, bool(self.name), one.step, one.epoch, backend=entry.backend))
            except BackendError as error:
                found.append(Priced(label, machine, bool(self.name), None, None, str(error), entry.backend))
        return found

    @property
    def best(self) -> ProfileEntry | None:
        """The entry with the best whole step."""
        return max(self.card.entries, key=lambda entry: entry.best_rate, default=None)


def _same_device(entry: ProfileEntry) -> None:
    """Raises BackendError where an entry is of another GPU than the one that is here, as far as that is known already."""
    found = backends.probe_if_loaded(entry.backend) if backends.has_own_memory(entry.backend) else None
    name, measured = (device.partition(",")[0] for device in ("" if found is None else found.device, entry.device))
    if name not in ("", measured):
        raise BackendError(
            f"backend {entry.key}: the machine card has it of {entry.device}, here is {name}; "
            f"tuisim calibrate --backends {entry.backend} --dtypes {entry.dtype}"
        )


def _making(config: RunConfig) -> float | None:
    """Seconds for making a row; none where they are kept, so that nothing is tried for them."""
    examples = data.rows(config)
    return seconds_per_row(config) if examples is not None and info.is_regenerated(config, examples) else None


def here() -> Predictor:
    """By this machine's card. Raises DataError where there is none, with the remedy."""
    found = cards.own()
    if found.card is None:
        raise DataError(found.trouble or "there is no machine card yet: run tuisim calibrate")
    return steady(found.card)


def steady(card: MachineProfile) -> Predictor:
    """By this machine's card, at the speed it is found at once: what is asked of it can be held against each other."""
    return Predictor(card, clock=lambda: 0.0)


def of(name: str) -> Predictor:
    """As on the machine whose card was imported under `name`. Raises DataError."""
    return Predictor(cards.named(name), name)


def everywhere() -> tuple[Predictor, ...]:
    """This machine's where it has a card, and every other's that was imported; read again only where one has changed."""
    return _everywhere(cards.stamp())


@lru_cache(maxsize=1)
def _everywhere(_: cards.Stamp) -> tuple[Predictor, ...]:
    own = cards.own().card
    return (
        *((Predictor(own, looks=False),) if own is not None else ()),
        *(Predictor(card, name) for name, card in cards.others().items()),
    )


def priced(config: RunConfig, own: Predictor | None = None) -> list[Priced]:
    """What a step and an epoch of `config` cost on every backend of every card, in milliseconds: nothing is measured here.

    `own` is this machine's outlook, which may know how fast the machine is now.
    """
    found = everywhere()
    outlooks = found if own is None else (own, *(one for one in found if one.name))
    return [one for outlook in outlooks for one in outlook.priced(config)]


def missing() -> str:
    """Why nothing is known of this machine, with the remedy."""
    return cards.own().trouble or "nothing has been measured here yet: tuisim calibrate does that"


def best_rate() -> Rate | None:
    """The most multiplications and additions per second that a whole step has shown on this machine."""
    best = next((outlook.best for outlook in everywhere() if not outlook.name), None)
    return None if best is None else Rate(best.best_rate, best.label)


def errors(entry: ProfileEntry) -> tuple[float, ...]:
    """Natural logarithms of predicted over actual seconds of this machine's runs that were scored by `entry`.

    One for each network and batch, the middle one: a network that is run again and again says no more of others.
    """
    try:
        past = read(this_machine().id).runs
    except DataError:  # tuisim runs says what is wrong with them; a prediction does without
        return ()
    by_network: dict[tuple[tuple[int, ...], int], list[float]] = {}
    for run in [run for run in past if _scores(run, entry)][-LATEST:]:
        by_network.setdefault((run.layers, run.batch), []).append(_error(run))
    return tuple(map(median, by_network.values()))


def _scores(run: Run, entry: ProfileEntry) -> bool:
    """Whether what was said of a run came from this entry: of its kind, and not from one before it.

    And the run says something of others: of one that took hardly any time it is its first steps that are told.
    """
    if run.predicted_seconds is None or run.seconds < LEAST_SECONDS:
        return False
    if run.backend != entry.backend:
        return False
    if computes_with(run.backend, run.threads, run.dtype) != (entry.threads, entry.dtype):
        return False
    when = _moment(run.when)
    return when is not None and when >= entry.moment


def _moment(text: str) -> datetime | None:
    """None for what is no date and time; without an offset, as of UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _error(run: Run) -> float:
    """Within what a band is made of: a run that was further off was no such run."""
    assert run.predicted_seconds is not None
    return bounded(math.log(run.predicted_seconds[1] / run.seconds))
