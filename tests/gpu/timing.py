"""Time the steps of several subjects on one GPU in turn, after comparing what they compute.

A round has so many steps that the wait for the GPU at its end does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.engine.step_time import spread
from tuisim.features.compare.bench.cases import Case, Implementation, flat

ROUND_SECONDS = 0.1
ROUNDS = 9
COMPARED_STEPS = 5
"""Steps after which the parameters are compared with the reference's."""


def timed(case: Case, subjects: Mapping[str, Callable[[Case], Implementation]], reference: str) -> list[dict[str, Any]]:
    """Return a row for each subject: µs per step with the spread, and the difference of its parameters from the reference's.

    The difference is relative to how far the reference's parameters have moved.
    """
    ready: dict[str, Implementation] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, make in subjects.items():
        row: dict[str, Any] = {"subject": name}
        rows[name] = row
        try:
            start = perf_counter()
            subject = make(case)
            subject.steps(COMPARED_STEPS)
            row["set_up_seconds"] = perf_counter() - start
            row["relative_difference"] = _difference(subject, ready.get(reference, subject), case)
            ready[name] = subject
        except Exception as error:  # a subject that fails is a row with the reason
            row["reason"] = f"{type(error).__name__}: {error}"[:300]
    times = _rounds(ready)
    for name, seconds in times.items():
        rows[name] |= {"microseconds_per_step": median(seconds) * 1e6, "spread": spread(seconds) * 1e6, "rounds": len(seconds)}
    own = rows[reference].get("microseconds_per_step")
    for row in rows.values():
        theirs = row.get("microseconds_per_step")
        row["times_the_reference"] = theirs / own if own and theirs else None
    return list(rows.values())


def _difference(subject: Implementation, reference: Implementation, case: Case) -> float | None:
    theirs, ours = subject.read(), reference.read()
    if theirs is None or ours is None:
        return None
    return float(np.abs(theirs - ours).max() / np.abs(ours - flat(case.parameters)).max())


def _rounds(subjects: Mapping[str, Implementation]) -> dict[str, list[float]]:
    steps = {name: _steps_per_round(subject) for name, subject in subjects.items()}
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(ROUNDS):
        for name in subjects if number % 2 else reversed(subjects):
            start = perf_counter()
            subjects[name].steps(steps[name])
            times[name].append((perf_counter() - start) / steps[name])
    return times


def _steps_per_round(subject: Implementation) -> int:
    """Return the number of steps that take about ROUND_SECONDS, after warming up with about as many."""
    steps = 1
    while True:
        start = perf_counter()
        subject.steps(steps)
        seconds = perf_counter() - start
        if seconds >= ROUND_SECONDS / 2:
            return max(1, round(steps * ROUND_SECONDS / seconds))
        steps *= 4
