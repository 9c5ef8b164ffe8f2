"""Kernels of the layers: matrix products, biases and activations of the forward pass, and the backward pass.

Transposed operands are views, which BLAS takes as flags. Bias and activation are applied tile by tile, so that the second
pass finds the results of the first in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuisim.backends.numpy.activations import ACTIVATIONS
from tuisim.backends.numpy.context import KernelContext, tiles
from tuisim.backends.op_timing import Call, OpCall
from tuisim.backends.protocol import Array
from tuisim.program import Kind, Op, Phase


def forward(ctx: KernelContext) -> list[OpCall]:
    """Return the calls of the forward pass, each activation fused with the bias before it."""
    calls: list[OpCall] = []
    ops = ctx.ops(Phase.FORWARD)
    for op, follower in zip(ops, (*ops[1:], None), strict=True):
        if op.kind is Kind.DENSE:
            fused = follower if follower is not None and follower.kind is Kind.ACTIVATION else None
            calls += _dense_calls(ctx, op, fused)
    return calls


def _dense_calls(ctx: KernelContext, op: Op, activation: Op | None) -> list[OpCall]:
    """Compute z = a·W + b, and a = f(z) if an activation follows."""
    inputs, weights, bias, z = ctx.operands(op)
    # For one row the bias gets the same shape: broadcasting takes twice as long.
    bias = bias.reshape(1, -1) if op.batch == 1 else bias
    calls: list[OpCall] = [(op, partial(np.dot, inputs, weights, z))]
    for rows in tiles(op.batch, op.outputs):
        calls.append((op, partial(np.add, z[rows], bias, z[rows])))
        if activation is not None:
            calls += [(activation, call) for call in _activate(ctx, activation, rows)]
    return calls


def _activate(ctx: KernelContext, op: Op, rows: slice = slice(None)) -> list[Call]:
    """Compute a = f(z), for all rows or one tile."""
    z, a = ctx.operands(op)
    assert op.function is not None
    return ACTIVATIONS[op.function].forward(ctx, z[rows], a[rows])


def _activation_gradient(ctx: KernelContext, op: Op) -> list[Call]:
    assert op.function is not None
    make, arrays = ACTIVATIONS[op.function].gradient, ctx.operands(op)
    return [call for rows in tiles(op.batch, op.outputs) for call in make(ctx, *(array[rows] for array in arrays))]


def _weight_gradient(ctx: KernelContext, op: Op) -> list[Call]:
    inputs, delta, out = ctx.operands(op)
    return [partial(np.dot, inputs.T, delta, out)]


def _bias_gradient(ctx: KernelContext, op: Op) -> list[Call]:
    delta, out = ctx.operands(op)
    if op.batch == 1:
        return [partial(np.copyto, out, delta[0])]
    # A product with ones sums the rows in BLAS, in half the time of `add.reduce`.
    ones: Array = np.ones(op.batch, ctx.program.dtype)
    return [partial(np.dot, ones, delta, out)]


def _input_gradient(ctx: KernelContext, op: Op) -> list[Call]:
    delta, weights, out = ctx.operands(op)
    return [partial(np.dot, delta, weights.T, out)]


KERNELS: dict[Kind, Callable[[KernelContext, Op], list[Call]]] = {
    Kind.DENSE: lambda ctx, op: [call for _, call in _dense_calls(ctx, op, None)],
    Kind.ACTIVATION: _activate,
    Kind.ACTIVATION_GRADIENT: _activation_gradient,
    Kind.WEIGHT_GRADIENT: _weight_gradient,
    Kind.BIAS_GRADIENT: _bias_gradient,
    Kind.INPUT_GRADIENT: _input_gradient,
}
