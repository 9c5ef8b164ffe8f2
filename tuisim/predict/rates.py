"""A card's entry in a few figures that a person knows: what a call costs, and rates over sizes small, thin and large.

All of them are the entry's prices at one size; nothing is measured here.
"""

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
    ("thin 128·512·10", 128, 512, 10),
    ("batch 32·784·128", 32, 784, 128),
    ("square 512·512·512", 512, 512, 512),
)
"""(name, B, N, M) of forward products."""
SIDE = 64
"""Rows, and elements in each, of the activation and parameters whose rates are told."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one entry. A figure that the entry has no price for is none."""

    call: float | None
    """Seconds of the smallest activation: what calling an operation costs."""
    products: tuple[tuple[str, float], ...]
    """(name, multiplications and additions per second)."""
    element_near: float | None
    """Seconds for an element of relu in cache, the call left out."""
    element_far: float | None
    """The same out of cache."""
    parameter_near: float | None
    """Seconds for a parameter of plain SGD in cache."""
    parameter_far: float | None


def figures(entry: ProfileEntry) -> Figures:
    """What `entry` says of itself."""
    near, far = (_each(entry, Work(Kind.ACTIVATION, "relu", SIDE, SIDE, SIDE, 0, out), SIDE**2) for out in (0.0, 1.0))
    updated, updated_far = (_each(entry, Work(Kind.SGD, None, 1, 1, 1, SIDE**2, out), SIDE**2) for out in (0.0, 1.0))
    small = Work(Kind.ACTIVATION, "relu", 1, 1, 1, 0, 0.0)
    return Figures(
        call=_seconds(entry, small),
        products=tuple((name, rate) for name, *sizes in PRODUCTS if (rate := _rate(entry, *sizes)) is not None),
        element_near=near,
        element_far=far,
        parameter_near=updated,
        parameter_far=updated_far,
    )


def _seconds(entry: ProfileEntry, work: Work) -> float | None:
    seconds = entry.prices.of_work(work)
    return seconds if seconds > 0 else None


def _each(entry: ProfileEntry, work: Work, count: int) -> float | None:
    """Of one element, what is paid however few there are left out."""
    whole = _seconds(entry, work)
    beyond = 0.0 if whole is None else whole - entry.prices.call_of(work)
    return beyond / count if beyond > 0 else None


def _rate(entry: ProfileEntry, batch: int, inputs: int, outputs: int) -> float | None:
    taken = gemm_kernel(entry.backend, entry.dtype, Kind.DENSE, batch, inputs, outputs)
    seconds = _seconds(entry, Work(Kind.DENSE, None, batch, inputs, outputs, 0, 0.0, taken))
    return None if seconds is None else 2 * batch * inputs * outputs / seconds
