"""Every kind of operation in plain Python loops, one line of arithmetic and one of tallying at a time.

Written to be checked by eye against the ledger's formulas, not to be fast. Each kernel reads the buffers its operation
names, writes the ones it names, and adds to the tally what it has just done.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tuisim.backends.scalar.activations import ACTIVATIONS
from tuisim.backends.scalar.memory import Memory
from tuisim.backends.scalar.tally import Tally
from tuisim.program import Kind, Op

Kernel = Callable[[Op, Memory, Tally], None]


def _dot(xs: list[float], ys: list[float], tally: Tally) -> float:
    """Σ x·y: as many products as there are terms, one addition less."""
    pairs = zip(xs, ys, strict=True)
    x, y = next(pairs)
    total = x * y
    multiplications, additions = 1, 0
    for x, y in pairs:
        total += x * y
        multiplications += 1
        additions += 1
    tally.multiply += multiplications
    tally.add += additions
    return total


def _sum(xs: list[float], tally: Tally) -> float:
    """Σ x: one addition less than there are terms."""
    terms = iter(xs)
    total, additions = next(terms), 0
    for x in terms:
        total += x
        additions += 1
    tally.add += additions
    return total


def _rows(values: list[float], width: int) -> list[list[float]]:
    return [values[first : first + width] for first in range(0, len(values), width)]


def _columns(values: list[float], width: int) -> list[list[float]]:
    return [values[first::width] for first in range(width)]


def dense(op: Op, memory: Memory, tally: Tally) -> None:
    inputs, weights, bias = (memory.get(name) for name in op.reads)
    columns, out = _columns(weights, op.outputs), []
    for row in _rows(inputs, op.inputs):
        for column, b in zip(columns, bias, strict=True):
            out.append(_dot(row, column, tally) + b)
            tally.add += 1
    memory.put(op.writes[0], out)


def activation(op: Op, memory: Memory, tally: Tally) -> None:
    assert op.function is not None
    f, out = ACTIVATIONS[op.function].value, []
    for z in memory.get(op.reads[0]):
        out.append(f(z))
        tally.activation += 1
    memory.put(op.writes[0], out)


def activation_gradient(op: Op, memory: Memory, tally: Tally) -> None:
    assert op.function is not None
    slope, out = ACTIVATIONS[op.function].slope, []
    for g, z in zip(memory.get(op.reads[0]), memory.get(op.reads[1]), strict=True):
        d = slope(z)
        tally.derivative += 1
        out.append(g * d)
        tally.multiply += 1
    memory.put(op.writes[0], out)


def weight_gradient(op: Op, memory: Memory, tally: Tally) -> None:
    inputs, delta = _columns(memory.get(op.reads[0]), op.inputs), _columns(memory.get(op.reads[1]), op.outputs)
    memory.put(op.writes[0], [_dot(x, d, tally) for x in inputs for d in delta])


def bias_gradient(op: Op, memory: Memory, tally: Tally) -> None:
    memory.put(op.writes[0], [_sum(d, tally) for d in _columns(memory.get(op.reads[0]), op.outputs)])


def input_gradient(op: Op, memory: Memory, tally: Tally) -> None:
    delta, weights = _rows(memory.get(op.reads[0]), op.outputs), _rows(memory.get(op.reads[1]), op.outputs)
    memory.put(op.writes[0], [_dot(d, w, tally) for d in delta for w in weights])


# ── losses ──


def mse(op: Op, memory: Memory, tally: Tally) -> None:
    elements, gradient, squares = op.batch * op.outputs, [], []
    for a, t in zip(memory.get(op.reads[0]), memory.get(op.reads[1]), strict=True):
        difference = a - t
        tally.add += 1
        squares.append(difference * difference)
        tally.multiply += 1
        if op.learning:
            gradient.append(difference * (2 / elements))  # 2/E is a constant of the program
            tally.multiply += 1
    memory.put("loss", [_sum(squares, tally) * (1 / elements)])
    tally.multiply += 1
    if op.learning:
        memory.put(op.writes[1], gradient)


def cross_entropy(op: Op, memory: Memory, tally: Tally) -> None:
    terms, gradient = [], []
    for row, target in zip(_rows(memory.get(op.reads[0]), op.outputs), memory.get(op.reads[1]), strict=True):
        best = 0
        for place in range(1, op.outputs):
            best = place if row[place] > row[best] else best
            tally.compare += 1
        largest, shifted, exps = row[best], [], []
        for z in row:
            shifted.append(z - largest)
            tally.add += 1
            exps.append(math.exp(shifted[-1]))
            tally.exp += 1
        # The largest output's exp is 1: the others' sum keeps the digits that adding it to 1 would lose.
        others = exps[:best] + exps[best + 1 :]
        rest, total = 0.0, 1.0
        if others:
            rest = _sum(others, tally)
            total = 1 + rest
            tally.add += 1
        terms.append(math.log1p(rest) - shifted[int(target)])
        tally.log += 1
        tally.add += 1
        if op.learning:
            scale = 1 / (total * op.batch)
            tally.multiply += 1
            tally.divide += 1
            slopes = []
            for e in exps:
                slopes.append(e * scale)
                tally.multiply += 1
            slopes[int(target)] -= 1 / op.batch
            tally.add += 1
            gradient += slopes
    memory.put("loss", [_sum(terms, tally) * (1 / op.batch)])
    tally.multiply += 1
    if op.learning:
        memory.put(op.writes[1], gradient)


def binary_cross_entropy(op: Op, memory: Memory, tally: Tally) -> None:
    elements, terms, gradient = op.batch * op.outputs, [], []
    for z, t in zip(memory.get(op.reads[0]), memory.get(op.reads[1]), strict=True):
        e = math.exp(-(z if z > 0 else -z))
        tally.compare += 1
        tally.exp += 1
        above = z if z > 0 else 0.0
        tally.compare += 1
        product, one_more = z * t, 1 + e
        tally.multiply += 1
        tally.add += 1
        terms.append(above - product + math.log1p(e))  # counted as the addition above and a logarithm
        tally.log += 1
        tally.add += 2
        if op.learning:
            s = (1.0 if z >= 0 else e) / one_more
            tally.compare += 1
            tally.divide += 1
            gradient.append((s - t) * (1 / elements))
            tally.add += 1
            tally.multiply += 1
    memory.put("loss", [_sum(terms, tally) * (1 / elements)])
    tally.multiply += 1
    if op.learning:
        memory.put(op.writes[1], gradient)


def correct_classes(op: Op, memory: Memory, tally: Tally) -> None:
    right = []
    for row, target in zip(_rows(memory.get(op.reads[0]), op.outputs), memory.get(op.reads[1]), strict=True):
        best = 0
        for place in range(1, op.outputs):
            best = place if row[place] > row[best] else best
            tally.compare += 1
        right.append(1.0 if best == target else 0.0)
        tally.compare += 1
    memory.put("correct", [_sum(right, tally)])


def correct_outputs(op: Op, memory: Memory, tally: Tally) -> None:
    right = []
    for z, t in zip(memory.get(op.reads[0]), memory.get(op.reads[1]), strict=True):
        above, wanted = z > 0, t > 0.5
        tally.compare += 2
        right.append(1.0 if above == wanted else 0.0)
        tally.compare += 1
    memory.put("correct", [_sum(right, tally)])


KERNELS: dict[Kind, Kernel] = {
    Kind.DENSE: dense,
    Kind.ACTIVATION: activation,
    Kind.ACTIVATION_GRADIENT: activation_gradient,
    Kind.WEIGHT_GRADIENT: weight_gradient,
    Kind.BIAS_GRADIENT: bias_gradient,
    Kind.INPUT_GRADIENT: input_gradient,
    Kind.MSE: mse,
    Kind.CROSS_ENTROPY: cross_entropy,
    Kind.BINARY_CROSS_ENTROPY: binary_cross_entropy,
    Kind.CORRECT_CLASSES: correct_classes,
    Kind.CORRECT_OUTPUTS: correct_outputs,
}
