"""The activations and their derivatives as compiled loops over `size` numbers of an array at given offsets.

The formulas are those of PyTorch's documentation; functions other than arithmetic are computed in double precision and
rounded once. The derivatives of sigmoid and tanh are a(1 − a) and 1 − a² as in PyTorch, accurate to the rounding of a.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import kernel
from tuisim.backends.numba.elementary import exp, expm1, log1p, sigmoid, tanh
from tuisim.program.ops import GELU_CUBIC, GELU_SCALE, LEAKY_SLOPE

RELU, LEAKY_RELU, SIGMOID, TANH, GELU, SILU, SOFTPLUS, ELU = (np.uint64(code) for code in range(1, 9))
CODES = {
    "relu": RELU, "leaky_relu": LEAKY_RELU, "sigmoid": SIGMOID, "tanh": TANH, "gelu": GELU, "silu": SILU,
    "softplus": SOFTPLUS, "elu": ELU,
}  # fmt: skip

C = 2 * GELU_SCALE
FAR = 800.0
"""From here on σ is 0 or 1 in float64; arguments are clamped there to avoid 0·∞."""


@kernel
def activate(function: int, p: Any, size: int, z: int, a: int) -> None:
    """Compute a = f(z)."""
    real = p.dtype.type
    if function == RELU:
        zero = real(0)
        for j in range(size):
            value = p[z + j]
            p[a + j] = zero if value <= zero else value  # nan stays nan
    elif function == LEAKY_RELU:
        zero, slope = real(0), real(LEAKY_SLOPE)
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
    """2u for ½(1 + tanh u) = σ(2u), which does not cancel for x < 0."""
    return C * x * (1.0 + GELU_CUBIC * x * x)


@kernel
def near(x: float) -> float:
    """|x|, clamped at FAR."""
    size = abs(x)
    return FAR if size > FAR else size


@kernel
def gate_derivative(x: float, y: float, steepness: float) -> float:
    """Return the derivative of x·σ(y) by x, s + x·s(1 − s)·y′, from x, |y| and |x|·y′; y has the sign of x.

    With e = exp(−|y|) nothing overflows or cancels. The callers clamp |x|: clamping x from both sides would keep the loop
    from using SIMD.
    """
    e = exp(-y)
    s = 1.0 / (1.0 + e)
    return s * ((e if x < 0.0 else 1.0) + math.copysign(steepness * (e * s), x))


@kernel
def gelu_derivative(x: float) -> float:
    """Return the derivative of gelu."""
    size = near(x)
    return gate_derivative(x, gelu_gate(size), size * C * (1.0 + 3.0 * GELU_CUBIC * size * size))


@kernel
def silu_derivative(x: float) -> float:
    """Return the derivative of silu."""
    size = near(x)
    return gate_derivative(x, size, size)


@kernel
def gradient(function: int, p: Any, size: int, g: int, z: int, a: int, d: int) -> None:
    """Compute d = g ⊙ f′(z), using a = f(z) where that is enough."""
    real = p.dtype.type
    if function == RELU:
        zero = real(0)
        for j in range(size):
            p[d + j] = p[g + j] if p[a + j] > zero else zero
    elif function == LEAKY_RELU:
        zero, slope = real(0), real(LEAKY_SLOPE)
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
            p[d + j] = p[g + j] * real(gelu_derivative(np.float64(p[z + j])))
    elif function == SILU:
        for j in range(size):
            p[d + j] = p[g + j] * real(silu_derivative(np.float64(p[z + j])))
    elif function == SOFTPLUS:
        for j in range(size):
            p[d + j] = p[g + j] * real(sigmoid(np.float64(p[z + j])))
    else:
        for j in range(size):
            x = np.float64(p[z + j])
            p[d + j] = p[g + j] * real(exp(0.0 if x > 0.0 else x))
