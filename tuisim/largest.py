"""The largest whole number that fits, where more of it takes more, but for small dips.

Few numbers are tried: each trial may be as dear as the prediction of a whole run. It does not know what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

Load = Callable[[int], float]
"""What a number takes over what there is: it fits where this is at most 1."""

BISECT_EVERY = 4
"""Of so many trials one is in the middle, whatever the others make one expect."""
ROUNDS = 8
"""Dips that are followed, at most."""
FINEST = 1e-13
"""Of a number, so small a share that floats hardly tell the loads at both ends from each other: only halving helps there."""
LEAST_LOAD, MOST_LOAD = 1e-300, 1e300


def largest(load: Load, least: int, most: int, start: int) -> int | None:
    """A number from `least` to `most` that fits while the next one does not; none where `least` does not fit either.

    Where more always takes more it is the largest there is. `start` is where to look first.
    """
    if load(most) <= 1:
        return most
    start = min(max(start, least), most - 1)
    if start >= least and load(start) <= 1:
        return _between(load, start, most)
    if least >= most or load(least) > 1:
        return None
    return _between(load, least, max(start, least + 1))


def beyond(load: Load, found: int, most: int, ahead: Callable[[int], Iterable[int]]) -> int:
    """A larger number that fits where there is one among those `ahead` of what was found: past a dip, as far as it goes."""
    for _ in range(ROUNDS):
        better = [number for number in ahead(found) if found < number <= most and load(number) <= 1]
        if not better:
            return found
        further = largest(load, max(better), most, max(better))
        found = max(better) if further is None else further
    return found


def _between(load: Load, low: int, high: int) -> int:
    """`low` fits and `high` does not: narrowed to neighbours, by the straight line between both and by halving in turn."""
    heights = [_height(load(low)), _height(load(high))]
    trial, side = 0, 0
    while high - low > 1:
        trial += 1
        halve = trial % BISECT_EVERY == 0 or high - low < low * FINEST
        middle = _halfway(low, high) if halve else _crossing(low, high, *heights)
        found = load(middle)
        fits = found <= 1
        # An end that stays in its place twice counts for half, or the line would creep to the other one (Illinois).
        if side == (1 if fits else -1):
            heights[fits] /= 2
        side = 1 if fits else -1
        heights[not fits] = _height(found)
        low, high = (middle, high) if fits else (low, middle)
    return low


def _height(load: float) -> float:
    """Above 0 where it does not fit; never infinite."""
    return math.log(min(max(load, LEAST_LOAD), MOST_LOAD))


def _crossing(low: int, high: int, below: float, above: float) -> int:
    """Where the straight line through both ends crosses 0: by ratios where they are far apart, else by differences."""
    share = -below / (above - below) if above > below else 0.5
    if high > 2 * low:
        return _inside(low, high, math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
    return min(max(low + int((high - low) * share), low + 1), high - 1)


def _halfway(low: int, high: int) -> int:
    return _inside(low, high, math.sqrt(low) * math.sqrt(high)) if high > 4 * low else (low + high) // 2


def _inside(low: int, high: int, number: float) -> int:
    return min(max(int(number), low + 1), high - 1)
