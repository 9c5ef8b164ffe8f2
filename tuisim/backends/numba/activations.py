"""The nine activations as compiled loops: each its value and, beside it, its derivative.

Both work on `size` numbers of one array at given offsets. Formulas are those of PyTorch's documentation; what is not
simple arithmetic is computed in double precision and rounded once. Identity has no operation at all. The slopes of sigmoid
and tanh are a(1 − a) and 1 − a², like PyTorch's: right to the rounding of a.
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
C, K = 2 * math.sqrt(2 / math.pi), 0.044715
FAR = 800.0
"""|z| and |2u| from which on σ is 0 or 1 to the last digit; nothing grows beyond it, so that there is no 0·∞."""


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
            p[a + j] = real(gate(x, gelu_gate(x)))
    elif function == SILU:
        for j in range(size):
            x = np.float64(p[z + j])
            p[a + j] = real(gate(x, x))
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
def gate(x: float, y: float) -> float:
    """x·σ(y); 0 where x is −∞."""
    return (-FAR if x < -FAR else x) * sigmoid(y)


@kernel
def gelu_gate(x: float) -> float:
    """2u = C(x + Kx³): ½(1 + tanh u) is σ(2u), whose digits do not cancel for x < 0."""
    return C * x * (1.0 + K * x * x)


@kernel
def near(x: float) -> float:
    """|x|, not beyond FAR."""
    size = abs(x)
    return FAR if size > FAR else size


@kernel
def gate_slope(x: float, y: float, steepness: float) -> float:
    """The derivative of x·σ(y) by x, s + x·s(1 − s)·y′, from x, |y| and |x|·y′; y has x's sign.

    With e = exp(−|y|) nothing overflows or cancels. A clamp on both sides of x would keep this out of the processor's lanes.
    """
    e = exp(-y)
    s = 1.0 / (1.0 + e)
    return s * ((e if x < 0.0 else 1.0) + math.copysign(steepness * (e * s), x))


@kernel
def gelu_slope(x: float) -> float:
    size = near(x)
    return gate_slope(x, gelu_gate(size), size * C * (1.0 + 3.0 * K * size * size))


@kernel
def silu_slope(x: float) -> float:
    size = near(x)
    return gate_slope(x, size, size)


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
            p[d + j] = p[g + j] * real(silu_slope(np.float64(p[z + j])))
    elif function == SOFTPLUS:
        for j in range(size):
            p[d + j] = p[g + j] * real(sigmoid(np.float64(p[z + j])))
    else:
        for j in range(size):
            x = np.float64(p[z + j])
            p[d + j] = p[g + j] * real(exp(0.0 if x > 0.0 else x))
