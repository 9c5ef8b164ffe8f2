"""The nine activations on one number: the value and, beside it, the derivative.

The formulas are those of PyTorch's documentation; each pair is written out so that it can be read against a textbook.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

C, K = math.sqrt(2 / math.pi), 0.044715
SLOPE = 0.01


def sigmoid(z: float) -> float:
    """1 / (1 + exp(−z)), so written that neither exp overflows nor 1 − σ(z) = σ(−z) cancels."""
    e = math.exp(-abs(z))
    return (1.0 if z >= 0 else e) / (1 + e)


def _gate(z: float, x: float) -> float:
    """z·σ(x), 0 where σ(x) is."""
    s = sigmoid(x)
    return 0.0 if s == 0 else z * s


def _gate_slope(z: float, x: float, slope: float) -> float:
    """The derivative of z·σ(x) by z: σ(x) + z·σ(x)·σ(−x)·x′, for x′ = `slope`."""
    s, bell = sigmoid(x), sigmoid(x) * sigmoid(-x)
    return s if bell == 0 else s + z * bell * slope


def _gelu_gate(z: float) -> float:
    """2u = 2C(z + Kz³), since ½(1 + tanh u) = σ(2u), whose digits do not cancel for z < 0."""
    return 2 * C * z * (1 + K * z * z)


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


@dataclass(frozen=True, slots=True)
class Pair:
    """f and f′ of one number."""

    value: Callable[[float], float]
    slope: Callable[[float], float]


ACTIVATIONS: dict[str, Pair] = {
    "relu": Pair(lambda z: 0.0 if z <= 0 else z, lambda z: 1.0 if z > 0 else 0.0),
    "leaky_relu": Pair(lambda z: z if z > 0 else SLOPE * z, lambda z: 1.0 if z > 0 else SLOPE),
    "sigmoid": Pair(sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": Pair(math.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "gelu": Pair(
        lambda z: _gate(z, _gelu_gate(z)),
        lambda z: _gate_slope(z, _gelu_gate(z), 2 * C * (1 + 3 * K * z * z)),
    ),
    "silu": Pair(lambda z: _gate(z, z), lambda z: _gate_slope(z, z, 1.0)),
    "softplus": Pair(_softplus, sigmoid),
    "elu": Pair(lambda z: z if z > 0 else math.expm1(z), lambda z: 1.0 if z > 0 else math.exp(z)),
}
