"""Kernels of the losses: the sum over a batch, and the gradient of the mean.

Each writes the *sum* of its terms to `ctx.total`, in double precision; the bound step divides it by their number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuisim.backends.numpy.context import KernelContext, sum_up, tiles, widened
from tuisim.backends.op_timing import Call
from tuisim.program import Kind, Op


def _mse(ctx: KernelContext, op: Op) -> list[Call]:
    """Σ(a − t)² as a dot product; ∂L/∂a = 2(a − t)/(B·M)."""
    output, target = (ctx.arrays[name] for name in op.reads)
    elements = op.batch * op.outputs
    difference = ctx.arrays[op.writes[1]] if op.learning else ctx.scratch(output.shape)
    made: list[Call] = [
        partial(np.subtract, output, target, difference),
        *sum_up(ctx, difference.reshape(-1), ctx.total, squared=True),
    ]
    if op.learning:
        made.append(partial(np.multiply, difference, ctx.constant(2.0 / elements), difference))
    return made


def _cross_entropy(ctx: KernelContext, op: Op) -> list[Call]:
    """Log-sum-exp of rows shifted by their maximum, so that exp cannot overflow.

    The exp of the maximum is 1; log1p of the sum of the others keeps the digits of small losses. That sum, its logarithm
    and the sum over rows are in double precision.
    """
    logits, target = (ctx.arrays[name] for name in op.reads)
    dtype, rows = ctx.program.dtype, op.batch
    exps = ctx.arrays[op.writes[1]] if op.learning else ctx.scratch(logits.shape)
    largest, chosen = np.zeros(rows, dtype), np.zeros(rows, dtype)
    rest, logs, wide_chosen = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    first_of_row = np.arange(rows, dtype=np.intp) * op.outputs
    columns, best, places = (np.zeros(rows, np.intp) for _ in range(3))
    one, none = np.ones((), dtype), np.full((), -np.inf, dtype)
    flat = exps.reshape(-1)
    sums: list[Call] = []
    for part in tiles(rows, op.outputs):
        wide, widening = widened(ctx, exps[part])
        sums += [*widening, partial(np.dot, wide, np.ones(op.outputs), rest[part])]
    made: list[Call] = [
        # argmax and then take: `maximum.reduce` takes twice as long.
        partial(logits.argmax, 1, columns),
        partial(np.add, first_of_row, columns, best),
        partial(logits.reshape(-1).take, best, 0, largest, "clip"),
        partial(np.subtract, logits, largest.reshape(-1, 1), exps),
        partial(np.add, first_of_row, target, places),
        partial(flat.take, places, 0, chosen, "clip"),
        partial(flat.put, best, none),
        partial(np.exp, exps, exps),
        *sums,
        partial(np.log1p, rest, logs),
        partial(np.copyto, wide_chosen, chosen),
        partial(np.subtract, logs, wide_chosen, logs),
        *sum_up(ctx, logs, ctx.total),
    ]
    if op.learning:
        scale = np.zeros(rows, dtype)
        made += [
            partial(np.add, rest, np.ones(()), rest),
            partial(np.divide, np.full((), 1.0 / rows), rest, rest),
            partial(np.copyto, scale, rest, "same_kind"),
            partial(flat.put, best, one),
            partial(np.multiply, exps, scale.reshape(-1, 1), exps),
            partial(flat.take, places, 0, chosen, "clip"),
            partial(np.subtract, chosen, ctx.constant(1.0 / rows), chosen),
            partial(flat.put, places, chosen),
        ]
    return made


def _binary_cross_entropy(ctx: KernelContext, op: Op) -> list[Call]:
    """Terms (max(z, 0) − z·t) + log1p(e), e = exp(−|z|), in this order; σ(z) = (1 or e, by the sign of z) / (1 + e)."""
    logits, target = (ctx.arrays[name] for name in op.reads)
    shape, dtype = logits.shape, ctx.program.dtype
    e, terms, above = (np.zeros(shape, dtype) for _ in range(3))
    zero, one = ctx.constant(0.0), ctx.constant(1.0)
    made: list[Call] = [
        partial(np.abs, logits, e),
        partial(np.negative, e, e),
        partial(np.exp, e, e),
        partial(np.multiply, logits, target, terms),
        partial(np.maximum, logits, np.zeros(shape, dtype), out=above),
        partial(np.subtract, above, terms, terms),
    ]
    if op.learning:
        gradient = ctx.arrays[op.writes[1]]
        negative = np.zeros(shape, bool)
        made += [
            partial(np.less, logits, zero, negative),
            partial(np.copyto, gradient, one),
            partial(np.copyto, gradient, e, where=negative),
            partial(np.add, e, one, above),
            partial(np.divide, gradient, above, gradient),
            partial(np.subtract, gradient, target, gradient),
            partial(np.multiply, gradient, ctx.constant(1.0 / logits.size), gradient),
        ]
    return [
        *made,
        partial(np.log1p, e, e),
        partial(np.add, terms, e, terms),
        *sum_up(ctx, terms.reshape(-1), ctx.total),
    ]


def _correct_classes(ctx: KernelContext, op: Op) -> list[Call]:
    """Count the rows whose largest output is the target class."""
    output, target = (ctx.arrays[name] for name in op.reads)
    best, right = np.zeros(op.batch, np.intp), np.zeros(op.batch, bool)
    return [
        partial(np.argmax, output, 1, best),
        partial(np.equal, best, target, right),
        partial(np.add.reduce, right, 0, np.int64, ctx.arrays["correct"]),
    ]


def _correct_outputs(ctx: KernelContext, op: Op) -> list[Call]:
    """Count the outputs on the target's side: logit above 0 for a target above ½."""
    output, target = (ctx.arrays[name] for name in op.reads)
    above, expected = np.zeros(output.shape, bool), np.zeros(output.shape, bool)
    return [
        partial(np.greater, output, ctx.constant(0.0), above),
        partial(np.greater, target, ctx.constant(0.5), expected),
        partial(np.equal, above, expected, above),
        partial(np.add.reduce, above.reshape(-1), 0, np.int64, ctx.arrays["correct"]),
    ]


KERNELS: dict[Kind, Callable[[KernelContext, Op], list[Call]]] = {
    Kind.MSE: _mse,
    Kind.CROSS_ENTROPY: _cross_entropy,
    Kind.BINARY_CROSS_ENTROPY: _binary_cross_entropy,
    Kind.CORRECT_CLASSES: _correct_classes,
    Kind.CORRECT_OUTPUTS: _correct_outputs,
}
