"""The same run on several backends or thread counts: in turn, round by round, so that other programs slow all of them alike.

A speedup is the ratio of two median step times, which are in the same table; its spread is that of the ratios within a round.
Parameters are compared after the first steps. An entry that fails is listed with its reason, and the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim import units
from tuisim.accounting import count
from tuisim.backends import computed_dtype, get_backend, precision_notes, probe
from tuisim.config import RunConfig
from tuisim.engine.initial_state import initial_state
from tuisim.engine.step_time import least_seconds, spread
from tuisim.errors import ConfigError, Mistake, in_words, printable
from tuisim.features.compare.entries import FIRST_STEPS, BackendEntry, TimedEntry, max_difference, warning
from tuisim.measure.ceiling import above_words
from tuisim.measure.peaks import peaks_of
from tuisim.measure.processor import environment
from tuisim.provenance import Provenance

ROUND_SECONDS = 0.05
"""Time of an entry in each round; a single step if that takes longer."""
MIN_ROUNDS, MAX_ROUNDS = 3, 61
SECONDS = 6.0
"""Default budget: all rounds of all entries."""
MAX_TIE = 1.5
"""Factor of the shortest step up to which a step whose spread includes it is a tie; beyond, its time is only uncertain."""
MAX_BUDGETS = 4
"""An entry that needs more than this many budgets for its first steps and rounds is left out."""
TOLERANCES = {"float32": 1e-2, "float64": 1e-6}
"""Relative to the largest change of a parameter in FIRST_STEPS steps: rounding stays far below, a wrong gradient is near 1."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One entry so far."""

    name: str
    steps: int
    seconds: float
    """Compute time."""
    microseconds_per_step: float | None
    losses: tuple[float, ...]
    """Over its steps, decimated evenly."""
    reason: str = ""
    """The reason why it has no figures."""


@dataclass(frozen=True, slots=True)
class RaceRow:
    """One entry's figures."""

    name: str
    backend: str
    threads: int
    dtype: str
    """The dtype it computes in; the scalar backend uses float64 for any."""
    device: str
    bind_seconds: float
    """Time to allocate and bind, including compilation."""
    first_call_seconds: float
    """Time of the first step, including what happens once."""
    compile_seconds: float | None
    """The part of these two spent on compiling or loading compiled code; None if nothing is compiled."""
    transfer_seconds: float | None
    """Time to copy rows to a device; None on the host."""
    launch_microseconds: float | None
    """Host time per step to launch it on the device, included in the step's time if the device waits."""
    microseconds_per_step: float
    """Median of the rounds."""
    spread: float
    """Half the 10-90 % range of that, in microseconds."""
    rounds: int
    examples_per_second: float
    flops_per_second: float
    utilization: float
    """Multiplications and additions per second over the measured peak: at as many threads, or the GPU's."""
    speedup: float
    """The first entry's median step time over this one's."""
    speedup_spread: float
    """Half the 10-90 % range of that ratio within a round."""
    max_parameter_difference: float | None
    """From the first entry's, after the first steps; None if not finite."""
    where: str
    same: bool
    """True if rounding explains that difference."""
    above_peak: str | None = None
    """Explanation of a utilization above the peak beyond its measured spread; None if it is not."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """One entry without figures."""

    backend: str
    """Its name, with its threads."""
    reason: str
    hint: str = ""
    """The remedy, if known."""

    @property
    def words(self) -> str:
        """The reason and the remedy, in one line."""
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


@dataclass(frozen=True)
class Comparison:
    """The figures of all entries."""

    config: RunConfig
    rows: tuple[RaceRow, ...]
    unavailable: tuple[Unavailable, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def fastest(self) -> tuple[RaceRow, ...]:
        """The row with the shortest step, then its ties: their step is not much longer, and their spread includes it."""
        ordered = sorted(self.rows, key=lambda row: row.microseconds_per_step)
        shortest = ordered[0].microseconds_per_step if ordered else 0.0
        return tuple(
            row for row in ordered
            if row.microseconds_per_step - row.spread <= shortest and row.microseconds_per_step <= MAX_TIE * shortest
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim compare --json` prints."""
        return {
            "config": self.config.to_dict(),
            "rows": [asdict(row) for row in self.rows],
            "unavailable": [asdict(one) for one in self.unavailable],
            "fastest": [row.name for row in self.fastest],
            "compared_after_steps": FIRST_STEPS,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "environment": environment(),
            "marks": {
                "config": Provenance.GIVEN,
                "rows[]": Provenance.MEASURED,
                "rows[].threads": Provenance.GIVEN,
                "rows[].dtype": Provenance.GIVEN,
                "rows[].rounds": Provenance.COUNTED,
                "compared_after_steps": Provenance.COUNTED,
                "seconds": Provenance.MEASURED,
            },
        }


Tell = Callable[[tuple[Standing, ...]], object]


def compare(
    config: RunConfig, entered: Sequence[BackendEntry], seconds: float = SECONDS, tell: Tell = lambda standings: None
) -> Comparison:
    """Set up the entries, let them take turns for about `seconds`, and compare them.

    `tell` is given the standings at the start and after each turn; what it raises ends the race. Raises ConfigError if the
    budget is too short for one round, DataError or MemoryNeeded as a run would.
    """
    if not seconds > 0:
        raise ConfigError([Mistake("seconds", seconds, "a number of seconds above 0")])
    return _Race(config, entered, seconds).run(tell)


