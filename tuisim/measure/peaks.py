"""Measured peaks of a processor or GPU: a square matrix product and a memory copy, the denominators of utilization."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from tuisim.backends import computes_with
from tuisim.backends.numpy.blas import Blas, blas, thread_limit
from tuisim.backends.protocol import Backend, OnDevice, PeakRates, best_of
from tuisim.measure.caches import caches
from tuisim.measure.ceiling import Ceiling

MATRICES = (96, 384, 768)
"""Sides of the square matrices: one for the caches of a core, one too short to be interrupted, one for several threads."""
COPY_BYTES, MAX_COPY_BYTES = 64 << 20, 512 << 20
"""Limits of the bytes copied, within which it is the size of the last-level cache."""
BUDGET = 0.25
"""Seconds for the products and for the copy; the best of the repeats counts."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Measured peaks at one dtype and thread count."""

    dtype: str
    threads: int
    flops_per_second: float
    """Multiplications and additions per second of a square matrix product."""
    bytes_per_second: float
    """Bytes read and written per second by a large copy."""
    blas: Blas | None
    """The library; None on a GPU."""
    device: str = ""
    """The GPU; empty on a processor."""
    flops_spread: float = 0.0
    """The relative spread, as in `Ceiling.spread`; 0 if not known."""
    bytes_spread: float = 0.0
    level: str = ""
    """The memory level of `bytes_per_second`; empty for a large copy."""

    @property
    def products(self) -> Ceiling:
        """The peak of arithmetic."""
        threads = None if self.device else self.threads
        return Ceiling(self.flops_per_second, self.flops_spread, "square matrix product", threads, self.dtype)

    @property
    def copies(self) -> Ceiling:
        """The peak of large copies, which NumPy makes on one thread."""
        if self.device:
            return Ceiling(self.bytes_per_second, self.bytes_spread, "copy on the device", None, "float64")
        return Ceiling(self.bytes_per_second, self.bytes_spread, "NumPy copy", 1, "float64", self.level)


_on_devices: dict[tuple[str, str], PeakRates] = {}
"""Measured once per process, by backend and dtype."""


def peaks_of(backend: Backend, dtype: str, threads: int) -> Peaks:
    """Return the peaks of the device of `backend`: a GPU, or this processor with `threads` threads."""
    if not isinstance(backend, OnDevice):
        threads, dtype = computes_with(backend.name, threads, dtype)
        return peaks(dtype, threads)
    key = backend.name, dtype
    if key not in _on_devices:
        _on_devices[key] = backend.peak_rates(dtype)
    found = _on_devices[key]
    rates, spreads = (found.flops_per_second, found.bytes_per_second), (found.flops_spread, found.bytes_spread)
    return Peaks(dtype, threads, *rates, None, found.device, *spreads)


@cache
def peaks(dtype: str, threads: int) -> Peaks:
    """Measure once per dtype and thread count."""
    with thread_limit.hold(threads):  # the limit of the backend may not be that of BLAS
        flops, matrix_spread = max(_products(dtype, side) for side in MATRICES)
    copied, copy_spread = _copies()
    return Peaks(
        dtype=dtype,
        threads=threads,
        flops_per_second=flops,
        bytes_per_second=copied,
        blas=blas(),
        flops_spread=matrix_spread,
        bytes_spread=copy_spread,
    )


def _products(dtype: str, side: int) -> tuple[float, float]:
    """Return FLOPs per second of a square product, and the relative spread."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side)).astype(dtype) for _ in range(2))
    product = np.empty_like(a)
    seconds, spread = _best(lambda: np.dot(a, b, out=product), BUDGET / len(MATRICES))
    return 2 * side**3 / seconds, spread


@cache
def _copies() -> tuple[float, float]:
    """Return bytes per second of a large copy, read and written, and the relative spread."""
    source = np.ones(copy_bytes() // 8)
    target = np.zeros_like(source)
    seconds, spread = _best(lambda: np.copyto(target, source), BUDGET)
    return 2 * source.nbytes / seconds, spread


def copy_bytes() -> int:
    """Return the bytes of a copy that exceeds the caches."""
    return min(max(COPY_BYTES, *(one.size for one in caches())), MAX_COPY_BYTES)


def _best(call: Callable[[], object], budget: float) -> tuple[float, float]:
    """Return the minimum seconds of a call within `budget` seconds, after a warm-up, and the relative spread."""
    call()
    taken: list[float] = []
    until = time.perf_counter() + budget
    while True:
        start = time.perf_counter()
        call()
        end = time.perf_counter()
        taken.append(end - start)
        if end > until:
            return best_of(taken)
