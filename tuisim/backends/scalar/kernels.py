"""Kernels in plain Python loops that tally what they execute; written to be compared with the ledger, not to be fast."""

from __future__ import annotations

import math
from collections.abc import Callable

from tuisim.backends.scalar.activations import ACTIVATIONS
from tuisim.backends.scalar.buffers import ScalarBuffers, ScalarTally
from tuisim.program import Kind, Op

Kernel = Callable[[Op, ScalarBuffers, ScalarTally], None]
Formula = Callable[..., tuple[float, ...]]


def elementwise(**counts: int) -> Callable[[Callable[[Op, ScalarBuffers], Formula]], Kernel]:
    """Return a decorator that turns a formula for one element, of `counts` scalar operations, into a kernel.

    The formula takes one element of each buffer that the operation reads (a buffer of one element is repeated) and returns one
    element for each buffer that it writes. The decorated function returns the formula with the constants of the operation.
    """

    def decorate(make: Callable[[Op, ScalarBuffers], Formula]) -> Kernel:
        def kernel(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
            first, *others = (buffers.get(name) for name in op.reads)
            columns = (other * len(first) if len(other) == 1 else other for other in others)
            results = list(map(make(op, buffers), first, *columns))
            for kind, number in counts.items():
                setattr(tally, kind, getattr(tally, kind) + number * len(results))
            for name, values in zip(op.writes, zip(*results, strict=True), strict=True):
                buffers.put(name, list(values))

        return kernel

    return decorate


def _dot(xs: list[float], ys: list[float], tally: ScalarTally) -> float:
    """Return Σ x·y: one multiplication per term, one addition fewer."""
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


def _sum(xs: list[float], tally: ScalarTally) -> float:
    """Return Σ x: one addition fewer than there are terms."""
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


def _dense(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    inputs, weights, bias = (buffers.get(name) for name in op.reads)
    columns, out = _columns(weights, op.outputs), []
    for row in _rows(inputs, op.inputs):
        for column, b in zip(columns, bias, strict=True):
            out.append(_dot(row, column, tally) + b)
            tally.add += 1
    buffers.put(op.writes[0], out)


@elementwise(activation=1)
def _activation(op: Op, buffers: ScalarBuffers) -> Formula:
    assert op.function is not None
    f = ACTIVATIONS[op.function].value
    return lambda z: (f(z),)


@elementwise(derivative=1, multiply=1)
def _activation_gradient(op: Op, buffers: ScalarBuffers) -> Formula:
    assert op.function is not None
    derivative = ACTIVATIONS[op.function].derivative
    return lambda g, z, a: (g * derivative(z),)


def _weight_gradient(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    inputs, delta = _columns(buffers.get(op.reads[0]), op.inputs), _columns(buffers.get(op.reads[1]), op.outputs)
    buffers.put(op.writes[0], [_dot(x, d, tally) for x in inputs for d in delta])


def _bias_gradient(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    buffers.put(op.writes[0], [_sum(d, tally) for d in _columns(buffers.get(op.reads[0]), op.outputs)])


def _input_gradient(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    delta, weights = _rows(buffers.get(op.reads[0]), op.outputs), _rows(buffers.get(op.reads[1]), op.outputs)
    buffers.put(op.writes[0], [_dot(d, w, tally) for d in delta for w in weights])


# ── losses ──


def _finish(op: Op, buffers: ScalarBuffers, tally: ScalarTally, terms: list[float], gradient: list[float], share: float) -> None:
    """Write the loss, `share` of the sum of its terms, and the gradient."""
    buffers.put("loss", [_sum(terms, tally) * share])
    tally.multiply += 1
    if op.learning:
        buffers.put(op.writes[1], gradient)


def _largest(row: list[float], tally: ScalarTally) -> int:
    """Return the index of the largest element, the first of equal ones."""
    best = 0
    for place in range(1, len(row)):
        best = place if row[place] > row[best] else best
        tally.compare += 1
    return best


def _mse(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    elements, gradient, squares = op.batch * op.outputs, [], []
    for a, t in zip(buffers.get(op.reads[0]), buffers.get(op.reads[1]), strict=True):
        difference = a - t
        tally.add += 1
        squares.append(difference * difference)
        tally.multiply += 1
        if op.learning:
            gradient.append(difference * (2 / elements))  # 2/E is a constant of the program
            tally.multiply += 1
    _finish(op, buffers, tally, squares, gradient, 1 / elements)


def _cross_entropy(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    terms, gradient = [], []
    for row, target in zip(_rows(buffers.get(op.reads[0]), op.outputs), buffers.get(op.reads[1]), strict=True):
        best = _largest(row, tally)
        largest, shifted, exps = row[best], [], []
        for z in row:
            shifted.append(z - largest)
            tally.add += 1
            exps.append(math.exp(shifted[-1]))
            tally.exp += 1
        # The exp of the largest output is 1: the sum of the others keeps the digits that adding 1 would lose.
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
            row_gradient = []
            for e in exps:
                row_gradient.append(e * scale)
                tally.multiply += 1
            row_gradient[int(target)] -= 1 / op.batch
            tally.add += 1
            gradient += row_gradient
    _finish(op, buffers, tally, terms, gradient, 1 / op.batch)


def _binary_cross_entropy(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    elements, terms, gradient = op.batch * op.outputs, [], []
    for z, t in zip(buffers.get(op.reads[0]), buffers.get(op.reads[1]), strict=True):
        e = math.exp(-(z if z > 0 else -z))
        tally.compare += 1
        tally.exp += 1
        above = z if z > 0 else 0.0
        tally.compare += 1
        product, one_plus_e = z * t, 1 + e
        tally.multiply += 1
        tally.add += 1
        terms.append(above - product + math.log1p(e))  # counted as the addition above and a logarithm
        tally.log += 1
        tally.add += 2
        if op.learning:
            s = (1.0 if z >= 0 else e) / one_plus_e
            tally.compare += 1
            tally.divide += 1
            gradient.append((s - t) * (1 / elements))
            tally.add += 1
            tally.multiply += 1
    _finish(op, buffers, tally, terms, gradient, 1 / elements)


KERNELS: dict[Kind, Kernel] = {
    Kind.DENSE: _dense,
    Kind.ACTIVATION: _activation,
    Kind.ACTIVATION_GRADIENT: _activation_gradient,
    Kind.WEIGHT_GRADIENT: _weight_gradient,
    Kind.BIAS_GRADIENT: _bias_gradient,
    Kind.INPUT_GRADIENT: _input_gradient,
    Kind.MSE: _mse,
    Kind.CROSS_ENTROPY: _cross_entropy,
    Kind.BINARY_CROSS_ENTROPY: _binary_cross_entropy,
}
