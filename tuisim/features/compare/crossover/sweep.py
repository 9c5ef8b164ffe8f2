"""A sweep of two backends or thread counts over widths and batches, within a budget of seconds.

Sizes are measured in ascending order of their operations; where the winner changes, the sizes in between are measured too.
Sizes that do not fit in the budget stay blank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

from tuisim import units
from tuisim.accounting import Ledger, count
from tuisim.backends import get_backend, precision_notes
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.engine.step_time import least_seconds
from tuisim.errors import ConfigError, Mistake, in_words, printable
from tuisim.features.compare.crossover.cell import TIE, Cell, Size, figures
from tuisim.features.compare.crossover.result import Crossover
from tuisim.features.compare.crossover.rule import rule
from tuisim.features.compare.entries import BackendEntry, warning

WIDTHS = tuple(2**n for n in range(3, 12))
BATCHES = tuple(4**n for n in range(6))
SECONDS = 20.0
"""Default budget, from when the first cell has been set up."""
ROUND_SECONDS = 0.01
"""Time of each entry in each round; a single step if that takes longer."""
MIN_ROUNDS, MAX_ROUNDS = 5, 9
"""With three rounds of two equal entries one in four cells would be won by chance, with five one in sixteen."""
WARM_UP_STEPS = 2
"""Untimed steps of each entry in each cell."""
FIRST_SHARE = 0.8
"""Share of the budget for the given sizes, before those in between."""


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """A sweep so far."""

    cells: tuple[Cell, ...]
    """All cells, the blank ones too, in ascending order of their operations."""
    now: Size | None
    """The size that is being measured."""
    latest: Size | None
    """The size that was measured last."""
    seconds: float
    """The part of the budget that is spent."""

    @property
    def measured(self) -> int:
        """The number of measured cells."""
        return sum(bool(cell.winner) for cell in self.cells)


class Sweep:
    """A sweep over networks with as many layers as `config`'s, each as wide as the cell's width.

    Raises ConfigError unless there are two entries, valid sizes and a budget that is long enough, and BackendError for an
    unavailable backend.
    """

    def __init__(
        self,
        config: RunConfig,
        entered: Sequence[BackendEntry],
        seconds: float = SECONDS,
        widths: Sequence[int] = WIDTHS,
        batches: Sequence[int] = BATCHES,
        wanted: Callable[[], bool] = lambda: True,
        make: Callable[[RunConfig, int, Any], Any] = lambda config, batch, like: BenchmarkCase(
            config, batch, ROUND_SECONDS, like
        ),
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """`make(config, batch, like)` binds the step to be timed, with the parameters and rows of `like`."""
        _check(entered, seconds, widths, batches)
        self.entries = (entered[0], entered[1])
        self.names = (entered[0].name, entered[1].name)
        self.config = config.of_known_length().resolved()
        assert self.config.threads is not None
        self.threads = (entered[0].threads or self.config.threads, entered[1].threads or self.config.threads)
        self._backends = [get_backend(entry.backend) for entry in self.entries]
        self._budget, self._wanted, self._make, self._clock = seconds, wanted, make, clock
        self._begun: float | None = None
        self._latest: Size | None = None
        self._ledgers: dict[Size, Ledger] = {}
        cells = [self._blank((width, batch)) for width in set(widths) for batch in set(batches)]
        self._cells = {cell.size: cell for cell in _ascending(cells)}

    def run(self, tell: Callable[[SweepProgress], None] = lambda progress: None) -> Crossover:
        """Measure the cells that there is time for; `tell` is called before and after each, and what it raises ends the sweep."""
        devices: list[str] = []
        for backend, threads in zip(self._backends, self.threads, strict=True):
            with backend.threads(threads):
                devices.append(backend.device())
        asked = list(self._cells)
        self._measure_all(asked, FIRST_SHARE * self._budget, tell)
        between = [self._blank(size, in_between=True) for size in self._between()]
        self._cells = {cell.size: cell for cell in _ascending([*self._cells.values(), *between])}
        self._measure_all([cell.size for cell in _ascending(between)], self._budget, tell)
        # Only given sizes may stay blank: unmeasured ones in between are removed.
        self._cells = {size: cell for size, cell in self._cells.items() if cell.winner or not cell.in_between}
        self._measure_all(
            [size for size in asked if not (self._cells[size].winner or self._cells[size].failed)], self._budget, tell
        )
        cells = tuple(self._cells.values())
        found, others = rule(cells, self.names), precision_notes((entry.backend for entry in self.entries), self.config.dtype)
        notes = (*others, *(words for entry in self.entries if (words := warning(entry))))
        return Crossover(
            self.config, self.entries, self.threads, tuple(devices), cells, found, notes, self._budget, self._elapsed
        )  # fmt: skip

    @property
    def _elapsed(self) -> float:
        return 0.0 if self._begun is None else self._clock() - self._begun

    def _progress(self, now: Size | None = None) -> SweepProgress:
        return SweepProgress(tuple(self._cells.values()), now, self._latest, self._elapsed)

    def _blank(self, size: Size, in_between: bool = False) -> Cell:
        width, batch = size
        config = replace(self.config, layers=(width,) * len(self.config.layers), batch_size=batch)
        self._ledgers[size] = count(config)
        return Cell(width, batch, self._ledgers[size].step_total.total, in_between)

    # ── measuring ──

    def _measure_all(self, sizes: Sequence[Size], until: float, tell: Callable[[SweepProgress], None]) -> None:
        for i, size in enumerate(sizes):
            if not self._wanted():
                return
            left, likely = until - self._elapsed, self._likely(size)
            if likely > left and self._begun is not None:
                words = f"its rounds would take {units.duration(likely)}, projected; {units.duration(max(left, 0.0))} left"
                self._cells[size] = replace(self._cells[size], reason=f"left out: {words}")
                continue
            tell(self._progress(size))
            self._cells[size] = self._measured(size, left / (len(sizes) - i))
            self._latest = size
            tell(self._progress())

    def _likely(self, size: Size) -> float:
        """Return the projected seconds of a cell, from both speeds at the nearest measured size."""
        total = 0.0
        done = [cell for cell in self._cells.values() if cell.seconds is not None]
        # The nearest by the number of doublings in width and batch.
        near = min(done, key=lambda cell: sum(abs(math.log2(a / b)) for a, b in zip(cell.size, size, strict=True)), default=None)
        for i, entry in enumerate(self.entries):
            if near is not None and near.seconds is not None:
                step = near.seconds[i] * self._ledgers[size].step_total.total / near.operations
            else:
                step = least_seconds(entry.backend, self._ledgers[size])
            total += max(ROUND_SECONDS, step) * MIN_ROUNDS + step * WARM_UP_STEPS
        return total

    def _measured(self, size: Size, share: float) -> Cell:
        """Return the cell with its figures, or with the reason why there are none."""
        cell, name = self._cells[size], self.names[0]
        try:
            begun = self._clock()
            if self._begun is None and (likely := self._likely(size)) > max(self._budget, 1.0) * 4:
                raise _too_short(self._budget, likely)
            subjects: list[Any] = []
            for entry, backend, threads in zip(self.entries, self._backends, self.threads, strict=True):
                name = entry.name
                config = replace(self._ledgers[size].config, backend=entry.backend, threads=threads)
                with backend.threads(threads):
                    subjects.append(self._make(config, size[1], subjects[0] if subjects else None))
            if self._begun is None:
                least = MIN_ROUNDS * sum(max(ROUND_SECONDS, subject.single) for subject in subjects)
                if least > self._budget:
                    raise _too_short(self._budget, least)
                self._begun = begun = self._clock()
            samples: tuple[list[float], list[float]] = ([], [])
            while len(samples[0]) < MAX_ROUNDS:
                turn, started = len(samples[0]), self._clock()
                for i in (1, 0) if turn % 2 else (0, 1):
                    name = self.names[i]
                    if not self._wanted():
                        return cell
                    with self._backends[i].threads(self.threads[i]):
                        samples[i].append(subjects[i].timed())
                # Another round would take about as long as this one.
                if turn + 1 >= MIN_ROUNDS and 2 * self._clock() - started - begun > share:
                    break
        except ConfigError:
            raise
        except Exception as error:  # an entry that fails in a cell has its reason; the others go on
            return replace(cell, reason=f"{name}: {printable(in_words(error), 300)}", failed=True)
        return replace(cell, **figures(samples, self.names))

    def _between(self) -> list[Size]:
        """Return the sizes halfway between neighbours with different winners.

        If there are none, those halfway in width between a winner and a tie.
        """
        winners = {size: cell.winner for size, cell in self._cells.items() if cell.winner}
        decided = {size: winner for size, winner in winners.items() if winner != TIE}
        return _along(decided, 0) + _along(decided, 1) or _along(winners, 0)


def _check(entered: Sequence[BackendEntry], seconds: float, widths: Sequence[int], batches: Sequence[int]) -> None:
    mistakes: list[Mistake] = []
    if len(entered) != 2:
        names = ",".join(entry.name for entry in entered)
        mistakes.append(Mistake("backends", names, "name exactly two, such as numpy,scalar or numpy@1,numpy@2"))
    if not (math.isfinite(seconds) and seconds > 0):
        mistakes.append(Mistake("seconds", seconds, "a number of seconds above 0"))
    for field, sizes in (("widths", widths), ("batches", batches)):
        if not sizes or min(sizes) < 1:
            mistakes.append(Mistake(field, ",".join(map(str, sizes)), "whole numbers from 1 on, such as 8,64,512"))
    if mistakes:
        raise ConfigError(mistakes)


def _too_short(budget: float, least: float) -> ConfigError:
    words = f"too short for the rounds of the smallest cell, which take about {units.duration(least)}"
    return ConfigError([Mistake("seconds", f"{budget:g}", words)])


def _ascending(cells: Sequence[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (cell.operations, cell.size))


def _along(winners: Mapping[Size, str], axis: int) -> list[Size]:
    """Return the sizes halfway between neighbours along the widths (0) or the batches (1) that have different winners.

    Halfway is by ratio if they differ by more than a factor of two.
    """
    steps = dict(pairwise(sorted({size[axis] for size in winners})))
    found: list[Size] = []
    for size in sorted(winners):
        a, b = size[axis], steps.get(size[axis], 0)
        middle = (a + b) // 2 if b <= 2 * a else round(math.sqrt(a * b))
        if winners.get(_with(size, axis, b), winners[size]) != winners[size] and a < middle < b:
            found.append(_with(size, axis, middle))
    return found


def _with(size: Size, axis: int, value: int) -> Size:
    return (value, size[1]) if axis == 0 else (size[0], value)
