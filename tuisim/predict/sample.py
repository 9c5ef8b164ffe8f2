"""One calibration sample: the seconds of each operation of a network's step, measured in short turns."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import ClockError
from tuisim.program import StepProgram

TURNS, TURN_SECONDS = 4, 0.004
"""The step is measured in this many turns, operation by operation and then whole."""
MIN_STEPS, MAX_STEPS = 2, 160
"""Steps of a turn that are measured by operation."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The measured step of one network."""

    program: StepProgram
    operations: tuple[float, ...]
    """Seconds of each operation of the program."""
    step: float
    """Seconds of a step that is not interrupted between its operations."""


def measure(case: BenchmarkCase) -> Sample:
    """Measure one network. Raises RunError if its loss is not finite, ClockError if the clock cannot tell."""
    turns, wholes = [], []
    for _ in range(TURNS):
        turns.append(_by_operation(case))
        wholes.append(case.timed())  # by now the whole step is in the caches again
    operations = tuple(np.median(turns, axis=0).tolist())
    if min(operations) < 0 or not max(operations) > 0:
        raise ClockError
    return Sample(case.program, operations, float(np.median(wholes)))


def _by_operation(case: BenchmarkCase) -> list[float]:
    """Return the mean seconds of each operation: not the median, since a clock may tick less often than an operation takes."""
    until, steps = perf_counter() + TURN_SECONDS, list[list[float]]()
    while len(steps) < MIN_STEPS or (perf_counter() < until and len(steps) < MAX_STEPS):
        steps.append(case.by_operation())
    mean: list[float] = np.mean(steps, axis=0).tolist()
    return mean
