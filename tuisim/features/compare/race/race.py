"""The same run on several backends or thread counts: in turn, round by round, so that a busy moment is shared by all.

Speeds are ratios within a round and their median; that all computed the same is looked at, not assumed. A contender that
fails is a row with its reason. It does not know who watches.
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
from tuisim.accounting import Ledger, count
from tuisim.backends import computed_dtype, get_backend, precision_notes, probe
from tuisim.config import RunConfig
from tuisim.engine.start import Start, start
from tuisim.engine.step_time import least_seconds, spread
from tuisim.errors import ConfigError, Mistake, in_words, printable
from tuisim.features.compare.entries import FEW_STEPS, Contender, Entry, furthest, warning
from tuisim.measure.ceiling import above_words
from tuisim.measure.environment import environment
from tuisim.measure.peaks import peaks_of
from tuisim.provenance import Provenance

ROUND_SECONDS = 0.05
"""Each contender works about so long in each round, or one step where that takes longer."""
LEAST_ROUNDS, MOST_ROUNDS = 3, 61
SECONDS = 6.0
"""The budget where none is given: all rounds of all contenders."""
LONGEST = 4
"""Who needs more than so many budgets for the least of steps is left out."""
TOLERANCES = {"float32": 1e-2, "float64": 1e-6}
"""Of the furthest way a parameter has gone in FEW_STEPS steps: rounding in another order stays well below, a wrong gradient
is of the size of 1."""

Wanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender so far: what a race shows while it goes on."""

    name: str
    device: str
    steps: int
    examples: int
    seconds: float
    """Of its own, in steps."""
    microseconds_per_step: float | None
    losses: tuple[float, ...]
    """Over its own steps, thinned out evenly."""
    reason: str = ""
    """Why it is out of the race."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contender's figures."""

    name: str
    backend: str
    threads: int
    dtype: str
    """The dtype it computes in, whatever was asked for."""
    device: str
    bind_seconds: float
    """Making the buffers and the calls, what is compiled included."""
    first_call_seconds: float
    """The first step, with all that happens once."""
    compile_seconds: float | None
    """Of these two, compiling or loading what was compiled before; none where nothing is compiled."""
    transfer_seconds: float | None
    """Copying rows of data to a device of its own; none where they stay where they are."""
    launch_microseconds: float | None
    """Of the host's time per step, handing it over to that device; the steps' time has it in it where the device waits."""
    microseconds_per_step: float
    """Median of the rounds."""
    spread: float
    """Half the 10-90 % range of that over the rounds, in microseconds."""
    rounds: int
    examples_per_second: float
    flops_per_second: float
    utilization: float
    """Multiplications and additions per second over the measured peak of what computed: at as many threads, or the GPU's."""
    speedup: float
    """The first contender's time over this one's, the median over the rounds."""
    speedup_spread: float
    max_parameter_difference: float | None
    """From the first contender's, after the first steps; none where it is not finite."""
    where: str
    same: bool
    """Whether rounding explains that difference."""
    above_peak: str | None = None
    """Explanation of a utilization above the peak beyond its measured spread; None if it is not."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """One contender without figures."""

    backend: str
    """Its name, threads and all."""
    reason: str
    hint: str = ""
    """What would cure that, where it is known."""


@dataclass(frozen=True)
class Comparison:
    """All rows, who has none, and what they were measured on."""

    config: RunConfig
    rows: tuple[Row, ...]
    unavailable: tuple[Unavailable, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def fastest(self) -> tuple[Row, ...]:
        """The one of the shortest step, and after it those whose spread reaches down to it; empty where none was timed."""
        ordered = sorted(self.rows, key=lambda row: row.microseconds_per_step)
        return tuple(row for row in ordered if row.microseconds_per_step - row.spread <= ordered[0].microseconds_per_step)

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim compare --json` prints."""
        return {
            "config": self.config.to_dict(),
            "rows": [asdict(row) for row in self.rows],
            "unavailable": [asdict(one) for one in self.unavailable],
            "fastest": [row.name for row in self.fastest],
            "compared_after_steps": FEW_STEPS,
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


class Race:
    """A comparison that can be watched: contenders are set up one by one, then take turns until the time is spent.

    Raises ConfigError where the budget is too short for one round, DataError or MemoryNeeded as a run would.
    """

    def __init__(self, config: RunConfig, entered: Sequence[Entry], seconds: float = SECONDS, wanted: Wanted = lambda: True):
        if not seconds > 0:
            raise ConfigError([Mistake("seconds", seconds, "a number of seconds above 0")])
        self.entries = tuple(entered)
        self._wanted, self._budget = wanted, seconds
        self._begun = perf_counter()
        self._start: Start = start(config.resolved())
        self.config = self._start.config
        self._ledger: Ledger = count(self.config)
        self._contenders: dict[Entry, Contender] = {}
        self._unavailable: dict[Entry, Unavailable] = {}

    def run(self, tell: Callable[[tuple[Standing, ...]], None] = lambda standings: None) -> Comparison:
        """Set up, take turns, and compare; `tell` hears how all stand after each turn."""
        for entry in self.entries:
            if self._wanted():
                self._set_up(entry)
                tell(self.standings())
        self._check_budget()
        begun, turns = perf_counter(), 0
        while self._contenders and self._wanted() and turns < MOST_ROUNDS:
            if turns >= LEAST_ROUNDS and perf_counter() - begun >= self._budget:
                break
            order = list(self._contenders) if turns % 2 else list(reversed(self._contenders))
            for entry in order:
                if self._wanted():
                    self._turn(entry)
                    tell(self.standings())
            turns += 1
        rows, seconds = self._rows(), perf_counter() - self._begun
        return Comparison(self.config, rows, tuple(self._unavailable.values()), self._notes(rows), seconds)

    def standings(self) -> tuple[Standing, ...]:
        """How all stand, in the order they were entered."""
        return tuple(self._standing(entry) for entry in self.entries)

    def _set_up(self, entry: Entry) -> None:
        found = probe(entry.backend)
        likely = least_seconds(entry.backend, self._ledger) * (FEW_STEPS + LEAST_ROUNDS) if found.available else 0.0
        if not found.available:
            self._unavailable[entry] = Unavailable(entry.name, found.reason, found.remedy)
        elif likely > LONGEST * max(self._budget, 1.0):
            reason = f"left out: its least of steps would take {units.duration(likely)} or more"
            self._unavailable[entry] = Unavailable(entry.name, reason, "give it more seconds, or a smaller network or batch")
        else:
            try:
                self._contenders[entry] = Contender(entry, self._start)
            except Exception as error:  # one that fails has its reason; the others go on
                self._out(entry, error)

    def _turn(self, entry: Entry) -> None:
        try:
            self._contenders[entry].turn(ROUND_SECONDS)
        except Exception as error:  # as above
            self._out(entry, error)

    def _out(self, entry: Entry, error: Exception) -> None:
        self._contenders.pop(entry, None)
        self._unavailable[entry] = Unavailable(entry.name, printable(in_words(error), 300))

    def _check_budget(self) -> None:
        one = sum(max(ROUND_SECONDS, contender.second_seconds) for contender in self._contenders.values())
        if self._contenders and one > self._budget:
            raise ConfigError(
                [Mistake("seconds", f"{self._budget:g}", f"too short for one round, which takes about {units.duration(one)}")]
            )

    def _standing(self, entry: Entry) -> Standing:
        contender = self._contenders.get(entry)
        if contender is None:
            gone = self._unavailable.get(entry)
            words = "; ".join(part for part in (gone.reason, gone.hint) if part) if gone else ""
            return Standing(entry.name, "", 0, 0, 0.0, None, (), words)
        per_step = median(contender.samples) * 1e6 if contender.samples else None
        done = contender.steps, contender.examples, contender.seconds
        return Standing(entry.name, contender.device, *done, per_step, tuple(contender.losses))

    # ── what comes of it ──

    def _rows(self) -> tuple[Row, ...]:
        timed = [one for entry in self.entries if (one := self._contenders.get(entry)) is not None and one.samples]
        return tuple(self._row(one, timed[0]) for one in timed)

    def _row(self, contender: Contender, first: Contender) -> Row:
        samples, step = contender.samples, self._ledger.step_total
        seconds = median(samples)
        ratios = [a / b for a, b in zip(first.samples, samples, strict=False)]
        worst, where = furthest(contender.parameters, first.parameters, self.config.layers)
        way = float(np.abs(first.parameters - first.first_parameters).max())
        with get_backend("numpy").threads(contender.threads):
            peak = peaks_of(contender.backend, self.config.dtype, contender.threads).products
        rate = step.multiply_adds / seconds
        return Row(
            name=contender.entry.name,
            backend=contender.entry.backend,
            threads=contender.threads,
            dtype=computed_dtype(contender.entry.backend, self.config.dtype),
            device=contender.device,
            bind_seconds=contender.bind_seconds,
            first_call_seconds=contender.first_seconds,
            compile_seconds=contender.compile_seconds,
            transfer_seconds=None if contender.costs is None else contender.costs.transfer_seconds,
            launch_microseconds=None if contender.costs is None else contender.costs.launch_microseconds,
            microseconds_per_step=seconds * 1e6,
            spread=spread(samples) * 1e6,
            rounds=len(samples),
            examples_per_second=self._ledger.batch / seconds,
            flops_per_second=step.flops / seconds,
            utilization=peak.share(rate),
            speedup=median(ratios),
            speedup_spread=spread(ratios),
            max_parameter_difference=worst if math.isfinite(worst) else None,
            where=where,
            same=worst <= TOLERANCES[self.config.dtype] * way,
            above_peak=above_words(peak, "the measured peak") if peak.exceeded_by(rate) else None,
        )

    def _notes(self, rows: Sequence[Row]) -> tuple[str, ...]:
        """Notes on data and dtypes, thread counts that are too many, with their cost if measured, and rows that differ."""
        notes = [*self._start.dataset.notes, *precision_notes((row.backend for row in rows), self.config.dtype)]
        by_name = {row.name: row for row in rows}
        notes += [words + _loss(by_name.get(entry.name), rows) for entry in self.entries if (words := warning(entry))]
        notes += [
            f"{row.name} differs from {rows[0].name} by more than rounding explains, at {row.where}"
            for row in rows
            if not row.same
        ]
        notes += [f"{row.name} stands {row.above_peak}" for row in rows if row.above_peak]
        return tuple(notes)


def _loss(row: Row | None, rows: Sequence[Row]) -> str:
    """What the best other thread count of the same backend gains over this one, as measured."""
    others = [other for other in rows if row and other.backend == row.backend and other.name != row.name]
    if row is None or not others:
        return ""
    best = min(others, key=lambda other: other.microseconds_per_step)
    return f"; measured here {best.microseconds_per_step / row.microseconds_per_step:.2f} × the speed of {best.name}"


def compare(
    config: RunConfig,
    entered: Sequence[Entry],
    seconds: float = SECONDS,
    tell: Callable[[tuple[Standing, ...]], None] = lambda standings: None,
) -> Comparison:
    """Compare the entries on `config`, for about `seconds` of rounds."""
    return Race(config, entered, seconds).run(tell)
