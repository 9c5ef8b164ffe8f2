"""A watch on the cores: if other processes need those that the run's threads use, fewer threads are timed.

The threads of a product wait for each other and OpenBLAS's spin meanwhile, so that one that has lost its core holds up all.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.engine.health.reading import ThreadTrial
from tuisim.errors import TuisimError
from tuisim.threads import usable_cores

CHECK_SECONDS = 0.4
"""Seconds between two checks of the cores; a check takes a tenth of a millisecond."""
TRIAL_SECONDS = 60.0
"""Minimum seconds between two trials."""
ROUND_SECONDS = 0.01
"""A trial works about so long after its first two steps."""
MAX_PARAMETERS = 2_000_000
"""Parameters of a network beyond which drawing a second one takes longer than a trial may."""
SHORT_OF = 0.3
"""Cores that may be missing before a trial is made: the share of a core that is in use at any time."""
THREADED = ("numpy", "numba")


@dataclass(frozen=True, slots=True)
class CoreUse:
    """Processor seconds so far."""

    wall: float
    own: float
    """Of this process, over all its threads."""
    all: float
    """Of all processes on all cores."""


def core_use() -> CoreUse | None:
    """Return the processor seconds so far; None without psutil."""
    try:
        import psutil
    except ImportError:
        return None
    times, own = psutil.cpu_times(), os.times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # A guest's time is in `user` as well.
    twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return CoreUse(perf_counter(), own.user + own.system, sum(times) - twice - idle)


def step_seconds(config: RunConfig, batch: int, threads: int) -> float:
    """Return the seconds of a step of `config` with so many threads, on a network and rows of its own."""
    with get_backend(config.backend).threads(threads):
        return BenchmarkCase(config.of_known_length(), batch, ROUND_SECONDS).timed()


class ThreadWatch:
    """Checks the cores of one run at intervals, and times fewer threads if there are too few of them; `watch` begins it."""

    def __init__(
        self,
        config: RunConfig,
        batch: int,
        use: Callable[[], CoreUse | None] = core_use,
        time: Callable[[RunConfig, int, int], float] = step_seconds,
    ) -> None:
        """`use` returns the processor seconds so far, `time` the seconds of a step with a number of threads."""
        self.threads = 1
        self._config, self._batch, self._use, self._time = config, batch, use, time
        self._can = config.backend in THREADED and config.parameter_count <= MAX_PARAMETERS
        self._before: CoreUse | None = None
        self._steps, self._seconds = 0, 0.0
        self._check_at = CHECK_SECONDS
        self._trial_at = 0.0

    def watch(self, threads: int, steps: int, seconds: float) -> None:
        """Watch so many threads, from these totals of the run on."""
        self.threads = threads
        self._trial_at = 0.0
        self._start_interval(steps, seconds)

    def _start_interval(self, steps: int, seconds: float) -> None:
        self._before = self._use() if self.is_active else None
        self._steps, self._seconds = steps, seconds

    @property
    def is_active(self) -> bool:
        """True if there may be fewer threads."""
        return self._can and self.threads > 1

    def is_due(self, now: float) -> bool:
        """Return True if the cores are to be checked, `now` seconds into the run."""
        return now >= self._check_at and self.is_active

    def check(self, now: float, steps: int, seconds: float) -> ThreadTrial | None:
        """Return a trial if other processes use cores of this run's threads; None if they do not, or one was made lately.

        `now` is in seconds since the start of the run; `steps` and `seconds` are the run's totals. The load and the step rate
        are those since the last check.
        """
        self._check_at = now + CHECK_SECONDS
        before, steps_before, seconds_before = self._before, self._steps, self._seconds
        self._start_interval(steps, seconds)
        after = self._before
        if before is None or after is None or now < self._trial_at or after.wall <= before.wall or seconds <= seconds_before:
            return None
        busy = ((after.all - before.all) - (after.own - before.own)) / (after.wall - before.wall)
        cores = usable_cores()
        # The load of cores that this process may not use does not matter; how much of it is there is not known.
        busy *= cores / max(cores, os.cpu_count() or 1)
        if busy + self.threads <= cores + SHORT_OF:
            return None
        self._trial_at = now + TRIAL_SECONDS
        fewer = max(1, min(self.threads - 1, math.floor(cores - busy + 0.5)))
        try:
            fewer_seconds = self._time(self._config, self._batch, fewer)
        except TuisimError:  # no memory for a second network: then there is no trial
            return None
        steps_per_second = (steps - steps_before) / (seconds - seconds_before)
        return ThreadTrial(self.threads, steps_per_second, fewer, 1 / fewer_seconds, busy)
