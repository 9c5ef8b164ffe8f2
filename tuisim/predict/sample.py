"""What the operations of one network's step took on this machine, undisturbed or made as if it had been.

It does not know what the figures are fitted by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tuisim.engine.subject import Subject
from tuisim.measure.pulse import QUIET, Beat, Pulse, Slowed
from tuisim.program import StepProgram

TURN_SECONDS = 0.012
"""The step is measured in turns of about so long, with a look at the machine before and after each."""
LEAST_STEPS, MOST_STEPS = 3, 80
ROUNDS = 3
"""Of unsplit steps, on either side of those that are timed operation by operation."""
QUARTER = 0.25
TURNS = 3
"""Tries to find the machine undisturbed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One network's step: seconds of each operation of the program, and of the step unsplit."""

    program: StepProgram
    operations: tuple[float, ...]
    step: float
    beat: Beat
    """Of the machine just before and after, the mean of both."""

    def at(self, best: Beat, calls: Sequence[float], all_calls: float) -> Sample:
        """What it would have been at the machine's best; `calls`: the share of each operation that is calling it, and of all."""
        slowed = self.beat.over(best)
        operations = zip(self.operations, calls, strict=True)
        undisturbed = tuple(_undisturbed(seconds, share, slowed) for seconds, share in operations)
        return Sample(self.program, undisturbed, _undisturbed(self.step, all_calls, slowed), best)


def _undisturbed(seconds: float, calls: float, slowed: Slowed) -> float:
    """`calls` is their share at the machine's best."""
    return seconds / (calls * slowed.calls + (1 - calls) * slowed.work)


def measure(subject: Subject, pulse: Pulse) -> Sample:
    """Measure one network. Raises RunError where its loss is no number."""
    best: Sample | None = None
    for _ in range(TURNS):
        before = pulse.read()
        operations, step = _turn(subject)
        after = pulse.read()
        beat = Beat((before.calls + after.calls) / 2, (before.work + after.work) / 2)
        if best is None or beat.calls < best.beat.calls:
            best = Sample(subject.program, tuple(operations), step, beat)
        if beat.over(pulse.best).most <= QUIET:
            break
    assert best is not None
    return best


def _turn(subject: Subject) -> tuple[list[float], float]:
    """Seconds of each operation and of the unsplit step: the lower quarter of some steps, since what disturbs only adds."""
    whole = [subject.timed() for _ in range(ROUNDS)]
    until, steps = perf_counter() + TURN_SECONDS, list[list[float]]()
    while len(steps) < LEAST_STEPS or (perf_counter() < until and len(steps) < MOST_STEPS):
        steps.append(subject.by_operation())
    whole += [subject.timed() for _ in range(ROUNDS)]
    return np.quantile(steps, QUARTER, axis=0).tolist(), float(np.quantile(whole, QUARTER))
