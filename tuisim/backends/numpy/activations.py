"""The nine activations: each its value and, beside it, its derivative, as calls into given arrays.

`forward(site, z, a)` writes f(z) into a. `gradient(site, g, z, a, d)` writes g ⊙ f′(z) into d, from a where that is enough.
Arrays are (rows, units) tiles; the formulas are those of PyTorch's documentation.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Protocol

import numpy as np

from tuisim.backends.numpy.site import Array, Call, Site


class Activation(Protocol):
    """One function and its derivative."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]: ...

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]: ...


class Relu:
    """f = max(z, 0); f′ = 1 where a > 0, else 0 (Nair & Hinton 2010)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        # The zero second, so that −0 becomes +0.
        return [partial(np.maximum, z, site.filled(z.shape, 0.0), out=a)]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        # a is +0 or positive, so −bits(a) >> 31 is all ones exactly where a > 0: three integer passes, no conversion
        # of a boolean mask (2 µs against 5 µs for 32×32).
        bits = a.dtype.itemsize * 8 - 1
        mask = site.scratch(a.shape, site.bits)
        shift = np.array(bits, site.bits)
        return [
            partial(np.negative, a.view(site.bits), mask),
            partial(np.right_shift, mask, shift, mask),
            partial(np.bitwise_and, g.view(site.bits), mask, d.view(site.bits)),
        ]


class LeakyRelu:
    """f = max(z, 0.01·z); f′ = 1 where z > 0, else 0.01 (Maas et al. 2013)."""

    SLOPE = 0.01

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        return [partial(np.multiply, z, site.constant(LeakyRelu.SLOPE), a), partial(np.maximum, z, a, out=a)]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(z.shape)
        return [
            partial(np.heaviside, z, site.constant(0.0), t),
            partial(np.multiply, t, site.constant(1 - LeakyRelu.SLOPE), t),
            partial(np.add, t, site.constant(LeakyRelu.SLOPE), t),
            partial(np.multiply, g, t, d),
        ]


def _sigmoid(site: Site, z: Array, out: Array) -> list[Call]:
    """1 / (1 + exp(−z)); where exp overflows, below −88 in float32, the quotient is 0 instead of a subnormal number."""
    one = site.constant(1.0)
    return [
        partial(np.negative, z, out),
        partial(np.exp, out, out),
        partial(np.add, out, one, out),
        partial(np.divide, one, out, out),
    ]


class Sigmoid:
    """f = 1 / (1 + exp(−z)); f′ = a(1 − a), like PyTorch, so right to the rounding of a, not of f′."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        return _sigmoid(site, z, a)

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(a.shape)
        return [
            partial(np.subtract, site.constant(1.0), a, t),
            partial(np.multiply, t, a, t),
            partial(np.multiply, g, t, d),
        ]


