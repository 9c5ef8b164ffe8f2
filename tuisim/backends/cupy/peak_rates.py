"""The peak rates of the GPU, measured by a square matrix product and a copy with the device's clock.

The best of the repeats counts.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from tuisim.backends.cupy.gpu import Gpu
from tuisim.backends.protocol import PeakRates, best_of

SIDES = {"float32": 4096, "float64": 2048}
"""Sides of the square matrices: large enough for any GPU, and 10 ms of work on a slow one."""
COPY_BYTES = 256 << 20
"""Several times the cache of a large GPU."""
MIN_SIDE = 256
SECONDS = 0.25
"""Time for each of the two: clock rates rise during the first tenth of a second."""


def peak_rates(gpu: Gpu, dtype: str) -> PeakRates:
    """Measure both at `dtype`, without TF32; smaller matrices and copies if memory is scarce."""
    room = gpu.free_bytes() // 4
    side = SIDES[dtype]
    while side > MIN_SIDE and 3 * side * side * np.dtype(dtype).itemsize > room:
        side //= 2
    elements = max(min(COPY_BYTES, room // 2) // 8, 1024)
    (product, product_spread), (copy, copy_spread) = _time_product(gpu, dtype, side), _time_copy(gpu, elements)
    gpu.release_unused()
    return PeakRates(2 * side**3 / product, 2 * 8 * elements / copy, gpu.label, product_spread, copy_spread)


def _time_product(gpu: Gpu, dtype: str, side: int) -> tuple[float, float]:
    """Return seconds and spread; with random numbers, since zeros take less power and thus less time."""
    values = np.random.default_rng(0).standard_normal((side, side)).astype(dtype)
    a, b, out = (gpu.cupy.empty((side, side), dtype) for _ in range(3))
    a.set(values)
    b.set(values)
    one, zero = gpu.zeros(1, dtype), gpu.zeros(1, dtype)
    gpu.put(one, 1)
    return _best(gpu, gpu.matmul(a, b, out, one, zero))


def _time_copy(gpu: Gpu, elements: int) -> tuple[float, float]:
    """Return seconds and spread."""
    source, target = gpu.zeros(elements, "float64"), gpu.zeros(elements, "float64")
    runtime = gpu.cupy.cuda.runtime
    ends, kind = (target.data.ptr, source.data.ptr), runtime.memcpyDeviceToDevice
    return _best(gpu, lambda: runtime.memcpyAsync(*ends, source.nbytes, kind, gpu.stream.ptr))


def _best(gpu: Gpu, call: Callable[[], object]) -> tuple[float, float]:
    """Return the minimum seconds of a call over the given time, and the spread."""
    first, second, *_ = gpu.events
    taken, until = list[float](), perf_counter() + SECONDS
    call()
    while True:
        first.record()
        call()
        second.record()
        gpu.wait()
        taken.append(gpu.seconds_between(first, second))
        if perf_counter() > until:
            return best_of(taken)
