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
    output, target, _, *gradient = ctx.operands(op)
    difference = gradient[0] if gradient else ctx.scratch(output.shape)
    return ctx.calls(
        (np.subtract, output, target, difference),
        *sum_up(ctx, difference.reshape(-1), ctx.total, squared=True),
        *((np.multiply, out, 2.0 / output.size, out) for out in gradient),
    )


def _cross_entropy(ctx: KernelContext, op: Op) -> list[Call]:
    """Log-sum-exp of rows shifted by their maximum, so that exp cannot overflow.

    The exp of the maximum is 1; log1p of the sum of the others keeps the digits of small losses. That sum, its logarithm
    and the sum over rows are in double precision.
    """
    logits, target, _, *gradient = ctx.operands(op)
    dtype, rows = ctx.program.dtype, op.batch
    exps = gradient[0] if gradient else ctx.scratch(logits.shape)
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
    made = ctx.calls(
        # argmax and then take: `maximum.reduce` takes twice as long.
        partial(logits.argmax, 1, columns),
        (np.add, first_of_row, columns, best),
        partial(logits.reshape(-1).take, best, 0, largest, "clip"),
        (np.subtract, logits, largest.reshape(-1, 1), exps),
        (np.add, first_of_row, target, places),
        partial(flat.take, places, 0, chosen, "clip"),
        partial(flat.put, best, none),
        (np.exp, exps, exps),
        *sums,
        (np.log1p, rest, logs),
        partial(np.copyto, wide_chosen, chosen),
        (np.subtract, logs, wide_chosen, logs),
        *sum_up(ctx, logs, ctx.total),
    )
    if gradient:
        scale = np.zeros(rows, dtype)
        made += ctx.calls(
            (np.add, rest, np.ones(()), rest),
            (np.divide, np.full((), 1.0 / rows), rest, rest),
            partial(np.copyto, scale, rest, "same_kind"),
            partial(flat.put, best, one),
            (np.multiply, exps, scale.reshape(-1, 1), exps),
            partial(flat.take, places, 0, chosen, "clip"),
            (np.subtract, chosen, 1.0 / rows, chosen),
            partial(flat.put, places, chosen),
        )
    return made


def _binary_cross_entropy(ctx: KernelContext, op: Op) -> list[Call]:
    """Terms (max(z, 0) − z·t) + log1p(e), e = exp(−|z|), in this order; σ(z) = (1 or e, by the sign of z) / (1 + e)."""
    logits, target, _, *gradients = ctx.operands(op)
    e, terms, above = (np.zeros_like(logits) for _ in range(3))
    made = ctx.calls(
        (np.abs, logits, e),
        (np.negative, e, e),
        (np.exp, e, e),
        (np.multiply, logits, target, terms),
        (np.maximum, logits, 0.0, above),
        (np.subtract, above, terms, terms),
    )
    for gradient in gradients:
        negative = np.zeros(logits.shape, bool)
        made += ctx.calls(
            (np.less, logits, 0.0, negative),
            partial(np.copyto, gradient, ctx.constant(1.0)),
            partial(np.copyto, gradient, e, where=negative),
            (np.add, e, 1.0, above),
            (np.divide, gradient, above, gradient),
            (np.subtract, gradient, target, gradient),
            (np.multiply, gradient, 1.0 / logits.size, gradient),
        )
    sums = sum_up(ctx, terms.reshape(-1), ctx.total)
    return [*made, *ctx.calls((np.log1p, e, e), (np.add, terms, e, terms)), *sums]


KERNELS: dict[Kind, Callable[[KernelContext, Op], list[Call]]] = {
    Kind.MSE: _mse,
    Kind.CROSS_ENTROPY: _cross_entropy,
    Kind.BINARY_CROSS_ENTROPY: _binary_cross_entropy,
}
