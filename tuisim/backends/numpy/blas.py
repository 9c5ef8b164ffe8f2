"""The BLAS that NumPy has loaded: its library and kernel, and a limit on its threads.

threadpoolctl tells all of it; without it the answers are empty and the threads do not change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from tuisim import threads as system
from tuisim.backends.owner_thread import OwnerThread
from tuisim.errors import RunError, printable

PINNING_VARIABLES = ("OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES")
"""Environment variables that select a kernel, possibly a slower one than the processor supports."""

_LIBRARIES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}


@dataclass(frozen=True, slots=True)
class Blas:
    """The library that computes matrix products."""

    library: str | None
    """`OpenBLAS 0.3.31`; None if unknown."""
    kernel: str | None
    """The processor that its kernel was written for: `SkylakeX`, `Haswell`."""
    pinned_by: str | None
    """`NAME=value` of an environment variable that selects the kernel."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.library, self.kernel) if part) or "BLAS"


@cache
def pools() -> Any:
    """Return threadpoolctl's controller of the loaded libraries, created once (1.4 ms); None without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()


def blas_pools() -> Iterator[dict[str, Any]]:
    """Yield threadpoolctl's description of each BLAS that is loaded."""
    controller = pools()
    for pool in controller.info() if controller is not None else ():
        if pool.get("user_api") == "blas":
            yield pool


@cache
def blas() -> Blas:
    """Return the BLAS that NumPy uses."""
    pinned = next((f"{name}={printable(os.environ[name])}" for name in PINNING_VARIABLES if os.environ.get(name)), None)
    for pool in blas_pools():
        library = _LIBRARIES.get(pool["internal_api"], pool["internal_api"])
        version = ".".join((pool.get("version") or "").split(".")[:3])
        return Blas(f"{library} {version}".rstrip(), pool.get("architecture"), pinned)
    # NumPy's own build information, for libraries that threadpoolctl does not know, such as Apple's Accelerate.
    config: Any = np.show_config(mode="dicts")
    name = config.get("Build Dependencies", {}).get("blas", {}).get("name")
    return Blas(None if not name else "Accelerate" if name.lower() == "accelerate" else str(name), None, pinned)


def threads() -> int | None:
    """Return the current number of BLAS threads; None if unknown."""
    return next((int(pool["num_threads"]) for pool in blas_pools()), None)


# ── limiting the threads ──

Restore = Callable[[], object]


class ThreadLimit:
    """A thread count of the whole process with several holders: the count of the newest holder applies.

    `set_count(n)` sets it and returns a function that restores the previous state. Holders may leave in any order.
    """

    def __init__(self, set_count: Callable[[int], Restore]) -> None:
        self._set_count = set_count
        self._lock = Lock()
        self._holders: list[tuple[object, int]] = []
        self._restore: Restore | None = None
        """Restores the state before the first holder."""

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Limit to `count` threads inside the context."""
        token = object()
        with self._lock:
            restore = self._set_count(count)
            if not self._holders:
                self._restore = restore
            self._holders.append((token, count))
        try:
            yield
        finally:
            with self._lock:
                self._holders = [(held, held_count) for held, held_count in self._holders if held is not token]
                if self._holders:
                    self._set_count(self._holders[-1][1])
                elif self._restore is not None:
                    self._restore()


_setter = OwnerThread("tuisim-blas-threads")
"""Sets the thread count of BLAS: OpenBLAS 0.3.31 obeys only the first thread that set it, for as long as that thread lives."""


def _set_count(count: int) -> Restore:
    """Limit every loaded BLAS; without threadpoolctl, do nothing. Raises RunError."""
    if system.allowed is not None:
        if count > system.allowed:  # OpenBLAS would wait for threads that never start
            raise RunError(f"threads = {count}: this user may start no more threads (ulimit -u): use 1")
        return lambda: None  # BLAS was loaded with that count, and no thread can be started to set another
    controller = pools()
    if controller is None:
        return lambda: None
    limiter = _on_setter(lambda: controller.limit(limits=count, user_api="blas"))
    return lambda: _on_setter(limiter.restore_original_limits)


def _on_setter(call: Callable[[], object]) -> Any:
    try:
        _setter.start()
    except RunError:
        return call()  # if no thread can start, there are no other callers
    return _setter.do(call)


thread_limit = ThreadLimit(_set_count)
"""The limit on the BLAS threads of this process."""
