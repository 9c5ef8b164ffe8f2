"""Step times of several subjects on one card, in turn, each round so many steps that waiting at its end does not count.

It compares what they computed before it times them; who they are is not its concern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.engine.step_time import spread
from tuisim.features.compare.bench.cases import Case, Subject, flat

ROUND_SECONDS = 0.1
ROUNDS = 9
FEW_STEPS = 5
"""After so many, parameters are compared with the reference's."""


def timed(case: Case, field: Mapping[str, Callable[[Case], Subject]], reference: str) -> list[dict[str, Any]]:
    """A row for each: µs a step with its spread, and how far its parameters are from the reference's, over their way."""
    subjects: dict[str, Subject] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, make in field.items():
        row: dict[str, Any] = {"subject": name}
        rows[name] = row
        try:
            begun = perf_counter()
            subject = make(case)
            subject.steps(FEW_STEPS)
            row["set_up_seconds"] = perf_counter() - begun
            row["relative_difference"] = _difference(subject, subjects.get(reference, subject), case)
            subjects[name] = subject
        except Exception as error:  # whoever cannot is a row with the reason
            row["reason"] = f"{type(error).__name__}: {error}"[:300]
    times = _rounds(subjects)
    for name, seconds in times.items():
        rows[name] |= {"microseconds_per_step": median(seconds) * 1e6, "spread": spread(seconds) * 1e6, "rounds": len(seconds)}
    own = rows[reference].get("microseconds_per_step")
    for row in rows.values():
        theirs = row.get("microseconds_per_step")
        row["times_the_reference"] = theirs / own if own and theirs else None
    return list(rows.values())


def _difference(subject: Subject, reference: Subject, case: Case) -> float | None:
    theirs, ours = subject.read(), reference.read()
    if theirs is None or ours is None:
        return None
    return float(np.abs(theirs - ours).max() / np.abs(ours - flat(case.parameters)).max())


def _rounds(subjects: Mapping[str, Subject]) -> dict[str, list[float]]:
    steps = {name: _many(subject) for name, subject in subjects.items()}
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(ROUNDS):
        for name in subjects if number % 2 else reversed(subjects):
            begun = perf_counter()
            subjects[name].steps(steps[name])
            times[name].append((perf_counter() - begun) / steps[name])
    return times


def _many(subject: Subject) -> int:
    """Steps for about one round, after as many to warm up."""
    steps = 1
    while True:
        begun = perf_counter()
        subject.steps(steps)
        seconds = perf_counter() - begun
        if seconds >= ROUND_SECONDS / 2:
            return max(1, round(steps * ROUND_SECONDS / seconds))
        steps *= 4
