"""The losses' kernels: the sum over a batch, and the gradient of its mean, which the way back begins with.

Each leaves the *sum* of its terms in `loss`; the bound step multiplies by 1/E once when it reads it. Formulas and the
counting convention are in `accounting.formulas`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuisim.backends.labels import Call, Labelled
from tuisim.backends.numpy.site import Site
from tuisim.program import Kind, Op, Phase


def calls(site: Site) -> list[Labelled]:
    return [(op, call) for op in site.ops(Phase.LOSS) for call in KERNELS[op.kind](site, op)]


def mse(site: Site, op: Op) -> list[Call]:
    """Σ(a − t)² as a product of the differences with themselves; ∂L/∂a = 2(a − t)/(B·M)."""
    output, target = (site.arrays[name] for name in op.reads)
    elements = op.batch * op.outputs
    difference = site.arrays[op.writes[1]] if op.learning else site.scratch(output.shape)
    flat = difference.reshape(-1)
    made: list[Call] = [
        partial(np.subtract, output, target, difference),
        partial(np.dot, flat, flat, site.arrays["loss"]),
    ]
    if op.learning:
        made.append(partial(np.multiply, difference, site.constant(2.0 / elements), difference))
    return made


def cross_entropy(site: Site, op: Op) -> list[Call]:
    """Rows are shifted by their largest value first, so that exp cannot overflow (the usual log-sum-exp)."""
    logits, target = (site.arrays[name] for name in op.reads)
    dtype, rows = site.program.dtype, op.batch
    exps = site.arrays[op.writes[1]] if op.learning else site.scratch(logits.shape)
    largest, sums, chosen = (np.zeros(rows, dtype) for _ in range(3))
    first_of_row = np.arange(rows) * op.outputs
    places = np.zeros(rows, np.int64)
    ones_row, ones = np.ones(op.outputs, dtype), np.ones(rows, dtype)
    flat = exps.reshape(-1)
    made: list[Call] = [
        partial(np.maximum.reduce, logits, 1, None, largest),
        partial(np.subtract, logits, largest.reshape(-1, 1), exps),
        partial(np.add, first_of_row, target, places),
        partial(flat.take, places, 0, chosen, "clip"),
        partial(np.exp, exps, exps),
        partial(np.dot, exps, ones_row, sums),
        partial(np.log, sums, largest),
        partial(np.subtract, largest, chosen, largest),
        partial(np.dot, largest, ones, site.arrays["loss"]),
    ]
    if op.learning:
        made += [
            partial(np.multiply, sums, site.constant(float(rows)), sums),
            partial(np.divide, site.constant(1.0), sums, sums),
            partial(np.multiply, exps, sums.reshape(-1, 1), exps),
            partial(flat.take, places, 0, chosen, "clip"),
            partial(np.subtract, chosen, site.constant(1.0 / rows), chosen),
            partial(flat.put, places, chosen),
        ]
    return made


def binary_cross_entropy(site: Site, op: Op) -> list[Call]:
    """Terms max(z, 0) − z·t + log(1 + e), e = exp(−|z|); σ(z) = (1 or e, by z's sign) / (1 + e)."""
    logits, target = (site.arrays[name] for name in op.reads)
    shape, dtype = logits.shape, site.program.dtype
    e, terms, logs = (np.zeros(shape, dtype) for _ in range(3))
    ones = np.ones(logits.size, dtype)
    one, zero = site.constant(1.0), site.constant(0.0)
    made: list[Call] = [
        partial(np.abs, logits, e),
        partial(np.negative, e, e),
        partial(np.exp, e, e),
        partial(np.multiply, logits, target, terms),
        partial(np.add, e, one, logs),
    ]
    if op.learning:
        gradient = site.arrays[op.writes[1]]
        negative = np.zeros(shape, bool)
        made += [
            partial(np.less, logits, zero, negative),
            partial(np.copyto, gradient, one),
            partial(np.copyto, gradient, e, where=negative),
            partial(np.divide, gradient, logs, gradient),
            partial(np.subtract, gradient, target, gradient),
            partial(np.multiply, gradient, site.constant(1.0 / logits.size), gradient),
        ]
    return [
        *made,
        partial(np.log, logs, logs),
        partial(np.subtract, logs, terms, logs),
        partial(np.maximum, logits, zero, out=terms),
        partial(np.add, logs, terms, logs),
        partial(np.dot, logs.reshape(-1), ones, site.arrays["loss"]),
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
