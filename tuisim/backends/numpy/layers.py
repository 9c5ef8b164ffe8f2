"""The layers' kernels: products, biases and activations forward, and the four parts of the way back.

Transposed operands are views, which BLAS takes as flags; a layer's bias and activation go over it tile by tile, so that
the second pass finds the first one's results in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuisim.backends.labels import Call, Labelled
from tuisim.backends.numpy.activations import ACTIVATIONS
from tuisim.backends.numpy.site import Array, Site, tiles
from tuisim.program import Kind, Op, Phase


def forward(site: Site) -> list[Labelled]:
    """Every forward operation, each activation fused with the bias before it."""
    calls: list[Labelled] = []
    ops = site.ops(Phase.FORWARD)
    for op, follower in zip(ops, (*ops[1:], None), strict=True):
        if op.kind is Kind.DENSE:
            fused = follower if follower is not None and follower.kind is Kind.ACTIVATION else None
            calls += _dense(site, op, fused)
    return calls


def backward(site: Site) -> list[Labelled]:
    return [(op, call) for op in site.ops(Phase.BACKWARD) for call in KERNELS[op.kind](site, op)]


def dense(site: Site, op: Op) -> list[Call]:
    """z = a·W + b."""
    return [call for _, call in _dense(site, op, None)]


def _dense(site: Site, op: Op, activation: Op | None) -> list[Labelled]:
    """z = a·W + b, and f(z) after it where an activation follows."""
    inputs, weights, bias = (site.arrays[name] for name in op.reads)
    z = site.arrays[op.writes[0]]
    # One row wants a bias of its own shape: broadcasting one dimension costs twice as much.
    bias = bias.reshape(1, -1) if op.batch == 1 else bias
    calls: list[Labelled] = [(op, partial(np.dot, inputs, weights, z))]
    for rows in tiles(op.batch, op.outputs):
        calls.append((op, partial(np.add, z[rows], bias, z[rows])))
        if activation is not None:
            calls += [(activation, call) for call in activate(site, activation, rows)]
    return calls


def activate(site: Site, op: Op, rows: slice | None = None) -> list[Call]:
    """a = f(z), for all rows or a tile of them."""
    rows = slice(None) if rows is None else rows
    z, a = site.arrays[op.reads[0]][rows], site.arrays[op.writes[0]][rows]
    assert op.function is not None
    return ACTIVATIONS[op.function].forward(site, z, a)


def activation_gradient(site: Site, op: Op) -> list[Call]:
    assert op.function is not None
    make = ACTIVATIONS[op.function].gradient
    gradient, z, a = (site.arrays[name] for name in op.reads)
    out = site.arrays[op.writes[0]]
    return [call for rows in tiles(op.batch, op.outputs) for call in make(site, gradient[rows], z[rows], a[rows], out[rows])]


def weight_gradient(site: Site, op: Op) -> list[Call]:
    inputs, delta = (site.arrays[name] for name in op.reads)
    return [partial(np.dot, inputs.T, delta, site.arrays[op.writes[0]])]


def bias_gradient(site: Site, op: Op) -> list[Call]:
    delta, out = site.arrays[op.reads[0]], site.arrays[op.writes[0]]
    if op.batch == 1:
        return [partial(np.copyto, out, delta[0])]
    # A product with ones adds the rows up in BLAS, at half the time of `add.reduce`.
    ones: Array = np.ones(op.batch, site.program.dtype)
    return [partial(np.dot, ones, delta, out)]


def input_gradient(site: Site, op: Op) -> list[Call]:
    delta, weights = (site.arrays[name] for name in op.reads)
    return [partial(np.dot, delta, weights.T, site.arrays[op.writes[0]])]


KERNELS: dict[Kind, Callable[[Site, Op], list[Call]]] = {
    Kind.DENSE: dense,
    Kind.ACTIVATION: activate,
    Kind.ACTIVATION_GRADIENT: activation_gradient,
    Kind.WEIGHT_GRADIENT: weight_gradient,
    Kind.BIAS_GRADIENT: bias_gradient,
    Kind.INPUT_GRADIENT: input_gradient,
}
