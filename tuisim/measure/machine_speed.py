"""How fast this machine is at the moment, against its best: a little fixed work, timed again and again.

A processor whose core is shared, or that has grown hot, is slower for seconds or minutes, and the interpreter then slows more
than arithmetic does: both are told apart. What is measured otherwise says more of its neighbours than of the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter, sleep

import numpy as np

from tuisim.backends.numpy.blas import thread_limit
from tuisim.errors import ClockError

SIDE, ELEMENTS = 64, 8_192
"""Of a matrix product and of an array that stay in a core's own cache."""
PRODUCTS, PASSES, CALLS = 4, 8, 60
"""A beat of work is so many products and passes over the array; one of calls, so many calls on thirty numbers."""
HEAVY, HEAVIES = 192, 4
"""Of products before each reading. Some processors lower their clock for a while after wide vector instructions, here by 1.3:
whatever ran before, the beats come after such, as they do between steps.
"""
WARMING, BEATS = 3, 7
"""A reading is the median of so many beats, after some that fetch the work back into the caches."""
QUIET = 1.15
"""A reading of at most so many times the best one was undisturbed."""
LOOK_SECONDS, READINGS = 0.2, 12
"""What disturbs a shared machine comes and goes, so one moment says little of the next.

On two virtual cores the logarithm of a beat has a correlation of 0.84 with that of 10 ms later, 0.6 with that of 0.1 to 0.3 s
later and none with that of a second later.
"""


@dataclass(frozen=True, slots=True)
class SpeedSample:
    """Seconds of the same little work, each time it is looked at."""

    calls: float
    """Handing small arrays to NumPy: the interpreter's share of a step."""
    work: float
    """Multiplying and adding, all of it in cache."""

    def over(self, best: SpeedSample) -> Slowdown:
        """How much longer than `best`."""
        return Slowdown(self.calls / best.calls, self.work / best.work)

    def better(self, other: SpeedSample) -> SpeedSample:
        """The better of both, one by one."""
        return SpeedSample(min(self.calls, other.calls), min(self.work, other.work))


UNKNOWN = SpeedSample(float("inf"), float("inf"))
"""Before the machine was looked at: any beat is better."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """How many times as long as at its best a machine takes: for calls, and for what they do."""

    calls: float = 1.0
    work: float = 1.0

    @property
    def most(self) -> float:
        return max(self.calls, self.work)


@dataclass(frozen=True, slots=True)
class Contention:
    """How a machine fared while it was looked at for some seconds, against one beat."""

    mean: Slowdown = Slowdown()
    low: Slowdown = Slowdown()
    """A twentieth of the time it was less slowed than this."""
    high: Slowdown = Slowdown()
    """A twentieth of the time it was more slowed than this."""


class SpeedMeter:
    """The same work each time, and what it has taken so far."""

    def __init__(self, best: SpeedSample = UNKNOWN) -> None:
        """`best`: at the machine's best, where that was found out before."""
        rng = np.random.default_rng(0)
        self._a = rng.standard_normal((SIDE, SIDE)).astype(np.float32)
        self._long = rng.standard_normal(ELEMENTS).astype(np.float32)
        self._out, self._row, self._product = np.empty_like(self._a), self._a[0, :30].copy(), np.empty_like(self._long)
        self._sum = np.empty_like(self._row)
        self._heavy = rng.standard_normal((HEAVY, HEAVY)).astype(np.float32)
        self._heavy_out = np.empty_like(self._heavy)
        self._known = best
        self.readings: list[SpeedSample] = []
        for _ in range(5):
            self.read()

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

    def read(self) -> SpeedSample:
        """One more reading, in two milliseconds, on one thread whatever limit is in force."""
        with thread_limit.hold(1):
            for _ in range(HEAVIES):
                np.dot(self._heavy, self._heavy, self._heavy_out)
            self.readings.append(SpeedSample(_seconds(self._calls), _seconds(self._work)))
        return self.readings[-1]

    @property
    def best(self) -> SpeedSample:
        """The least of the readings, but for the lowest twentieth, where a clock may have erred."""
        place = len(self.readings) // 20
        calls, work = (sorted(values)[place] for values in zip(*((one.calls, one.work) for one in self.readings), strict=True))
        return self._known.better(SpeedSample(calls, work))

    def contention(self, than: SpeedSample) -> Contention:
        """Of all readings so far, against that beat."""
        calls, work = (sorted(values) for values in zip(*((one.calls, one.work) for one in self.readings), strict=True))
        last = len(calls) - 1

        def at(share: float) -> Slowdown:
            place = round(share * last)
            return SpeedSample(calls[place], work[place]).over(than)

        return Contention(SpeedSample(fmean(calls), fmean(work)).over(than), at(0.05), at(0.95))


def _seconds(call: Callable[[], None]) -> float:
    for _ in range(WARMING):
        call()
    taken = []
    for _ in range(BEATS):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    found = median(taken)
    if not found > 0:
        raise ClockError
    return found


def measure_slowdown(best: SpeedSample, seconds: float = LOOK_SECONDS, readings: int = READINGS) -> Slowdown:
    """How slowed this machine is: the mean of some readings over so many seconds, or one after another for 0.

    Below 1 where it is quicker than it ever was seen. Raises ClockError.
    """
    meter = SpeedMeter()
    taken: list[SpeedSample] = []
    for _ in range(readings):
        taken.append(meter.read())
        sleep(seconds / readings)
    return SpeedSample(fmean(one.calls for one in taken), fmean(one.work for one in taken)).over(best)