class _Race:
    def __init__(self, config: RunConfig, entered: Sequence[BackendEntry], seconds: float) -> None:
        self._begun, self._budget = perf_counter(), seconds
        self._start = initial_state(config.resolved())
        self._config = self._start.config
        self._ledger = count(self._config)
        self._entered = tuple(entered)
        self._timed: dict[BackendEntry, TimedEntry] = {}
        self._unavailable: dict[BackendEntry, Unavailable] = {}

    def run(self, tell: Tell) -> Comparison:
        tell(self._standings())
        for entry in self._entered:
            self._set_up(entry)
            tell(self._standings())
        least = sum(max(ROUND_SECONDS, timed.second_seconds) for timed in self._timed.values())
        if least > self._budget:
            words = f"too short for one round, which takes about {units.duration(least)}"
            raise ConfigError([Mistake("seconds", f"{self._budget:g}", words)])
        begun, rounds = perf_counter(), 0
        while self._timed and rounds < MAX_ROUNDS and (rounds < MIN_ROUNDS or perf_counter() - begun < self._budget):
            for entry in list(self._timed) if rounds % 2 else list(reversed(self._timed)):
                try:
                    self._timed[entry].turn(ROUND_SECONDS)
                except Exception as error:  # one that fails has its reason; the others go on
                    self._remove(entry, error)
                tell(self._standings())
            rounds += 1
        timed = [one for entry in self._entered if (one := self._timed.get(entry)) is not None and one.samples]
        rows = tuple(self._row(one, timed[0]) for one in timed)
        unavailable = tuple(self._unavailable.values())
        return Comparison(self._config, rows, unavailable, self._notes(rows), perf_counter() - self._begun)

    def _set_up(self, entry: BackendEntry) -> None:
        found = probe(entry.backend)
        if not found.available:
            self._unavailable[entry] = Unavailable(entry.name, found.reason, found.remedy)
            return
        least = least_seconds(entry.backend, self._ledger) * (FIRST_STEPS + MIN_ROUNDS)
        if least > MAX_BUDGETS * max(self._budget, 1.0):
            reason = f"left out: its first steps and rounds would take {units.duration(least)} or more"
            self._unavailable[entry] = Unavailable(entry.name, reason, "use more seconds, or a smaller network or batch")
            return
        try:
            self._timed[entry] = TimedEntry(entry, self._start)
        except Exception as error:  # as above
            self._remove(entry, error)

    def _remove(self, entry: BackendEntry, error: Exception) -> None:
        self._timed.pop(entry, None)
        self._unavailable[entry] = Unavailable(entry.name, printable(in_words(error), 300))

    def _standings(self) -> tuple[Standing, ...]:
        found: list[Standing] = []
        for entry in self._entered:
            if (one := self._timed.get(entry)) is not None:
                per_step = median(one.samples) * 1e6 if one.samples else None
                found.append(Standing(entry.name, one.steps, one.seconds, per_step, one.losses))
            else:
                gone = self._unavailable.get(entry)
                found.append(Standing(entry.name, 0, 0.0, None, (), gone.words if gone else ""))
        return tuple(found)

    # ── the result ──

    def _row(self, timed: TimedEntry, first: TimedEntry) -> RaceRow:
        samples, step = timed.samples, self._ledger.step_total
        seconds = median(samples)
        ratios = [a / b for a, b in zip(first.samples, samples, strict=False)]
        worst, where = max_difference(timed.parameters, first.parameters, self._config.layers)
        change = float(np.abs(first.parameters - first.first_parameters).max())
        with get_backend("numpy").threads(timed.threads):
            peak = peaks_of(timed.backend, self._config.dtype, timed.threads).products
        rate = step.multiply_adds / seconds
        return RaceRow(
            name=timed.entry.name,
            backend=timed.entry.backend,
            threads=timed.threads,
            dtype=computed_dtype(timed.entry.backend, self._config.dtype),
            device=timed.device,
            bind_seconds=timed.bind_seconds,
            first_call_seconds=timed.first_seconds,
            compile_seconds=timed.compile_seconds,
            transfer_seconds=None if timed.costs is None else timed.costs.transfer_seconds,
            launch_microseconds=None if timed.costs is None else timed.costs.launch_microseconds,
            microseconds_per_step=seconds * 1e6,
            spread=spread(samples) * 1e6,
            rounds=len(samples),
            examples_per_second=self._ledger.batch / seconds,
            flops_per_second=step.flops / seconds,
            utilization=peak.share(rate),
            speedup=median(first.samples) / seconds,
            speedup_spread=spread(ratios),
            max_parameter_difference=worst if math.isfinite(worst) else None,
            where=where,
            same=worst <= TOLERANCES[self._config.dtype] * change,
            above_peak=above_words(peak, "the measured peak") if peak.exceeded_by(rate) else None,
        )

    def _notes(self, rows: Sequence[RaceRow]) -> tuple[str, ...]:
        """Return notes on data and dtypes, on too many threads with their measured cost, and on rows that differ."""
        notes = [*self._start.dataset.notes, *precision_notes((row.backend for row in rows), self._config.dtype)]
        by_name = {row.name: row for row in rows}
        notes += [words + _slowdown(by_name.get(entry.name), rows) for entry in self._entered if (words := warning(entry))]
        notes += [
            f"{row.name} differs from {rows[0].name} by more than rounding explains, at {row.where}"
            for row in rows
            if not row.same
        ]
        notes += [f"{row.name} is {row.above_peak}" for row in rows if row.above_peak]
        return tuple(notes)


def _slowdown(row: RaceRow | None, rows: Sequence[RaceRow]) -> str:
    """Return this row's speed relative to the best other thread count of its backend."""
    others = [other for other in rows if row and other.backend == row.backend and other.name != row.name]
    if row is None or not others:
        return ""
    best = min(others, key=lambda other: other.microseconds_per_step)
    return f"; measured here {best.microseconds_per_step / row.microseconds_per_step:.2f} × the speed of {best.name}"
