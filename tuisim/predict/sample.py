"""What the operations of one network's step took on this machine, undisturbed or made as if it had been.

It does not know what the figures are fitted by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import ClockError
from tuisim.measure.machine_speed import QUIET, Slowdown, SpeedMeter, SpeedSample
from tuisim.program import StepProgram

TURN_SECONDS = 0.004
"""The step is measured in short turns, split and unsplit, with a look at the machine before and after each."""
LEAST_STEPS, MOST_STEPS = 2, 160
ENOUGH, TURNS = 3, 6
"""Turns in which nothing disturbed the machine, and how many are tried for them."""
QUARTER = 0.25
KEPT = 0.75
"""Of a turn's steps, the quickest ones."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One network's step: seconds of each operation of the program, and of the step unsplit."""

    program: StepProgram
    operations: tuple[float, ...]
    step: float
    beat: SpeedSample
    """Of the machine meanwhile."""

    def undisturbed(self, slowed: Slowdown, calls: Sequence[float], all_calls: float) -> Sample:
        """What it would have been on a machine not so slowed; `calls`: calling's share of each operation, and of all."""
        operations = zip(self.operations, calls, strict=True)
        times = tuple(_undisturbed(seconds, share, slowed) for seconds, share in operations)
        beat = SpeedSample(self.beat.calls / slowed.calls, self.beat.work / slowed.work)
        return Sample(self.program, times, _undisturbed(self.step, all_calls, slowed), beat)


def _undisturbed(seconds: float, calls: float, slowed: Slowdown) -> float:
    """`calls` is their share at the machine's best."""
    return seconds / (calls * slowed.calls + (1 - calls) * slowed.work)


def measure(subject: BenchmarkCase, meter: SpeedMeter) -> Sample:
    """Measure one network. Raises RunError where its loss is no number, ClockError.

    Of the turns the undisturbed ones count; where there was none, the least disturbed.
    """
    turns: list[_Turn] = []
    before = meter.read()
    while len(turns) < TURNS and sum(turn.quiet(meter.best) for turn in turns) < ENOUGH:
        steps, whole = _turn(subject)
        after = meter.read()
        turns.append(_Turn(steps, whole, before, after))
        before = after
    quiet = [turn for turn in turns if turn.quiet(meter.best)]
    chosen = quiet or sorted(turns, key=lambda turn: turn.beat.calls)[:ENOUGH]
    operations = tuple(np.quantile([turn.operations for turn in chosen], QUARTER, axis=0).tolist())
    if min(operations) < 0 or not max(operations) > 0:
        raise ClockError
    return Sample(
        subject.program,
        operations,
        float(np.quantile([turn.whole for turn in chosen], QUARTER)),
        SpeedSample(fmean(turn.beat.calls for turn in chosen), fmean(turn.beat.work for turn in chosen)),
    )


@dataclass(frozen=True, slots=True)
class _Turn:
    steps: list[list[float]]
    """Seconds of each operation, step by step."""
    whole: float
    """Of an unsplit one."""
    before: SpeedSample
    after: SpeedSample

    @property
    def beat(self) -> SpeedSample:
        return SpeedSample((self.before.calls + self.after.calls) / 2, (self.before.work + self.after.work) / 2)

    def quiet(self, best: SpeedSample) -> bool:
        """By the worse of both: what is between them was hardly quicker than that."""
        return max(self.before.over(best).most, self.after.over(best).most) <= QUIET

    @property
    def operations(self) -> NDArray[np.float64]:
        """Mean seconds of each. A clock may tick more seldom than an operation takes, and then only a mean says how long."""
        steps = np.array(self.steps)
        kept = np.argsort(steps.sum(axis=1))[: max(1, round(KEPT * len(steps)))]
        found: NDArray[np.float64] = steps[kept].mean(axis=0)
        return found


def _turn(subject: BenchmarkCase) -> tuple[list[list[float]], float]:
    until, steps = perf_counter() + TURN_SECONDS, list[list[float]]()
    while len(steps) < LEAST_STEPS or (perf_counter() < until and len(steps) < MOST_STEPS):
        steps.append(subject.by_operation())
    return steps, subject.timed()  # by now all of it is in the caches again