class Tanh:
    """f = tanh z; f′ = 1 − a², like PyTorch, so right to the rounding of a, not of f′."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        return [partial(np.tanh, z, a)]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(a.shape)
        return [
            partial(np.multiply, a, a, t),
            partial(np.subtract, site.constant(1.0), t, t),
            partial(np.multiply, g, t, d),
        ]


class Gelu:
    """f = z·σ(2u), u = √(2/π)(z + 0.044715z³); f′ = s + a(1 − s)·2u′, s = σ(2u), 2u′ = √(8/π)(1 + 0.134145z²).

    The tanh form of Hendrycks & Gimpel (2016): ½(1 + tanh u) is σ(2u), whose digits do not cancel for z < 0. Cubes are products:
    `power` costs fifty times as much.
    """

    C, K = 2 * math.sqrt(2 / math.pi), 0.044715
    FAR = 25.0
    """From here on σ(2u) is 0 or 1 in float64 as well: where z, or z², could make 0·∞ it stops growing."""

    @staticmethod
    def _exponential(site: Site, z: Array, square: Array, t: Array) -> list[Call]:
        """exp(−2u), from z and z²."""
        return [
            partial(np.multiply, square, site.constant(-Gelu.C * Gelu.K), t),
            partial(np.subtract, t, site.constant(Gelu.C), t),
            partial(np.multiply, t, z, t),
            partial(np.exp, t, t),
        ]

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        t = site.scratch(z.shape)
        return [
            partial(np.multiply, z, z, a),
            *Gelu._exponential(site, z, a, t),
            *_gate(site, z, t, a, Gelu.FAR),
        ]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        square, s, t = (site.scratch(z.shape, slot=slot) for slot in range(3))
        one, far = site.constant(1.0), site.filled(z.shape, Gelu.FAR**2)
        return [
            partial(np.multiply, z, z, square),
            partial(np.minimum, square, far, out=square),
            *Gelu._exponential(site, z, square, s),
            partial(np.add, s, one, s),
            partial(np.divide, one, s, s),
            partial(np.multiply, square, site.constant(3 * Gelu.C * Gelu.K), square),
            partial(np.add, square, site.constant(Gelu.C), square),  # 2u′
            partial(np.subtract, one, s, t),
            partial(np.multiply, t, square, t),
            *_gate_slope(site, g, s, t, a, d),
        ]


def _gate(site: Site, z: Array, e: Array, a: Array, far: float) -> list[Call]:
    """a = z / (1 + e), writing over e; 0 at −∞, since z stops at −far, where e is ∞."""
    return [
        partial(np.add, e, site.constant(1.0), e),
        partial(np.maximum, z, site.filled(z.shape, -far), out=a),
        partial(np.divide, a, e, a),
    ]


def _gate_slope(site: Site, g: Array, s: Array, t: Array, a: Array, d: Array) -> list[Call]:
    """d = g(s + a·t), t = (1 − s)·x′, for a = z·σ(x) and s = σ(x), writing over t; where a is ∞, t is 0 and their product too."""
    bounded = site.scratch(a.shape, slot=3)
    return [
        partial(np.minimum, a, site.filled(a.shape, float(np.finfo(site.program.dtype).max)), out=bounded),
        partial(np.multiply, t, bounded, t),
        partial(np.add, t, s, t),
        partial(np.multiply, g, t, d),
    ]


class Silu:
    """f = z·σ(z); f′ = s + a(1 − s), s = σ(z) (Elfwing et al. 2018)."""

    FAR = 800.0
    """From here on σ(−z) is 0 in float64 as well."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        t = site.scratch(z.shape)
        return [partial(np.negative, z, t), partial(np.exp, t, t), *_gate(site, z, t, a, Silu.FAR)]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        s, t = site.scratch(z.shape), site.scratch(z.shape, slot=1)
        return [
            *_sigmoid(site, z, s),
            partial(np.subtract, site.constant(1.0), s, t),
            *_gate_slope(site, g, s, t, a, d),
        ]


class Softplus:
    """f = log(1 + exp z); f′ = σ(z) (Dugas et al. 2001)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        # max(z, 0) + log(1 + exp −|z|): the library's own logaddexp takes ten times as long.
        t = site.scratch(z.shape)
        return [
            partial(np.abs, z, t),
            partial(np.negative, t, t),
            partial(np.exp, t, t),
            partial(np.log1p, t, t),
            partial(np.maximum, z, site.filled(z.shape, 0.0), out=a),
            partial(np.add, a, t, a),
        ]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(z.shape)
        return [*_sigmoid(site, z, t), partial(np.multiply, g, t, d)]


class Elu:
    """f = z where z > 0, else exp(z) − 1; f′ = exp(min(z, 0)), since a + 1 has lost its digits (Clevert et al. 2016)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        t, zero = site.scratch(z.shape), site.filled(z.shape, 0.0)
        return [
            partial(np.minimum, z, zero, out=t),
            partial(np.expm1, t, t),
            partial(np.maximum, z, zero, out=a),
            partial(np.add, a, t, a),
        ]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(a.shape)
        return [
            partial(np.minimum, z, site.filled(z.shape, 0.0), out=t),
            partial(np.exp, t, t),
            partial(np.multiply, g, t, d),
        ]


ACTIVATIONS: dict[str, type[Activation]] = {
    "relu": Relu,
    "leaky_relu": LeakyRelu,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "gelu": Gelu,
    "silu": Silu,
    "softplus": Softplus,
    "elu": Elu,
}
"""By name; identity has no operation at all."""
