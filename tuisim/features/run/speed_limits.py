"""What the keys of the run screen step along: paces, and learning rates of the 1-2-5 series.

It knows no run; it answers what comes next.
"""

from __future__ import annotations

import math

PACES: tuple[float | None, ...] = (0.0, 1.0, 10.0, 100.0, None)
"""Steps per second, slowest first; 0 is a step at a time, none is full speed."""
LOWEST_RATE, HIGHEST_RATE = 1e-9, 1e9


def pace_words(pace: float | None) -> str:
    """A pace as people say it."""
    if pace is None:
        return "full speed"
    if pace == 0:
        return "single steps"
    return f"{pace:g} step/s" if pace == 1 else f"{pace:g} steps/s"


def next_pace(pace: float | None, direction: int) -> float | None:
    """The pace one rung faster (+1) or slower (-1); the ends stay."""
    speed = math.inf if pace is None else pace
    rungs = [math.inf if rung is None else rung for rung in PACES]
    if direction > 0:
        found = next((rung for rung in rungs if rung > speed), rungs[-1])
    else:
        found = next((rung for rung in reversed(rungs) if rung < speed), rungs[0])
    return None if math.isinf(found) else found


def next_rate(rate: float, direction: int) -> float:
    """The next learning rate of 1, 2, 5 × 10ⁿ above (+1) or below (-1) `rate`."""
    exponent = math.floor(math.log10(rate)) if rate > 0 else round(math.log10(LOWEST_RATE))
    rungs = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    tolerance = 1e-6 * rate
    if direction > 0:
        found = next(rung for rung in rungs if rung > rate + tolerance)
    else:
        found = next(rung for rung in reversed(rungs) if rung < rate - tolerance)
    return min(max(found, LOWEST_RATE), HIGHEST_RATE)
