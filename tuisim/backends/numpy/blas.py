"""Which BLAS NumPy has loaded: its library, its kernel, what pinned it, and how to keep it to so many threads.

All of it is threadpoolctl's to say; where that is absent the answers are blank and the threads stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

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
    pinned = next((f"{name}={os.environ[name]}" for name in SLOWING if os.environ.get(name)), None)
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


class _Limits:
    """The one owner of the process-wide limit: the newest run's holds, and goes back as runs end in any order."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted: list[tuple[object, int]] = []
        self._first: Any = None

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        token = object()
        self._enter(token, count)
        try:
            yield
        finally:
            self._leave(token)

    def _enter(self, token: object, count: int) -> None:
        controller = pools()
        with self._lock:
            limiter = controller.limit(limits=count, user_api="blas")
            if not self._wanted:
                self._first = limiter  # it remembers how things were
            self._wanted.append((token, count))

    def _leave(self, token: object) -> None:
        with self._lock:
            self._wanted = [(held, count) for held, count in self._wanted if held is not token]
            if self._wanted:
                pools().limit(limits=self._wanted[-1][1], user_api="blas")
            else:
                self._first.restore_original_limits()


limits = _Limits()
"""BLAS has one thread count per process; whoever wants another asks here."""
