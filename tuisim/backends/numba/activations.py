"""The nine activations as compiled loops: each its value and, beside it, its derivative.

Both work on `size` numbers of one array at given offsets. Formulas are those of PyTorch's documentation; what is not
simple arithmetic is computed in double precision and rounded once. Identity has no operation at all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import kernel
from tuisim.backends.numba.elementary import exp, expm1, log1p, sigmoid, tanh

RELU, LEAKY_RELU, SIGMOID, TANH, GELU, SILU, SOFTPLUS, ELU = (np.uint64(code) for code in range(1, 9))
CODES = {
    "relu": RELU, "leaky_relu": LEAKY_RELU, "sigmoid": SIGMOID, "tanh": TANH, "gelu": GELU, "silu": SILU,
    "softplus": SOFTPLUS, "elu": ELU,
}  # fmt: skip

SLOPE = 0.01
C, K = math.sqrt(2 / math.pi), 0.044715


@kernel
def activate(function: int, p: Any, size: int, z: int, a: int) -> None:
    """a = f(z)."""
    real = p.dtype.type
    if function == RELU:
        zero = real(0)
        for j in range(size):
            value = p[z + j]
            p[a + j] = zero if value <= zero else value  # so that not a number stays none
    elif function == LEAKY_RELU:
        zero, slope = real(0), real(SLOPE)
        for j in range(size):
            value = p[z + j]
            p[a + j] = value if value > zero else slope * value
    elif function == SIGMOID:
        for j in range(size):
            p[a + j] = real(sigmoid(np.float64(p[z + j])))
    elif function == TANH:
        for j in range(size):
            p[a + j] = real(tanh(np.float64(p[z + j])))
    elif function == GELU:
        for j in range(size):
            x = np.float64(p[z + j])
            p[a + j] = real(0.5 * x * (1.0 + tanh(C * x * (1.0 + K * x * x))))
    elif function == SILU:
        for j in range(size):
            x = np.float64(p[z + j])
            p[a + j] = real(x * sigmoid(x))
    elif function == SOFTPLUS:
        for j in range(size):
            x = np.float64(p[z + j])
            p[a + j] = real((0.0 if x <= 0.0 else x) + log1p(exp(-abs(x))))
    else:
        for j in range(size):
            x = np.float64(p[z + j])
            below = expm1(0.0 if x > 0.0 else x)
            p[a + j] = real(x if x > 0.0 else below)


@kernel
def gelu_slope(x: float) -> float:
    """½(1 + t) + ½x(1 − t²)·C(1 + 3Kx²), t = tanh(C(x + Kx³))."""
    square = x * x
    t = tanh(C * x * (1.0 + K * square))
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * C * (1.0 + 3.0 * K * square)


@kernel
def gradient(function: int, p: Any, size: int, g: int, z: int, a: int, d: int) -> None:
    """d = g ⊙ f′(z), from a = f(z) where that is enough."""
    real = p.dtype.type
    if function == RELU:
        zero = real(0)
        for j in range(size):
            p[d + j] = p[g + j] if p[a + j] > zero else zero
    elif function == LEAKY_RELU:
        zero, slope = real(0), real(SLOPE)
        for j in range(size):
            value = p[g + j]
            p[d + j] = value if p[z + j] > zero else slope * value
    elif function == SIGMOID:
        one = real(1)
        for j in range(size):
            value = p[a + j]
            p[d + j] = p[g + j] * (value * (one - value))
    elif function == TANH:
        one = real(1)
        for j in range(size):
            value = p[a + j]
            p[d + j] = p[g + j] * (one - value * value)
    elif function == GELU:
        for j in range(size):
            p[d + j] = p[g + j] * real(gelu_slope(np.float64(p[z + j])))
    elif function == SILU:
        for j in range(size):
            x = np.float64(p[z + j])
            s = sigmoid(x)
            p[d + j] = p[g + j] * real(s * (1.0 + x * (1.0 - s)))
    elif function == SOFTPLUS:
        for j in range(size):
            p[d + j] = p[g + j] * real(sigmoid(np.float64(p[z + j])))
    else:
        zero, one = real(0), real(1)
        for j in range(size):
            value = p[a + j]
            p[d + j] = p[g + j] * (one if value > zero else value + one)
