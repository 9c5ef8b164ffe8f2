"""The activations and their derivatives as lists of NumPy calls into given arrays.

`forward(ctx, z, a)` writes f(z) to a; `gradient(ctx, g, z, a, d)` writes g ⊙ f′(z) to d, using a = f(z) where that is enough.
Arrays are (rows, units) tiles; the formulas are those of PyTorch's documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tuisim.backends.numpy.context import KernelContext
from tuisim.backends.op_timing import Call
from tuisim.backends.protocol import Array
from tuisim.program.ops import GELU_CUBIC, GELU_SCALE, LEAKY_SLOPE


class Activation(NamedTuple):
    """An activation and its derivative."""

    forward: Callable[[KernelContext, Array, Array], list[Call]]
    gradient: Callable[[KernelContext, Array, Array, Array, Array], list[Call]]


# ── max(z, 0); 1 where a > 0, else 0 (Nair & Hinton 2010) ──


def _relu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    # The zero is the second operand, so that −0 becomes +0.
    return [partial(np.maximum, z, ctx.filled(z.shape, 0.0), out=a)]


def _relu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    # a is +0 or positive, so −bits(a) >> 31 is all ones exactly where a > 0: three integer passes and no conversion of a
    # boolean mask (2 µs instead of 5 µs for 32×32).
    bits = "int64" if a.dtype == np.float64 else "int32"
    mask, shift = ctx.scratch(a.shape, bits), np.array(a.dtype.itemsize * 8 - 1, bits)
    return [
        partial(np.negative, a.view(bits), mask),
        partial(np.right_shift, mask, shift, mask),
        partial(np.bitwise_and, g.view(bits), mask, d.view(bits)),
    ]


# ── max(z, 0.01·z); 1 where z > 0, else 0.01 (Maas et al. 2013) ──


def _leaky_relu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    return [partial(np.multiply, z, ctx.constant(LEAKY_SLOPE), a), partial(np.maximum, z, a, out=a)]


def _leaky_relu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [
        partial(np.heaviside, z, ctx.constant(0.0), t),
        partial(np.multiply, t, ctx.constant(1 - LEAKY_SLOPE), t),
        partial(np.add, t, ctx.constant(LEAKY_SLOPE), t),
        partial(np.multiply, g, t, d),
    ]


# ── 1 / (1 + exp(−z)); a(1 − a) as in PyTorch, accurate to the rounding of a ──


def _sigmoid(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    """If exp overflows, below −88 in float32, the quotient is 0 instead of a subnormal number."""
    one = ctx.constant(1.0)
    return [partial(np.negative, z, a), partial(np.exp, a, a), partial(np.add, a, one, a), partial(np.divide, one, a, a)]


def _sigmoid_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    t = ctx.scratch(a.shape)
    return [partial(np.subtract, ctx.constant(1.0), a, t), partial(np.multiply, t, a, t), partial(np.multiply, g, t, d)]


# ── tanh z; 1 − a² as in PyTorch, accurate to the rounding of a ──


def _tanh(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    return [partial(np.tanh, z, a)]


def _tanh_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    t = ctx.scratch(a.shape)
    return [partial(np.multiply, a, a, t), partial(np.subtract, ctx.constant(1.0), t, t), partial(np.multiply, g, t, d)]


# ── z·σ(2u), u = √(2/π)(z + 0.044715z³); s + a(1 − s)·2u′, s = σ(2u), 2u′ = √(8/π)(1 + 0.134145z²) ──
# The tanh form of Hendrycks & Gimpel (2016): ½(1 + tanh u) is σ(2u), which does not cancel for z < 0. Cubes are products:
# `power` takes fifty times as long.

_GELU_C = 2 * GELU_SCALE
_GELU_FAR = 25.0
"""From here on σ(2u) is 0 or 1 in float64 as well; z and z² are clamped there to avoid 0·∞."""


def _gelu_exponential(ctx: KernelContext, z: Array, square: Array, t: Array) -> list[Call]:
    """Write exp(−2u) to t, from z and z²."""
    return [
        partial(np.multiply, square, ctx.constant(-_GELU_C * GELU_CUBIC), t),
        partial(np.subtract, t, ctx.constant(_GELU_C), t),
        partial(np.multiply, t, z, t),
        partial(np.exp, t, t),
    ]


def _gelu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [partial(np.multiply, z, z, a), *_gelu_exponential(ctx, z, a, t), *_gate(ctx, z, t, a, _GELU_FAR)]


def _gelu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    square, s, t = (ctx.scratch(z.shape, slot=slot) for slot in range(3))
    one, far = ctx.constant(1.0), ctx.filled(z.shape, _GELU_FAR**2)
    return [
        partial(np.multiply, z, z, square),
        partial(np.minimum, square, far, out=square),
        *_gelu_exponential(ctx, z, square, s),
        partial(np.add, s, one, s),
        partial(np.divide, one, s, s),
        partial(np.multiply, square, ctx.constant(3 * _GELU_C * GELU_CUBIC), square),
        partial(np.add, square, ctx.constant(_GELU_C), square),  # 2u′
        partial(np.subtract, one, s, t),
        partial(np.multiply, t, square, t),
        *_gate_gradient(ctx, g, s, t, a, d),
    ]


def _gate(ctx: KernelContext, z: Array, e: Array, a: Array, far: float) -> list[Call]:
    """Write z / (1 + e) to a, overwriting e; 0 at −∞, since z is clamped at −far, where e is ∞."""
    return [
        partial(np.add, e, ctx.constant(1.0), e),
        partial(np.maximum, z, ctx.filled(z.shape, -far), out=a),
        partial(np.divide, a, e, a),
    ]


def _gate_gradient(ctx: KernelContext, g: Array, s: Array, t: Array, a: Array, d: Array) -> list[Call]:
    """Write g(s + a·t) to d, overwriting t = (1 − s)·x′, for a = z·σ(x) and s = σ(x); where a is ∞, t is 0 and a·t too."""
    bounded = ctx.scratch(a.shape, slot=3)
    return [
        partial(np.minimum, a, ctx.filled(a.shape, float(np.finfo(ctx.program.dtype).max)), out=bounded),
        partial(np.multiply, t, bounded, t),
        partial(np.add, t, s, t),
        partial(np.multiply, g, t, d),
    ]


# ── z·σ(z); s + a(1 − s), s = σ(z) (Elfwing et al. 2018) ──

_SILU_FAR = 800.0
"""From here on σ(−z) is 0 in float64 as well."""


def _silu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [partial(np.negative, z, t), partial(np.exp, t, t), *_gate(ctx, z, t, a, _SILU_FAR)]


def _silu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    s, t = ctx.scratch(z.shape), ctx.scratch(z.shape, slot=1)
    return [*_sigmoid(ctx, z, s), partial(np.subtract, ctx.constant(1.0), s, t), *_gate_gradient(ctx, g, s, t, a, d)]


# ── log(1 + exp z); σ(z) (Dugas et al. 2001) ──


def _softplus(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    # max(z, 0) + log(1 + exp −|z|): NumPy's logaddexp takes ten times as long.
    t = ctx.scratch(z.shape)
    return [
        partial(np.abs, z, t),
        partial(np.negative, t, t),
        partial(np.exp, t, t),
        partial(np.log1p, t, t),
        partial(np.maximum, z, ctx.filled(z.shape, 0.0), out=a),
        partial(np.add, a, t, a),
    ]


def _softplus_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [*_sigmoid(ctx, z, t), partial(np.multiply, g, t, d)]


# ── z where z > 0, else exp(z) − 1; exp(min(z, 0)), since a + 1 has lost its digits (Clevert et al. 2016) ──


def _elu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    t, zero = ctx.scratch(z.shape), ctx.filled(z.shape, 0.0)
    return [
        partial(np.minimum, z, zero, out=t),
        partial(np.expm1, t, t),
        partial(np.maximum, z, zero, out=a),
        partial(np.add, a, t, a),
    ]


def _elu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    t = ctx.scratch(a.shape)
    return [partial(np.minimum, z, ctx.filled(z.shape, 0.0), out=t), partial(np.exp, t, t), partial(np.multiply, g, t, d)]


ACTIVATIONS = {
    "relu": Activation(_relu, _relu_gradient),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_gradient),
    "sigmoid": Activation(_sigmoid, _sigmoid_gradient),
    "tanh": Activation(_tanh, _tanh_gradient),
    "gelu": Activation(_gelu, _gelu_gradient),
    "silu": Activation(_silu, _silu_gradient),
    "softplus": Activation(_softplus, _softplus_gradient),
    "elu": Activation(_elu, _elu_gradient),
}
"""By name; identity needs no operation."""
