"""The nine activations on one number: the value and, beside it, the derivative.

The formulas are those of PyTorch's documentation; each pair is written out so that it can be read against a textbook.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

C, K = math.sqrt(2 / math.pi), 0.044715
SLOPE = 0.01


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def sigmoid(z: float) -> float:
    return 1 / (1 + _exp(-z))


def _gelu_slope(z: float) -> float:
    t = math.tanh(C * (z + K * z * z * z))  # a power would raise where a product is inf
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * C * (1 + 3 * K * z * z)


def _silu_slope(z: float) -> float:
    s = sigmoid(z)
    return s * (1 + z * (1 - s))


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(_exp(-abs(z)))


@dataclass(frozen=True, slots=True)
class Pair:
    """f and f′ of one number."""

    value: Callable[[float], float]
    slope: Callable[[float], float]


ACTIVATIONS: dict[str, Pair] = {
    "relu": Pair(lambda z: 0.0 if z <= 0 else z, lambda z: 1.0 if z > 0 else 0.0),
    "leaky_relu": Pair(lambda z: z if z > 0 else SLOPE * z, lambda z: 1.0 if z > 0 else SLOPE),
    "sigmoid": Pair(sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": Pair(math.tanh, lambda z: 1 - math.tanh(z) ** 2),
    "gelu": Pair(lambda z: 0.5 * z * (1 + math.tanh(C * (z + K * z * z * z))), _gelu_slope),
    "silu": Pair(lambda z: z * sigmoid(z), _silu_slope),
    "softplus": Pair(_softplus, sigmoid),
    "elu": Pair(lambda z: z if z > 0 else math.expm1(z), lambda z: 1.0 if z > 0 else _exp(z)),
}
