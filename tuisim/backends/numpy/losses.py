"""The losses' kernels: the sum over a batch, and the gradient of its mean, which the way back begins with.

Each leaves the *sum* of its terms in `site.total`, in double precision; the bound step multiplies by 1/E once when it reads it.
Formulas and the counting convention are in `accounting.formulas`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuisim.backends.labels import Call, Labelled
from tuisim.backends.numpy.site import Site, sum_up, tiles, widened
from tuisim.program import Kind, Op, Phase


def calls(site: Site) -> list[Labelled]:
    return [(op, call) for op in site.ops(Phase.LOSS) for call in KERNELS[op.kind](site, op)]


def mse(site: Site, op: Op) -> list[Call]:
    """Σ(a − t)² as a product of the differences with themselves; ∂L/∂a = 2(a − t)/(B·M)."""
    output, target = (site.arrays[name] for name in op.reads)
    elements = op.batch * op.outputs
    difference = site.arrays[op.writes[1]] if op.learning else site.scratch(output.shape)
    made: list[Call] = [
        partial(np.subtract, output, target, difference),
        *sum_up(site, difference.reshape(-1), site.total, squared=True),
    ]
    if op.learning:
        made.append(partial(np.multiply, difference, site.constant(2.0 / elements), difference))
    return made


def cross_entropy(site: Site, op: Op) -> list[Call]:
    """Rows are shifted by their largest value first, so that exp cannot overflow (the usual log-sum-exp).

    The largest value's exp is 1. The sum of the others' stays by itself, and log1p takes it, so that small losses keep their
    digits; that sum, its logarithm and the sum over rows are in double precision.
    """
    logits, target = (site.arrays[name] for name in op.reads)
    dtype, rows = site.program.dtype, op.batch
    exps = site.arrays[op.writes[1]] if op.learning else site.scratch(logits.shape)
    largest, chosen = np.zeros(rows, dtype), np.zeros(rows, dtype)
    rest, logs, wide_chosen = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    first_of_row = np.arange(rows, dtype=np.intp) * op.outputs
    columns, best, places = (np.zeros(rows, np.intp) for _ in range(3))
    one, none = np.ones((), dtype), np.full((), -np.inf, dtype)
    flat = exps.reshape(-1)
    sums: list[Call] = []
    for part in tiles(rows, op.outputs):
        wide, widening = widened(site, exps[part])
        sums += [*widening, partial(np.dot, wide, np.ones(op.outputs), rest[part])]
    made: list[Call] = [
        # The place of the largest and then its value: `maximum.reduce` takes twice as long.
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
        *sum_up(site, logs, site.total),
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
            partial(np.subtract, chosen, site.constant(1.0 / rows), chosen),
            partial(flat.put, places, chosen),
        ]
    return made


def binary_cross_entropy(site: Site, op: Op) -> list[Call]:
    """Terms (max(z, 0) − z·t) + log1p(e), e = exp(−|z|), in this order; σ(z) = (1 or e, by z's sign) / (1 + e)."""
    logits, target = (site.arrays[name] for name in op.reads)
    shape, dtype = logits.shape, site.program.dtype
    e, terms, above = (np.zeros(shape, dtype) for _ in range(3))
    zero, one = site.constant(0.0), site.constant(1.0)
    made: list[Call] = [
        partial(np.abs, logits, e),
        partial(np.negative, e, e),
        partial(np.exp, e, e),
        partial(np.multiply, logits, target, terms),
        partial(np.maximum, logits, np.zeros(shape, dtype), out=above),
        partial(np.subtract, above, terms, terms),
    ]
    if op.learning:
        gradient = site.arrays[op.writes[1]]
        negative = np.zeros(shape, bool)
        made += [
            partial(np.less, logits, zero, negative),
            partial(np.copyto, gradient, one),
            partial(np.copyto, gradient, e, where=negative),
            partial(np.add, e, one, above),
            partial(np.divide, gradient, above, gradient),
            partial(np.subtract, gradient, target, gradient),
            partial(np.multiply, gradient, site.constant(1.0 / logits.size), gradient),
        ]
    return [
        *made,
        partial(np.log1p, e, e),
        partial(np.add, terms, e, terms),
        *sum_up(site, terms.reshape(-1), site.total),
    ]


def correct_classes(site: Site, op: Op) -> list[Call]:
    """Rows whose largest output is the target's."""
    output, target = (site.arrays[name] for name in op.reads)
    best, right = np.zeros(op.batch, np.intp), np.zeros(op.batch, bool)
    return [
        partial(np.argmax, output, 1, best),
        partial(np.equal, best, target, right),
        partial(np.add.reduce, right, 0, np.int64, site.arrays["correct"]),
    ]


def correct_outputs(site: Site, op: Op) -> list[Call]:
    """Outputs on the target's side: logit above 0 for a target above ½."""
    output, target = (site.arrays[name] for name in op.reads)
    above, wanted = np.zeros(output.shape, bool), np.zeros(output.shape, bool)
    return [
        partial(np.greater, output, site.constant(0.0), above),
        partial(np.greater, target, site.constant(0.5), wanted),
        partial(np.equal, above, wanted, above),
        partial(np.add.reduce, above.reshape(-1), 0, np.int64, site.arrays["correct"]),
    ]


KERNELS: dict[Kind, Callable[[Site, Op], list[Call]]] = {
    Kind.MSE: mse,
    Kind.CROSS_ENTROPY: cross_entropy,
    Kind.BINARY_CROSS_ENTROPY: binary_cross_entropy,
    Kind.CORRECT_CLASSES: correct_classes,
    Kind.CORRECT_OUTPUTS: correct_outputs,
}
