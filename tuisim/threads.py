"""The number of threads that the system lets this process start, found before NumPy is imported.

Where they are too few OpenBLAS writes twelve lines of its own and ends the process, or waits for threads that never start.
"""

from __future__ import annotations

import os
from threading import Event, Thread

from tuisim.errors import RunError

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Read by the BLAS libraries when they are loaded."""
_MAX_BLAS = 64
"""NumPy's OpenBLAS starts no more."""

allowed: int | None = None
"""Threads that BLAS may have in this process; None if it may have one for each core."""


def usable_cores() -> int:
    """Return the number of cores that this process may run on (its affinity, where the system has one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """Return the BLAS threads of a run that asks for no number of them."""
    count = max(1, usable_cores() - 1)
    return count if allowed is None else min(count, allowed)


def start(thread: Thread) -> None:
    """Start `thread`. Raises RunError where the system allows no more."""
    try:
        thread.start()
    except RuntimeError as error:
        raise RunError("this user may start no more threads (ulimit -u, or a container's limit): raise the limit") from error


def startable(count: int) -> int:
    """Start threads until there are `count` or the system refuses, end them, and return how many there were."""
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
    """Keep BLAS to one thread where it could not start one for each of `cores`; return a line that says so, or an empty one."""
    global allowed  # noqa: PLW0603  a fact of the whole process
    wanted = min(cores, _MAX_BLAS)
    if wanted < 2 or startable(wanted - 1) == wanted - 1:
        return ""
    allowed = 1  # the last ones are not BLAS's to take
    os.environ |= dict.fromkeys(VARIABLES, "1")
    return "this user may start no more threads (ulimit -u, or a container's limit): BLAS computes with one"
