"""The ceilings of the card, measured on it: a square matrix product and a copy, by the device's own clock.

The best of the repeats counts, since a ceiling is what the device can do.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np

from tuisim.backends.cupy.card import Card
from tuisim.backends.protocol import Ceilings, best_of

SIDES = {"float32": 4096, "float64": 2048}
"""Of the square product: large enough to fill any card, small enough for a hundredth of a second on a modest one."""
COPY_BYTES = 256 << 20
"""Several times a large card's cache."""
LEAST_SIDE = 256
SECONDS = 0.25
"""Given to each of the two: clocks go on rising for a tenth of a second."""


def ceilings(card: Card, dtype: str) -> Ceilings:
    """At `dtype`, in full precision: no TF32. Smaller matrices and copies where the memory is short."""
    room = card.free_bytes() // 4
    side = SIDES[dtype]
    while side > LEAST_SIDE and 3 * side * side * np.dtype(dtype).itemsize > room:
        side //= 2
    elements = max(min(COPY_BYTES, room // 2) // 8, 1024)
    (product, product_spread), (copy, copy_spread) = _product(card, dtype, side), _copy(card, elements)
    card.give_back()
    return Ceilings(2 * side**3 / product, 2 * 8 * elements / copy, card.label, product_spread, copy_spread)


def _product(card: Card, dtype: str, side: int) -> tuple[float, float]:
    """Seconds and spread; of random numbers, since zeros take less power and so less time."""
    values = np.random.default_rng(0).standard_normal((side, side)).astype(dtype)
    a, b, out = (card.cupy.empty((side, side), dtype) for _ in range(3))
    a.set(values)
    b.set(values)
    one, zero = card.zeros(1, dtype), card.zeros(1, dtype)
    card.put(one, 1)
    return _best(card, card.product(a, b, out, one, zero))


def _copy(card: Card, elements: int) -> tuple[float, float]:
    """Seconds and spread."""
    source, target = card.zeros(elements, "float64"), card.zeros(elements, "float64")
    runtime = card.cupy.cuda.runtime
    ends, kind = (target.data.ptr, source.data.ptr), runtime.memcpyDeviceToDevice
    return _best(card, lambda: runtime.memcpyAsync(*ends, source.nbytes, kind, card.stream.ptr))


def _best(card: Card, call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the quickest of as many as there is time for, and the spread."""
    first, second, *_ = card.marks
    taken, until = list[float](), perf_counter() + SECONDS
    call()
    while True:
        first.record()
        call()
        second.record()
        card.wait()
        taken.append(card.seconds_between(first, second))
        if perf_counter() > until:
            return best_of(taken)
