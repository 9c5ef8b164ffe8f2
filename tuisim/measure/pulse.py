"""How fast this machine is at the moment, against its best: a little fixed work, timed again and again.

A processor that is shared, or has grown hot, takes twice as long for seconds or minutes; what is measured then says more of
its neighbours than of the code. It does not know what else is measured.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter

import numpy as np

SIDE = 64
"""Of a matrix product that stays in a core's own cache."""
PRODUCTS, CALLS = 4, 60
"""A beat is so many products and so many calls on thirty numbers: arithmetic and the interpreter, about half of each."""
WARMING, BEATS = 3, 7
"""A reading is the median of so many beats, after some that fetch the work back into the caches."""
QUIET = 1.15
"""A reading of at most so many times the best one was undisturbed."""


class Pulse:
    """The same work each time, and what it has taken so far."""

    def __init__(self, best: float = float("inf")) -> None:
        """`best`: seconds of a beat at the machine's best, where that was found out before."""
        rng = np.random.default_rng(0)
        self._a = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
        self._out, self._row = np.empty_like(self._a), self._a[0, :30].copy()
        self._sum = np.empty_like(self._row)
        self.readings: list[float] = []
        """Seconds of a beat, each the median of some."""
        self._known = best
        for _ in range(5):
            self.read()

    def _beat(self) -> float:
        a, out, row, total = self._a, self._out, self._row, self._sum
        start = perf_counter()
        for _ in range(PRODUCTS):
            np.dot(a, a, out)
        for _ in range(CALLS):
            np.add(row, row, total)
        return perf_counter() - start

    def read(self) -> float:
        """One more reading, in about half a millisecond: seconds of a beat."""
        for _ in range(WARMING):
            self._beat()
        self.readings.append(median(self._beat() for _ in range(BEATS)))
        return self.readings[-1]

    @property
    def best(self) -> float:
        """The least of the readings, but for the lowest twentieth, where a clock may have erred."""
        return min(self._known, sorted(self.readings)[len(self.readings) // 20])

    def quiet(self) -> bool:
        """Whether the machine is undisturbed now."""
        return self.read() <= QUIET * self.best


def slowdown(best: float, readings: int = 25) -> float:
    """How many times as long as at its best this machine takes just now: the median of some readings, 15 ms in all.

    `best` is the seconds of a beat at the machine's best. Below 1 where the machine is quicker now than it ever was seen.
    """
    pulse = Pulse()
    return median(pulse.read() for _ in range(readings)) / best
