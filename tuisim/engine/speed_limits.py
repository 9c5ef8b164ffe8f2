"""The speed limits and learning rates that the keys of the run pages step through."""

from __future__ import annotations

import math

SPEED_LIMITS: tuple[float | None, ...] = (0.0, 1.0, 10.0, 100.0, None)
"""Steps per second, slowest first; 0 is single steps, None is full speed."""
MIN_RATE, MAX_RATE = 1e-9, 1e9


def speed_limit_text(limit: float | None) -> str:
    """Return a speed limit in words."""
    if limit is None:
        return "full speed"
    if limit == 0:
        return "single steps"
    return f"{limit:g} step/s" if limit == 1 else f"{limit:g} steps/s"


def next_speed_limit(limit: float | None, direction: int) -> float | None:
    """Return the next faster (+1) or slower (-1) speed limit; the ends stay."""
    return SPEED_LIMITS[min(max(SPEED_LIMITS.index(limit) + direction, 0), len(SPEED_LIMITS) - 1)]


def next_rate(rate: float, direction: int) -> float:
    """Return the next learning rate of 1, 2, 5 × 10ⁿ above (+1) or below (-1) `rate`."""
    exponent = math.floor(math.log10(rate)) if rate > 0 else round(math.log10(MIN_RATE))
    steps = [float(f"{m}e{e}") for e in range(exponent - 1, exponent + 2) for m in (1, 2, 5)]
    found = next(step for step in steps[::direction] if (step - rate) * direction > 1e-6 * rate)
    return min(max(found, MIN_RATE), MAX_RATE)
