"""The activations and their derivatives as lists of NumPy calls into given arrays.

`forward(ctx, z, a)` writes f(z) to a; `gradient(ctx, g, z, a, d)` writes g ⊙ f′(z) to d, using a = f(z) where that is enough.
Arrays are (rows, units) tiles; the formulas are those of PyTorch's documentation.
"""

from __future__ import annotations

from collections.abc import Callable
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


def _relu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    # a is +0 or positive, so −bits(a) >> 31 is all ones exactly where a > 0: three integer passes and no conversion of a
    # boolean mask (2 µs instead of 5 µs for 32×32).
    bits = "int64" if a.dtype == np.float64 else "int32"
    mask, shift = ctx.scratch(a.shape, bits), np.array(a.dtype.itemsize * 8 - 1, bits)
    return ctx.calls(
        (np.negative, a.view(bits), mask),
        (np.right_shift, mask, shift, mask),
        (np.bitwise_and, g.view(bits), mask, d.view(bits)),
    )


def _sigmoid(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    """If exp overflows, below −88 in float32, the quotient is 0 instead of a subnormal number."""
    return ctx.calls((np.negative, z, a), (np.exp, a, a), (np.add, a, 1.0, a), (np.divide, 1.0, a, a))


_GELU_C = 2 * GELU_SCALE
_GELU_FAR, _SILU_FAR = 25.0, 800.0
"""From here on σ(2u) and σ(z) are 0 or 1 in float64 as well; z and z² are clamped there to avoid 0·∞."""


def _gelu_exponential(ctx: KernelContext, z: Array, square: Array, t: Array) -> list[Call]:
    """Write exp(−2u) to t, from z and z². Cubes are products: `power` takes fifty times as long."""
    return ctx.calls(
        (np.multiply, square, -_GELU_C * GELU_CUBIC, t), (np.subtract, t, _GELU_C, t), (np.multiply, t, z, t), (np.exp, t, t)
    )


def _gelu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [*ctx.calls((np.multiply, z, z, a)), *_gelu_exponential(ctx, z, a, t), *_gate(ctx, z, t, a, _GELU_FAR)]


def _gelu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    square, s, t = (ctx.scratch(z.shape, slot=slot) for slot in range(3))
    return ctx.calls(
        (np.multiply, z, z, square),
        (np.minimum, square, _GELU_FAR**2, square),
        *_gelu_exponential(ctx, z, square, s),
        (np.add, s, 1.0, s),
        (np.divide, 1.0, s, s),
        (np.multiply, square, 3 * _GELU_C * GELU_CUBIC, square),
        (np.add, square, _GELU_C, square),  # 2u′
        (np.subtract, 1.0, s, t),
        (np.multiply, t, square, t),
        *_gate_gradient(ctx, g, s, t, a, d),
    )


def _gate(ctx: KernelContext, z: Array, e: Array, a: Array, far: float) -> list[Call]:
    """Write z / (1 + e) to a, overwriting e; 0 at −∞, since z is clamped at −far, where e is ∞."""
    return ctx.calls((np.add, e, 1.0, e), (np.maximum, z, -far, a), (np.divide, a, e, a))


def _gate_gradient(ctx: KernelContext, g: Array, s: Array, t: Array, a: Array, d: Array) -> list[Call]:
    """Write g(s + a·t) to d, overwriting t = (1 − s)·x′, for a = z·σ(x) and s = σ(x); where a is ∞, t is 0 and a·t too."""
    bounded = ctx.scratch(a.shape, slot=3)
    return ctx.calls(
        (np.minimum, a, float(np.finfo(a.dtype).max), bounded),
        (np.multiply, t, bounded, t),
        (np.add, t, s, t),
        (np.multiply, g, t, d),
    )


def _silu(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    t = ctx.scratch(z.shape)
    return [*ctx.calls((np.negative, z, t), (np.exp, t, t)), *_gate(ctx, z, t, a, _SILU_FAR)]


def _silu_gradient(ctx: KernelContext, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
    s, t = ctx.scratch(z.shape), ctx.scratch(z.shape, slot=1)
    return ctx.calls(*_sigmoid(ctx, z, s), (np.subtract, 1.0, s, t), *_gate_gradient(ctx, g, s, t, a, d))


def _softplus(ctx: KernelContext, z: Array, a: Array) -> list[Call]:
    # max(z, 0) + log(1 + exp −|z|): NumPy's logaddexp takes ten times as long.
    t = ctx.scratch(z.shape)
    return ctx.calls(
        (np.abs, z, t), (np.negative, t, t), (np.exp, t, t), (np.log1p, t, t), (np.maximum, z, 0.0, a), (np.add, a, t, a)
    )


ACTIVATIONS = {
    # max(z, 0), with the zero as the second operand, so that −0 becomes +0; 1 where a > 0, else 0 (Nair & Hinton 2010)
    "relu": Activation(lambda ctx, z, a: ctx.calls((np.maximum, z, 0.0, a)), _relu_gradient),
    # max(z, 0.01·z); 1 where z > 0, else 0.01 (Maas et al. 2013)
    "leaky_relu": Activation(
        lambda ctx, z, a: ctx.calls((np.multiply, z, LEAKY_SLOPE, a), (np.maximum, z, a, a)),
        lambda ctx, g, z, a, d: ctx.calls(
            (np.heaviside, z, 0.0, t := ctx.scratch(z.shape)),
            (np.multiply, t, 1 - LEAKY_SLOPE, t),
            (np.add, t, LEAKY_SLOPE, t),
            (np.multiply, g, t, d),
        ),
    ),
    # 1 / (1 + exp(−z)); a(1 − a) as in PyTorch, accurate to the rounding of a
    "sigmoid": Activation(
        _sigmoid,
        lambda ctx, g, z, a, d: ctx.calls(
            (np.subtract, 1.0, a, t := ctx.scratch(a.shape)), (np.multiply, t, a, t), (np.multiply, g, t, d)
        ),
    ),
    # tanh z; 1 − a² as in PyTorch, accurate to the rounding of a
    "tanh": Activation(
        lambda ctx, z, a: ctx.calls((np.tanh, z, a)),
        lambda ctx, g, z, a, d: ctx.calls(
            (np.multiply, a, a, t := ctx.scratch(a.shape)), (np.subtract, 1.0, t, t), (np.multiply, g, t, d)
        ),
    ),
    # z·σ(2u), u = √(2/π)(z + 0.044715z³); s + a(1 − s)·2u′, s = σ(2u), 2u′ = √(8/π)(1 + 0.134145z²): the tanh form of
    # Hendrycks & Gimpel (2016), where ½(1 + tanh u) is σ(2u), which does not cancel for z < 0
    "gelu": Activation(_gelu, _gelu_gradient),
    # z·σ(z); s + a(1 − s), s = σ(z) (Elfwing et al. 2018)
    "silu": Activation(_silu, _silu_gradient),
    # log(1 + exp z); σ(z) (Dugas et al. 2001)
    "softplus": Activation(
        _softplus,
        lambda ctx, g, z, a, d: ctx.calls(*_sigmoid(ctx, z, t := ctx.scratch(z.shape)), (np.multiply, g, t, d)),
    ),
    # z where z > 0, else exp(z) − 1; exp(min(z, 0)), since a + 1 has lost its digits (Clevert et al. 2016)
    "elu": Activation(
        lambda ctx, z, a: ctx.calls(
            (np.minimum, z, 0.0, t := ctx.scratch(z.shape)), (np.expm1, t, t), (np.maximum, z, 0.0, a), (np.add, a, t, a)
        ),
        lambda ctx, g, z, a, d: ctx.calls(
            (np.minimum, z, 0.0, t := ctx.scratch(a.shape)), (np.exp, t, t), (np.multiply, g, t, d)
        ),
    ),
}
"""By name; identity needs no operation."""
