"""Activations and losses in mpmath: textbook formulas in 160 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath
from mpmath import mpf

INF = mpf("inf")
_SATURATED = 20_000
"""Beyond this σ is 0 or 1 to far more digits than any format has."""
C, K, SLOPE = mpmath.sqrt(2 / mpmath.pi), mpf("0.044715"), mpf("0.01")

Function = Callable[[mpf], mpf]


def exp(x: mpf) -> mpf:
    return mpf(0) if x < -_SATURATED else mpmath.exp(x)


def sigmoid(x: mpf) -> mpf:
    if x < 0:
        e = exp(x)
        return e / (1 + e)
    return 1 / (1 + exp(-x))


def _bell(x: mpf) -> mpf:
    return sigmoid(x) * sigmoid(-x)


def _gelu_gate(z: mpf) -> mpf:
    return 2 * C * (z + K * z**3)


def softplus(z: mpf) -> mpf:
    return max(z, mpf(0)) + mpmath.log1p(exp(-abs(z)))


def _tanh(z: mpf) -> mpf:
    return mpmath.sign(z) if abs(z) > _SATURATED else mpmath.tanh(z)


@dataclass(frozen=True)
class Activation:
    """f and f′ of finite z, and both at −∞ and ∞."""

    value: Function
    derivative: Function
    at_minus_infinity: tuple[float, float]
    at_infinity: tuple[float, float]
    scale: Function | None = None
    """The scale of the derivative's error, if larger than the derivative."""
    value_floor: float = 0.0
    derivative_floor: float = 0.0
    """Results below this, in smallest normal numbers, may lose their digits, down to 0."""
    derivative_of_nan: bool = True
    """False if the derivative is a constant selected by comparison; a value of nan ends a step before its derivative."""


_NORMAL, _GATED = 1.0, 4096.0
_ONE, _ZERO = (lambda z: mpf(1)), (lambda z: mpf(0))

ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(lambda z: max(z, mpf(0)), lambda z: mpf(z > 0), (0, 0), (mpmath.inf, 1), derivative_of_nan=False),
    "leaky_relu": Activation(
        lambda z: z if z > 0 else SLOPE * z, lambda z: mpf(1) if z > 0 else SLOPE, (-mpmath.inf, 0.01), (mpmath.inf, 1),
        derivative_of_nan=False,
    ),
    "sigmoid": Activation(sigmoid, _bell, (0, 0), (1, 0), sigmoid, _NORMAL, _NORMAL),
    "tanh": Activation(_tanh, lambda z: 4 * _bell(2 * z), (-1, 0), (1, 0), _ONE),
    "gelu": Activation(
        lambda z: z * sigmoid(_gelu_gate(z)),
        lambda z: sigmoid(_gelu_gate(z)) + z * _bell(_gelu_gate(z)) * 2 * C * (1 + 3 * K * z * z),
        (0, 0), (mpmath.inf, 1), lambda z: sigmoid(_gelu_gate(z)), _GATED, _GATED,
    ),
    "silu": Activation(
        lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * _bell(z), (0, 0), (mpmath.inf, 1), sigmoid, _GATED, _GATED
    ),
    "softplus": Activation(softplus, sigmoid, (0, 0), (mpmath.inf, 1), derivative_floor=_NORMAL),
    "elu": Activation(
        lambda z: z if z > 0 else (mpf(-1) if z < -_SATURATED else mpmath.expm1(z)), lambda z: exp(min(z, mpf(0))), (-1, 0),
        (mpmath.inf, 1),
    ),
}  # fmt: skip


def over(one: Activation, z: float, derivative: bool) -> mpf:
    """Return f(z), or f′(z), of any double."""
    if math.isnan(z):
        return mpmath.nan
    if z in (mpmath.inf, -mpmath.inf):
        return mpf((one.at_infinity if z > 0 else one.at_minus_infinity)[derivative])
    return (one.derivative if derivative else one.value)(mpf(z))


def mse(a: float, t: float) -> mpf:
    return (mpf(a) - mpf(t)) ** 2


def binary_cross_entropy(z: float, t: float) -> mpf:
    z, t = mpf(z), mpf(t)
    return max(z, mpf(0)) - z * t + mpmath.log1p(exp(-abs(z)))


def cross_entropy(logits: Sequence[float], target: int) -> mpf:
    row = [mpf(z) for z in logits]
    best = row.index(max(row))
    rest = mpmath.fsum(exp(z - row[best]) for place, z in enumerate(row) if place != best)
    return mpmath.log1p(rest) + (row[best] - row[target])


def softmax(logits: Sequence[float]) -> list[mpf]:
    row = [mpf(z) for z in logits]
    exps = [exp(z - max(row)) for z in row]
    return [e / mpmath.fsum(exps) for e in exps]
