"""The step as one compiled function, which executes a table of operations for each batch of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tuisim.backends.numba import activations, layers, losses, updates
from tuisim.backends.numba.clock import ticks
from tuisim.backends.numba.compiler import inline_source, kernel
from tuisim.backends.numba.gemm import gemm
from tuisim.backends.numba.matmul import ONE, ZERO, matmul
from tuisim.backends.numba.table import (
    BATCH,
    CALL,
    FUNCTION,
    INPUTS,
    KIND,
    KINDS,
    LEARNING,
    OPERANDS,
    OUTPUTS,
    PARAMETERS,
    PHASE,
    READ,
    WRITE,
)  # fmt: skip
from tuisim.program import Kind

BEGIN, MIDDLE, END, LOSS, SPAN = range(5)
"""Indexes in `span`: the first operation, the one before which the loss is checked, the end, the offset of the loss."""

_READ1, _READ2, _READ3, _WRITE1 = READ + 1, READ + 2, READ + 3, WRITE + 1

(
    _GATHER, _DENSE, _ACTIVATION, _MSE, _CROSS_ENTROPY, _BINARY_CROSS_ENTROPY, _ACTIVATION_GRADIENT, _WEIGHT_GRADIENT,
    _BIAS_GRADIENT, _INPUT_GRADIENT, _GRADIENT_SQUARES, _CLIP_FACTOR, _CLIP, _WEIGHT_DECAY, _SCHEDULED_RATE, _DECAY_FACTOR,
    _BIAS_CORRECTION, _DECOUPLED_DECAY, _SGD, _MOMENTUM, _NESTEROV, _RMSPROP, _ADAM, _FLUSH_SUBNORMALS,
) = (KINDS[kind] for kind in Kind)  # fmt: skip
"""The codes, in the order of Kind."""


@kernel
def _place(row: int, rows: int) -> Any:
    """Clip a row number to the dataset."""
    if row < 0:
        return ZERO
    return np.uint64(rows - 1 if row >= rows else row)


@kernel
def gather(
    table: Any, number: Any, p: Any, integers: Any, inputs: Any, targets: Any, classes: Any, rows: Any, first: int
) -> None:
    """Load the batch; targets are class numbers if `classes` is not empty."""
    batch, width = table[number, BATCH], np.uint64(inputs.shape[1])
    numbers, x, y = table[number, READ], table[number, WRITE], table[number, _WRITE1]
    for i in range(batch):
        row = rows[first + i]
        integers[numbers + i] = row
        place = _place(row, inputs.shape[0])
        for j in range(width):
            p[x + i * width + j] = inputs[place, j]
        if classes.size:
            integers[y + i] = classes[place]
        else:
            outputs = np.uint64(targets.shape[1])
            for j in range(outputs):
                p[y + i * outputs + j] = targets[place, j]


@inline_source
def compute(table: Any, number: Any, p: Any, s: Any, integers: Any) -> bool:
    """Execute an operation of the forward pass, the loss or the backward pass; return False for any other."""
    kind, batch, n, m = table[number, KIND], table[number, BATCH], table[number, INPUTS], table[number, OUTPUTS]
    r0, r1, r2, w0 = table[number, READ], table[number, _READ1], table[number, _READ2], table[number, WRITE]
    call = table[number, CALL]
    if kind == _DENSE and call != ZERO:
        layers.dense_by_blas(call, p, s, batch, n, m, r0, r1, r2, w0)
    elif kind == _WEIGHT_GRADIENT and call != ZERO:
        gemm(call, True, False, n, m, batch, p, r0, p, r1, p.dtype.type(0), s, w0)  # xᵀ·d
    elif kind == _INPUT_GRADIENT and call != ZERO:
        gemm(call, False, True, batch, n, m, p, r0, s, r1, p.dtype.type(0), p, w0)  # d·Wᵀ
    elif kind == _DENSE:
        matmul(p, r0, n, ONE, batch, n, s, r1, m, p, w0, s, r2, ONE)  # each row of z is b plus a weighted sum of the rows of W
    elif kind == _ACTIVATION:
        activations.activate(table[number, FUNCTION], p, batch * m, r0, w0)
    elif kind == _ACTIVATION_GRADIENT:
        activations.gradient(table[number, FUNCTION], p, batch * m, r0, r1, r2, w0)
    elif kind == _WEIGHT_GRADIENT:
        matmul(p, r0, ONE, n, n, batch, p, r1, m, s, w0, s, ZERO, ZERO)  # each row of gW is a weighted sum of the rows of d
    elif kind == _BIAS_GRADIENT:
        layers.bias_gradient(p, s, batch, m, r0, w0)
    elif kind == _INPUT_GRADIENT:
        layers.input_gradient(p, s, batch, n, m, r0, r1, w0, r2)
    elif kind == _MSE:
        losses.mse(p, batch * m, table[number, LEARNING], r0, r1, w0, table[number, _WRITE1])
    elif kind == _CROSS_ENTROPY:
        losses.cross_entropy(p, integers, batch, m, table[number, LEARNING], r0, r1, w0, table[number, _WRITE1])
    elif kind == _BINARY_CROSS_ENTROPY:
        losses.binary_cross_entropy(p, batch * m, table[number, LEARNING], r0, r1, w0, table[number, _WRITE1])
    else:
        return False
    return True


@inline_source
def update(table: Any, number: Any, p: Any, s: Any, scalars: Any, constants: Any) -> bool:
    """Execute an operation of the update; return False for any other."""
    kind, size = table[number, KIND], table[number, PARAMETERS]
    r0, r1, r2, r3 = table[number, READ], table[number, _READ1], table[number, _READ2], table[number, _READ3]
    w0 = table[number, WRITE]
    if kind == _SGD:
        updates.sgd(s, scalars, size, r0, r1)
    elif kind == _MOMENTUM:
        updates.momentum(s, scalars, constants, size, r0, r1, r2)
    elif kind == _NESTEROV:
        updates.nesterov(s, scalars, constants, size, r0, r1, r2)
    elif kind == _RMSPROP:
        updates.rmsprop(s, scalars, constants, size, r0, r1, r2)
    elif kind == _ADAM:
        updates.adam(s, scalars, constants, size, r0, r1, r2, r3)
    elif kind == _GRADIENT_SQUARES:
        updates.gradient_squares(p, s, scalars, size, table[number, OPERANDS], r0, w0)
    elif kind == _CLIP_FACTOR:
        updates.clip_factor(p, scalars, constants, w0)
    elif kind == _CLIP:
        updates.clip(p, s, size, r0, r1, w0)
    elif kind == _WEIGHT_DECAY:
        updates.weight_decay(s, constants, size, r0, r1, w0)
    elif kind == _DECOUPLED_DECAY:
        updates.decoupled_decay(s, scalars, size, r0)
    elif kind == _SCHEDULED_RATE:
        updates.scheduled_rate(scalars, constants)
    elif kind == _DECAY_FACTOR:
        updates.decay_factor(scalars, constants)
    elif kind == _BIAS_CORRECTION:
        updates.bias_correction(scalars, constants)
    elif kind == _FLUSH_SUBNORMALS:
        pass  # done by the rule before it
    else:
        return False
    return True


def make(stamp: int) -> Callable[..., Any]:
    """Return the function to compile. `stamp` is never 0; see `compiler.stamp`."""

    def steps(
        table: Any, span: Any, p: Any, s: Any, integers: Any, scalars: Any, constants: Any,
        inputs: Any, targets: Any, classes: Any, rows: Any, found: Any, times: Any,
    ) -> Any:  # fmt: skip
        """Execute the operations of `span` for each batch of `rows`; return the number of batches, or −1 − kind if unknown.

        Losses are written to `found`, ticks of each phase to `times` unless that is empty.
        """
        begin, middle, end, loss = span[BEGIN], span[MIDDLE], span[END], span[LOSS]
        for step in range(found.size):
            first: Any = step * np.int64(table[0, BATCH])
            for number in range(begin, end + ONE):
                if number == middle:
                    found[step] = p[loss]
                    if p[loss] - p[loss] != 0.0:  # inf or nan
                        return step + 1
                if number == end:
                    break
                start = ticks() if times.size else ZERO
                if table[number, KIND] == _GATHER:
                    gather(table, number, p, integers, inputs, targets, classes, rows, first)
                elif not compute(table, number, p, s, integers) and not update(table, number, p, s, scalars, constants):
                    return -1 - np.int64(table[number, KIND])
                if times.size:
                    times[table[number, PHASE]] += ticks() - start
        return found.size if stamp else 0

    return steps
