"""The activations and their derivatives for one number, by the formulas of PyTorch's documentation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from tuisim.program.ops import GELU_CUBIC, GELU_SCALE, LEAKY_SLOPE


class ScalarActivation(NamedTuple):
    """An activation f and its derivative f′."""

    value: Callable[[float], float]
    derivative: Callable[[float], float]


def sigmoid(z: float) -> float:
    """Return 1 / (1 + exp(−z)), written so that exp does not overflow and 1 − σ(z) = σ(−z) does not cancel."""
    e = math.exp(-abs(z))
    return (1.0 if z >= 0 else e) / (1 + e)


def _gate(z: float, x: float) -> float:
    """Return z·σ(x), and 0 where σ(x) is."""
    s = sigmoid(x)
    return 0.0 if s == 0 else z * s


def _gate_derivative(z: float, x: float, slope: float) -> float:
    """Return the derivative of z·σ(x) by z: σ(x) + z·σ(x)·σ(−x)·x′, with x′ = `slope`."""
    s, bell = sigmoid(x), sigmoid(x) * sigmoid(-x)
    return s if bell == 0 else s + z * bell * slope


def _gelu_gate(z: float) -> float:
    """Return 2u for ½(1 + tanh u) = σ(2u), which does not cancel for z < 0."""
    return 2 * GELU_SCALE * z * (1 + GELU_CUBIC * z * z)


ACTIVATIONS = {
    "relu": ScalarActivation(lambda z: 0.0 if z <= 0 else z, lambda z: 1.0 if z > 0 else 0.0),
    "leaky_relu": ScalarActivation(lambda z: z if z > 0 else LEAKY_SLOPE * z, lambda z: 1.0 if z > 0 else LEAKY_SLOPE),
    "sigmoid": ScalarActivation(sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": ScalarActivation(math.tanh, lambda z: 4 * sigmoid(2 * z) * sigmoid(-2 * z)),
    "gelu": ScalarActivation(
        lambda z: _gate(z, _gelu_gate(z)),
        lambda z: _gate_derivative(z, _gelu_gate(z), 2 * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z)),
    ),
    "silu": ScalarActivation(lambda z: _gate(z, z), lambda z: _gate_derivative(z, z, 1.0)),
    "softplus": ScalarActivation(lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))), sigmoid),
    "elu": ScalarActivation(lambda z: z if z > 0 else math.expm1(z), lambda z: 1.0 if z > 0 else math.exp(z)),
}
