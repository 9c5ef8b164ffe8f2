"""Cores and threads of this process. The threads that it may start are counted before NumPy is imported.

If there are too few, OpenBLAS prints twelve lines and ends the process, or waits for threads that never start.
"""

from __future__ import annotations

import math
import os
from functools import cache
from threading import Event, Thread

from tuisim.errors import RunError

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that the BLAS libraries read when they are loaded."""
_MAX_BLAS = 64
"""The most threads that NumPy's OpenBLAS starts."""

allowed: int | None = None
"""The most threads that BLAS may have in this process; None if it may have one per core."""


def usable_cores() -> int:
    """Return the number of cores that this process may run on (its affinity, where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def busy_cores() -> float:
    """Return the cores that other processes used when this was first asked: a number chosen by it stays what it is.

    The smaller of the load average of the last minute and, where `/proc` tells it, the threads that can run now: neither a
    program that ended half a minute ago nor one that runs for a moment counts. Without a load average psutil tells it.
    """
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            words = file.read().split()
        return min(float(words[0]), max(0, int(words[3].partition("/")[0]) - 1))
    except (OSError, ValueError, IndexError):
        pass
    if hasattr(os, "getloadavg"):
        return os.getloadavg()[0]
    try:
        import psutil
    except ImportError:
        return 0.0
    return float(psutil.cpu_percent(0.05)) / 100 * (os.cpu_count() or 1)


def default_threads() -> int:
    """Return the BLAS threads of a run that asks for no number of them: one per free core, at most all cores less one."""
    cores = usable_cores()
    free = cores - busy_cores() * cores / max(cores, os.cpu_count() or 1)
    count = max(1, min(cores - 1, math.floor(free + 0.5)))
    return count if allowed is None else min(count, allowed)


def start(thread: Thread) -> None:
    """Start `thread`. Raises RunError if the system allows no more."""
    try:
        thread.start()
    except RuntimeError as error:
        raise RunError("this user may start no more threads (ulimit -u, or a container's limit): raise the limit") from error


def startable(count: int) -> int:
    """Start up to `count` threads until the system refuses, end them, and return their number."""
    end = Event()
    started: list[Thread] = []
    try:
        for _ in range(count):
            thread = Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):  # the limit of processes, or of address space
        pass
    finally:
        end.set()
        for thread in started:
            thread.join()
    return len(started)


def fit_blas(cores: int) -> str:
    """Limit BLAS to one thread if it could not start one per core, and return a line that says so; else an empty text."""
    global allowed  # noqa: PLW0603  a limit of the whole process
    wanted = min(cores, _MAX_BLAS)
    if wanted < 2 or startable(wanted - 1) == wanted - 1:
        return ""
    allowed = 1  # the last threads are needed elsewhere
    os.environ |= dict.fromkeys(VARIABLES, "1")
    return "this user may start no more threads (ulimit -u, or a container's limit): BLAS computes with one"
