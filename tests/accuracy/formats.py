"""The two dtypes: their test points, from zero to nan, and the error of a result in ulp."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

mpmath.mp.prec = 160


@dataclass(frozen=True)
class Format:
    """An IEEE format by the digits of its significand, its smallest normal exponent and its largest one."""

    name: str
    digits: int
    lowest: int
    highest: int
    working: float
    """exp overflows and underflows within ± this."""

    @property
    def smallest_normal(self) -> mpf:
        return mpf(2) ** self.lowest

    @property
    def largest(self) -> float:
        return float(np.finfo(self.name).max)


FLOAT32, FLOAT64 = Format("float32", 24, -126, 127, 110.0), Format("float64", 53, -1022, 1023, 760.0)
FORMATS = {one.name: one for one in (FLOAT32, FLOAT64)}


def finite(of: Format) -> np.ndarray[Any, np.dtype[Any]]:
    """Return numbers of both signs: zeros, subnormals, all magnitudes, and many where functions are curved."""
    rng = np.random.default_rng(14)
    exponents = np.arange(of.lowest - of.digits + 1, of.highest + 1, 2 if of.digits == 24 else 12)
    sizes = np.ldexp(rng.uniform(1, 2, exponents.size), exponents)
    tiny = float(np.finfo(of.name).smallest_subnormal)
    normal = float(of.smallest_normal)
    marks = [0.0, tiny, 3 * tiny, normal - tiny, normal, 1e-30, 1e-9, 0.5, 1.0, 2.0, 1e9, 1e13, 1e30, of.largest]
    dense = np.concatenate([rng.uniform(0, 8, 100), rng.uniform(0, 30, 60), rng.uniform(0, of.working, 100)])
    one_side = np.concatenate([marks, sizes, dense]).astype(of.name)
    return np.concatenate([one_side, -one_side])


def everything(of: Format) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the same with both infinities and nan."""
    return np.concatenate([finite(of), np.array([np.inf, -np.inf, np.nan], of.name)])


class Exact:
    """Exact values, each as the sum of two doubles; small ones are multiplied by 2⁶⁰⁰, so that no digits are lost."""

    def __init__(self, values: Sequence[mpf], scale: Sequence[mpf] | None = None) -> None:
        """Errors are in ulp of the value, or of `scale` if that is larger."""
        sizes = values if scale is None else [max(abs(one), other) for one, other in zip(values, scale, strict=True)]
        self.raised = np.array([600 if abs(one) < mpf(2) ** -400 else 0 for one in values])
        raised = [mpmath.ldexp(one, int(by)) for one, by in zip(values, self.raised, strict=True)]
        self.high = np.array([float(one) for one in raised])
        self.low = np.array(
            [float(one - high) if math.isfinite(high) else 0.0 for one, high in zip(raised, self.high, strict=True)]
        )
        self.exponents = np.array([_exponent(one) for one in sizes])

    def errors(self, computed: Any, of: Format, floor: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        value = np.ldexp(np.ravel(computed).astype(float), self.raised)
        with np.errstate(invalid="ignore", over="ignore"):
            unit = np.maximum(self.exponents, of.lowest) - of.digits + 1 + self.raised
            errors = np.abs(np.ldexp(value - self.high - self.low, -unit))
            lost = np.ldexp(float(of.smallest_normal) * floor, self.raised)
            errors[(np.abs(self.high) < lost) & (np.abs(value) < lost)] = 0.0
        beyond = np.isinf(self.high) | (np.abs(self.high) > of.largest)
        errors[np.isinf(value) & beyond & (np.sign(value) == np.sign(self.high))] = 0.0
        errors[np.isnan(errors)] = np.inf
        errors[np.isnan(value) & np.isnan(self.high)] = 0.0
        return errors


def _exponent(value: mpf) -> int:
    """Return ⌊log₂ |value|⌋, and for 0 a value below any format."""
    _, mantissa, exponent, bits = value._mpf_
    return int(exponent + bits - 1) if mantissa else -10_000


@dataclass(frozen=True)
class Error:
    """The largest error of a cell, and its input."""

    ulps: float
    at: str

    def __str__(self) -> str:
        return f"{self.ulps:.3g} ulp at {self.at}"


def worst(computed: Any, exact: Exact, inputs: Sequence[object], of: Format, floor: float = 0) -> Error:
    """Return the largest error of `computed`.

    Exact values below `floor`, in smallest normal numbers, only need a computed value below it.
    """
    errors = exact.errors(computed, of, floor)
    place = int(np.argmax(errors))
    return Error(float(errors[place]), str(inputs[place]))
