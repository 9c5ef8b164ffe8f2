"""The figures of a profile entry: prices at one size, as call overhead, rates of products, and seconds per element."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.backends.gemm_dispatch import gemm_kernel
from tuisim.predict.profile import ProfileEntry
from tuisim.predict.work import Work
from tuisim.program import Kind

PRODUCTS = (
    ("tiny 1·30·30", 1, 30, 30),
    ("small 32·32·32", 32, 32, 32),
    ("one row 1·512·512", 1, 512, 512),
    ("skinny 128·512·10", 128, 512, 10),
    ("batch 32·784·128", 32, 784, 128),
    ("square 512·512·512", 512, 512, 512),
)
"""(name, B, N, M) of forward products."""
SIDE = 64
"""Rows and columns of the activation whose rate is given; its square is the number of parameters of the update."""


@dataclass(frozen=True, slots=True)
class EntryFigures:
    """The figures of one entry; None if the entry has no such price."""

    call: float | None
    """Seconds of the smallest activation, which is nearly all call overhead."""
    products: tuple[tuple[str, float], ...]
    """(name, multiplications and additions per second)."""
    element_near: float | None
    """Seconds for an element of relu in cache, without call overhead."""
    element_far: float | None
    """The same out of cache."""
    parameter_near: float | None
    """Seconds for a parameter of plain SGD in cache, without call overhead."""
    parameter_far: float | None


def figures(entry: ProfileEntry) -> EntryFigures:
    """Return the figures of `entry`."""
    relu = [Work(Kind.ACTIVATION, "relu", SIDE, SIDE, SIDE, 0, out) for out in (0.0, 1.0)]
    sgd = [Work(Kind.SGD, None, 1, 1, 1, SIDE**2, out) for out in (0.0, 1.0)]
    near, far, updated, updated_far = (_each(entry, work) for work in (*relu, *sgd))
    return EntryFigures(
        call=entry.prices.seconds(Work(Kind.ACTIVATION, "relu", 1, 1, 1, 0, 0.0)) or None,
        products=tuple((name, rate) for name, *sizes in PRODUCTS if (rate := _rate(entry, *sizes)) is not None),
        element_near=near,
        element_far=far,
        parameter_near=updated,
        parameter_far=updated_far,
    )


def _each(entry: ProfileEntry, work: Work) -> float | None:
    beyond = entry.prices.seconds(work) - entry.prices.call(work)
    return beyond / SIDE**2 if beyond > 0 else None


def _rate(entry: ProfileEntry, batch: int, inputs: int, outputs: int) -> float | None:
    taken = gemm_kernel(entry.backend, entry.dtype, Kind.DENSE, batch, inputs, outputs)
    seconds = entry.prices.seconds(Work(Kind.DENSE, None, batch, inputs, outputs, 0, 0.0, taken))
    return 2 * batch * inputs * outputs / seconds if seconds > 0 else None
