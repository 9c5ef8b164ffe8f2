"""The ceilings of what computes, measured: a matrix product and a memory copy, with the library or the card that did them named.

A utilization without its denominator says nothing; this is the denominator. It knows nothing of networks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from tuisim.backends import Backend, OnDevice, computes_with
from tuisim.backends.numpy.blas import Blas, blas, limits
from tuisim.backends.protocol import Ceilings

MATRIX = 768
"""Side of the square matrix product: large enough to be at full rate, small enough for a tenth of a second."""
COPY_BYTES = 64 << 20
"""Bytes copied: several times a last-level cache."""
BUDGET = 0.25
"""Seconds given to each measurement; the best of the repeats counts, since a ceiling is what the machine can do."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Measured ceilings at one dtype and thread count."""

    dtype: str
    threads: int
    flops_per_second: float
    """Multiplications and additions per second of a square matrix product."""
    bytes_per_second: float
    """Bytes read and written per second by a large copy."""
    blas: Blas | None
    """The library; none where a device of its own computed."""
    device: str = ""
    """That device."""


_on_devices: dict[tuple[str, str], Ceilings] = {}
"""Measured once per process, by backend and dtype."""


def peaks_of(backend: Backend, dtype: str, threads: int) -> Peaks:
    """Of what `backend` computes on: the GPU where it has one, else this machine's processor at so many threads."""
    if not isinstance(backend, OnDevice):
        threads, dtype = computes_with(backend.name, threads, dtype)
        return peaks(dtype, threads)
    key = backend.name, dtype
    if key not in _on_devices:
        _on_devices[key] = backend.ceilings(dtype)
    found = _on_devices[key]
    return Peaks(dtype, threads, found.flops_per_second, found.bytes_per_second, None, found.device)


@cache
def peaks(dtype: str, threads: int) -> Peaks:
    """Measure once per dtype and thread count."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((MATRIX, MATRIX)).astype(dtype)
    b = rng.standard_normal((MATRIX, MATRIX)).astype(dtype)
    product = np.empty_like(a)
    with limits.hold(threads):  # the backend's own limit need not be BLAS's
        matrix_seconds = _best(lambda: np.dot(a, b, out=product))
    source = np.ones(COPY_BYTES // 8)
    target = np.zeros_like(source)
    copy_seconds = _best(lambda: np.copyto(target, source))
    return Peaks(
        dtype=dtype,
        threads=threads,
        flops_per_second=2 * MATRIX**3 / matrix_seconds,
        bytes_per_second=2 * source.nbytes / copy_seconds,
        blas=blas(),
    )


def _best(call: Callable[[], object]) -> float:
    """Least seconds of one call of `call` within the budget, after one call to warm up."""
    call()
    best = float("inf")
    until = time.perf_counter() + BUDGET
    while True:
        start = time.perf_counter()
        call()
        end = time.perf_counter()
        best = min(best, end - start)
        if end > until:
            return best
