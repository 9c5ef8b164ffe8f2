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
        # An array of zeros: a scalar operand is half as fast. The zero second, so that −0 becomes +0.
        return [partial(np.maximum, z, site.scratch(z.shape, slot=-1), out=a)]

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
    """1 / (1 + exp(−z)); where exp overflows the quotient is 0, as it should be."""
    one = site.constant(1.0)
    return [
        partial(np.negative, z, out),
        partial(np.exp, out, out),
        partial(np.add, out, one, out),
        partial(np.divide, one, out, out),
    ]


class Sigmoid:
    """f = 1 / (1 + exp(−z)); f′ = a(1 − a)."""

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
    """f = tanh z; f′ = 1 − a²."""

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
    """f = ½z(1 + tanh u), u = √(2/π)(z + 0.044715z³); f′ = ½(1 + t) + ½z(1 − t²)·√(2/π)(1 + 0.134145z²), t = tanh u.

    The tanh form of Hendrycks & Gimpel (2016). Cubes are products: `power` costs fifty times as much.
    """

    C, K = math.sqrt(2 / math.pi), 0.044715

    @staticmethod
    def _tanh(site: Site, z: Array, square: Array, t: Array) -> list[Call]:
        return [
            partial(np.multiply, z, z, square),
            partial(np.multiply, square, site.constant(Gelu.C * Gelu.K), t),
            partial(np.add, t, site.constant(Gelu.C), t),
            partial(np.multiply, t, z, t),
            partial(np.tanh, t, t),
        ]

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        return [
            *Gelu._tanh(site, z, site.scratch(z.shape), a),
            partial(np.add, a, site.constant(1.0), a),
            partial(np.multiply, a, z, a),
            partial(np.multiply, a, site.constant(0.5), a),
        ]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        square, t, slope = (site.scratch(z.shape, slot=slot) for slot in range(3))
        one, half = site.constant(1.0), site.constant(0.5)
        return [
            *Gelu._tanh(site, z, square, t),
            partial(np.multiply, square, site.constant(3 * Gelu.C * Gelu.K), square),
            partial(np.add, square, site.constant(Gelu.C), square),
            partial(np.multiply, square, z, square),  # z·u′
            partial(np.multiply, t, t, slope),
            partial(np.subtract, one, slope, slope),
            partial(np.multiply, slope, square, slope),
            partial(np.add, slope, t, slope),
            partial(np.add, slope, one, slope),
            partial(np.multiply, slope, half, slope),
            partial(np.multiply, g, slope, d),
        ]


class Silu:
    """f = z·σ(z); f′ = σ(1 + z(1 − σ)) (Elfwing et al. 2018)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        return [*_sigmoid(site, z, a), partial(np.multiply, a, z, a)]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        s, t = site.scratch(z.shape), site.scratch(z.shape, slot=1)
        one = site.constant(1.0)
        return [
            *_sigmoid(site, z, s),
            partial(np.subtract, one, s, t),
            partial(np.multiply, t, z, t),
            partial(np.add, t, one, t),
            partial(np.multiply, t, s, t),
            partial(np.multiply, g, t, d),
        ]


class Softplus:
    """f = log(1 + exp z); f′ = σ(z) (Dugas et al. 2001)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        # max(z, 0) + log(1 + exp −|z|): the library's own logaddexp takes ten times as long.
        t = site.scratch(z.shape)
        return [
            partial(np.copysign, z, site.constant(-1.0), t),
            partial(np.exp, t, t),
            partial(np.log1p, t, t),
            partial(np.maximum, z, site.constant(0.0), out=a),
            partial(np.add, a, t, a),
        ]

    @staticmethod
    def gradient(site: Site, g: Array, z: Array, a: Array, d: Array) -> list[Call]:
        t = site.scratch(z.shape)
        return [*_sigmoid(site, z, t), partial(np.multiply, g, t, d)]


class Elu:
    """f = z where z > 0, else exp(z) − 1; f′ = 1 where z > 0, else a + 1 (Clevert et al. 2016)."""

    @staticmethod
    def forward(site: Site, z: Array, a: Array) -> list[Call]:
        t, zero = site.scratch(z.shape), site.constant(0.0)
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
            partial(np.minimum, a, site.constant(0.0), out=t),
            partial(np.add, t, site.constant(1.0), t),
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
