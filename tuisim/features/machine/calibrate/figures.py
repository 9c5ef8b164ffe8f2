"""The figures of a profile entry: prices at one size, as call overhead, rates of products, and seconds per element."""

from __future__ import annotations

from tuisim.backends.gemm_dispatch import gemm_kernel
from tuisim.predict.profile import ProfileEntry
from tuisim.predict.work import Work
from tuisim.program import Kind

PRODUCTS = {
    "tiny 1·30·30": (1, 30, 30),
    "small 32·32·32": (32, 32, 32),
    "one row 1·512·512": (1, 512, 512),
    "skinny 128·512·10": (128, 512, 10),
    "batch 32·784·128": (32, 784, 128),
    "square 512·512·512": (512, 512, 512),
}
"""(B, N, M) of forward products, by name."""
SIDE = 64
"""Rows and columns of the activation whose rate is given; its square is the number of parameters of the update."""


def element_costs(entry: ProfileEntry) -> list[float | None]:
    """Return seconds, None if the entry has no such price.

    The smallest activation, which is nearly all call overhead; then, without call overhead, an element of relu in cache and out
    of it, and a parameter of plain SGD in cache and out of it.
    """
    relu = [Work(Kind.ACTIVATION, "relu", SIDE, SIDE, SIDE, 0, out) for out in (0.0, 1.0)]
    sgd = [Work(Kind.SGD, None, 1, 1, 1, SIDE**2, out) for out in (0.0, 1.0)]
    prices = entry.prices
    elements = [max(0.0, prices.seconds(work) - prices.call(work)) / SIDE**2 or None for work in (*relu, *sgd)]
    return [prices.seconds(Work(Kind.ACTIVATION, "relu", 1, 1, 1, 0, 0.0)) or None, *elements]


def product_rate(entry: ProfileEntry, batch: int, inputs: int, outputs: int) -> float | None:
    """Return the multiplications and additions per second of a forward product; None if the entry has no price for it."""
    taken = gemm_kernel(entry.backend, entry.dtype, Kind.DENSE, batch, inputs, outputs)
    seconds = entry.prices.seconds(Work(Kind.DENSE, None, batch, inputs, outputs, 0, 0.0, taken))
    return 2 * batch * inputs * outputs / seconds if seconds > 0 else None
