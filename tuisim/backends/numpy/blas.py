"""Which BLAS NumPy has loaded: its library, its kernel, what pinned it, and how to keep it to so many threads.

All of it is threadpoolctl's to say; where that is absent the answers are blank and the threads stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np

from tuisim import threads as system
from tuisim.backends.thread_limit import Limit, Restore
from tuisim.errors import RunError, printable

SLOWING = ("OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES")
"""Environment variables that pin a kernel, and so may keep it below what the processor has."""

_LIBRARIES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}


@dataclass(frozen=True, slots=True)
class Blas:
    """The library behind the matrix products."""

    library: str | None
    """`OpenBLAS 0.3.31`; none where it cannot be told."""
    kernel: str | None
    """The processor its kernels were written for: `SkylakeX`, `Haswell`."""
    pinned_by: str | None
    """`NAME=value` of an environment variable that chose the kernel."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.library, self.kernel) if part) or "BLAS"


@cache
def pools() -> Any:
    """threadpoolctl's controller of the loaded libraries, looked for once (1.4 ms); none without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


@cache
def blas() -> Blas:
    pinned = next((f"{name}={printable(os.environ[name])}" for name in SLOWING if os.environ.get(name)), None)
    controller = pools()
    for pool in controller.info() if controller is not None else ():
        if pool.get("user_api") == "blas":
            library = _LIBRARIES.get(pool["internal_api"], pool["internal_api"])
            version = ".".join((pool.get("version") or "").split(".")[:3])
            return Blas(f"{library} {version}".rstrip(), pool.get("architecture"), pinned)
    return Blas(_built_with(), None, pinned)


def _built_with() -> str | None:
    """The BLAS NumPy says it was built with, where threadpoolctl knows none: Apple's Accelerate."""
    config: Any = np.show_config(mode="dicts")
    name = config.get("Build Dependencies", {}).get("blas", {}).get("name")
    return None if not name else "Accelerate" if name.lower() == "accelerate" else str(name)


def threads() -> int | None:
    """How many threads BLAS uses now; none where that cannot be told."""
    controller = pools()
    for pool in controller.info() if controller is not None else ():
        if pool.get("user_api") == "blas":
            return int(pool["num_threads"])
    return None


class _Setter:
    """The one thread that sets BLAS's thread count, whichever thread asks.

    OpenBLAS 0.3.31 leaves the count to the first thread that set it, for as long as that thread lives; other threads' calls have
    no effect.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def do(self, call: Callable[[], object]) -> Any:
        """Return what `call` returns on that thread; raise what it raises. One caller at a time."""
        if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
            self._asked = SimpleQueue()
            thread = Thread(target=self._run, args=(self._asked,), name="tuisim-blas-threads", daemon=True)
            try:
                system.start(thread)
            except RunError:
                return call()  # where no thread can start there are no others that could ask
            self._thread = thread
        outcome: list[Any] = []
        done = Event()

        def ask() -> None:
            try:
                outcome.append((call(), None))
            except BaseException as error:  # raised again where it is waited for
                outcome.append((None, error))
            done.set()

        self._asked.put(ask)
        done.wait()
        found, error = outcome[0]
        if error is not None:
            raise error
        return found

    @staticmethod
    def _run(asked: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            asked.get()()


_setter = _Setter()


def _put(count: int) -> Restore:
    """Limit every BLAS that is loaded; without threadpoolctl it stays as it is. Raises RunError."""
    if system.allowed is not None:
        if count > system.allowed:  # OpenBLAS would wait for threads that never start
            raise RunError(f"threads = {count}: this user may start no more threads (ulimit -u): use 1")
        return lambda: None  # it was loaded with that count, and no thread can be started to set it
    controller = pools()
    if controller is None:
        return lambda: None
    limiter = _setter.do(lambda: controller.limit(limits=count, user_api="blas"))
    return lambda: _setter.do(limiter.restore_original_limits)


limits = Limit(_put)
"""BLAS has one thread count per process; whoever wants another asks here."""
