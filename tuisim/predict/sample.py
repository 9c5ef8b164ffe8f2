"""What the operations of one network's step took on this machine, undisturbed or made as if it had been.

It does not know what the figures are fitted by.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tuisim.engine.subject import Subject
from tuisim.measure.pulse import QUIET, Pulse
from tuisim.program import StepProgram

TURN_SECONDS = 0.012
"""The step is measured in turns of about so long, with a look at the machine before and after each."""
LEAST_STEPS, MOST_STEPS = 3, 80
ROUNDS = 3
"""Of unsplit steps, on either side of those that are timed operation by operation."""
QUARTER = 0.25
TURNS = 6
"""Tries to find the machine undisturbed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One network's step: seconds of each operation of the program, and of the step unsplit."""

    program: StepProgram
    operations: tuple[float, ...]
    step: float
    beat: float
    """Seconds of fixed work just before and after: how fast the machine was."""

    def at(self, pulse: float) -> Sample:
        """What it would have been with the machine at this beat."""
        faster = pulse / self.beat
        return Sample(self.program, tuple(seconds * faster for seconds in self.operations), self.step * faster, pulse)


def measure(subject: Subject, pulse: Pulse) -> Sample:
    """Measure one network. Raises RunError where its loss is no number."""
    best: Sample | None = None
    for _ in range(TURNS):
        before = pulse.read()
        operations, step = _turn(subject)
        beat = (before + pulse.read()) / 2
        if best is None or beat < best.beat:
            best = Sample(subject.program, tuple(operations), step, beat)
        if beat <= QUIET * pulse.best:
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
