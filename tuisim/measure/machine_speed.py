"""The speed of this machine right now: a little fixed work, timed repeatedly.

Other programs on a shared core, or heat, slow a processor for seconds or minutes. `tuisim score` reports how much the speed
varied while it ran, because predictions are as uncertain as that.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from tuisim.backends.numpy.blas import thread_limit
from tuisim.errors import ClockError

SIDE, ELEMENTS = 64, 8_192
"""Size of a matrix product and of an array that stay in a core's own cache."""
PRODUCTS, PASSES, CALLS = 4, 8, 60
"""Timed at once: products and passes over the array; calls on thirty numbers."""
WARMUP, REPEATS = 3, 7
"""A sample is the median of the repeats; the warm-up brings the data back into the caches."""


class SpeedMeter:
    """The fixed work, and the samples so far."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._a = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
        self._long = rng.standard_normal(ELEMENTS).astype(np.float32)
        self._out, self._row, self._product = np.empty_like(self._a), self._a[0, :30].copy(), np.empty_like(self._long)
        self._sum = np.empty_like(self._row)
        self.samples: list[tuple[float, float]] = []
        """Seconds of the calls on small arrays, and of the multiplications and additions in cache."""

    def read(self) -> None:
        """Take one more sample in about two milliseconds, on one thread. Raises ClockError."""
        with thread_limit.hold(1):
            self.samples.append((_seconds(self._calls), _seconds(self._work)))

    @property
    def spread(self) -> float:
        """The larger relative spread of calls and work: the range of the middle 80 % of the samples over their median."""
        low, middle, high = np.quantile(self.samples, (0.1, 0.5, 0.9), axis=0)
        return float(((high - low) / middle).max())

    def _calls(self) -> None:
        row, total = self._row, self._sum
        for _ in range(CALLS):
            np.add(row, row, total)

    def _work(self) -> None:
        a, out, values, product = self._a, self._out, self._long, self._product
        for _ in range(PRODUCTS):
            np.dot(a, a, out)
        for _ in range(PASSES):
            np.multiply(values, values, product)


def _seconds(call: Callable[[], None]) -> float:
    for _ in range(WARMUP):
        call()
    taken = []
    for _ in range(REPEATS):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    found = median(taken)
    if not found > 0:
        raise ClockError
    return found
