"""The losses as compiled loops: the mean over a batch, the gradient of it, and how many answers are right.

Sums are taken in double precision; the mean is rounded to the program's dtype, so that what lies beyond it is inf and
found. Where no gradient is wanted the loops that make it are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import kernel, product
from tuisim.backends.numba.elementary import exp, log1p
from tuisim.backends.numba.products import ONE, ZERO


@product
def mse(p: Any, size: int, learning: int, output: int, target: int, loss: int, gradient: int) -> None:
    """L = Σ(a − t)² / size; ∂L/∂a = 2(a − t) / size."""
    real = p.dtype.type
    total = 0.0
    for j in range(size):
        difference = p[output + j] - p[target + j]
        total += np.float64(difference) * np.float64(difference)
    p[loss] = real(total / size)
    if learning != ZERO:
        scale = real(2.0 / size)
        for j in range(size):
            p[gradient + j] = (p[output + j] - p[target + j]) * scale


@kernel
def clipped_class(wanted: int, m: int) -> Any:
    """A class number as an offset that stays inside its row, whatever the data hold."""
    if wanted < 0:
        return ZERO
    place = np.uint64(wanted)
    return m - ONE if place >= m else place


@kernel
def all_but_one(rest: float, largest_ones: float) -> float:
    """The sum without one of the largest, whose exp is 1; here, so that it is not reordered, which would round `rest` away."""
    return rest + (largest_ones - 1.0)


@kernel
def log_of_sum(rest: float, inverse: float) -> float:
    """log(1 + rest), given 1 / (1 + rest): a logarithm and what rounding 1 + rest took from it, at a third of `log1p`'s time."""
    total = 1.0 + rest
    return math.log(total) + (rest - (total - 1.0)) * inverse


@kernel
def cross_entropy(
    p: Any, classes: Any, batch: int, m: int, learning: int, output: int, target: int, loss: int, gradient: int
) -> None:
    """L = Σ(log Σ exp z − z_t) / B, rows shifted by their largest value; ∂L/∂z = (softmax z − onehot t) / B.

    The largest value's exp is 1: log1p takes the sum of the others', so that small losses keep their digits.
    """
    mean = 0.0
    for i in range(batch):
        z = output + i * m
        largest = p[z]
        for j in range(m):
            largest = max(largest, p[z + j])
        mean -= np.float64(p[z + clipped_class(classes[target + i], m)] - largest)
        if learning != ZERO:
            for j in range(m):
                p[gradient + i * m + j] = p[z + j] - largest
        else:
            rest, largest_ones = 0.0, 0.0
            for j in range(m):
                e = exp(np.float64(p[z + j] - largest))
                rest += 0.0 if e >= 1.0 else e
                largest_ones += 1.0 if e >= 1.0 else 0.0
            rest = all_but_one(rest, largest_ones)
            mean += log_of_sum(rest, 1.0 / (1.0 + rest))
    if learning != ZERO:
        mean += softmax_gradient(p, classes, batch, m, target, gradient)
    p[loss] = p.dtype.type(mean / batch)


@product
def softmax_gradient(p: Any, classes: Any, batch: int, m: int, target: int, gradient: int) -> float:
    """(softmax − onehot) / B in place of the shifted outputs, and Σ log Σ exp of them."""
    real = p.dtype.type
    for j in range(batch * m):  # over all rows at once: a row alone may be too short for the processor's lanes
        p[gradient + j] = real(exp(np.float64(p[gradient + j])))
    logs, share = 0.0, 1.0 / batch
    for i in range(batch):
        g = gradient + i * m
        rest, largest_ones = 0.0, 0.0
        for j in range(m):
            e = np.float64(p[g + j])
            rest += 0.0 if e >= 1.0 else e
            largest_ones += 1.0 if e >= 1.0 else 0.0
        rest = all_but_one(rest, largest_ones)
        inverse = 1.0 / (1.0 + rest)
        logs += log_of_sum(rest, inverse)
        scale = real(inverse * share)
        for j in range(m):
            p[g + j] *= scale
        p[g + clipped_class(classes[target + i], m)] -= real(share)
    return logs


@product
def binary_cross_entropy(p: Any, size: int, learning: int, output: int, target: int, loss: int, gradient: int) -> None:
    """L = Σ(max(z, 0) − z·t + log(1 + e)) / size, e = exp(−|z|); ∂L/∂z = (σ(z) − t) / size."""
    real = p.dtype.type
    total = 0.0
    for j in range(size):
        z, t = np.float64(p[output + j]), np.float64(p[target + j])
        above = 0.0 if z <= 0.0 else z
        total += above - z * t + log1p(exp(-abs(z)))
    p[loss] = real(total / size)
    if learning != ZERO:
        scale = 1.0 / size
        for j in range(size):
            z, t = np.float64(p[output + j]), np.float64(p[target + j])
            e = exp(-abs(z))
            s = (e if z < 0.0 else 1.0) / (1.0 + e)
            p[gradient + j] = real((s - t) * scale)


@kernel
def correct_classes(p: Any, integers: Any, batch: int, m: int, output: int, target: int, correct: int) -> None:
    """Rows whose largest output, the first where there are several, is the target's."""
    right = 0
    for i in range(batch):
        z = output + i * m
        best = ZERO
        for j in range(m):
            if p[z + j] > p[z + best]:
                best = j
        right += 1 if np.int64(best) == integers[target + i] else 0
    integers[correct] = right


@kernel
def correct_outputs(p: Any, integers: Any, size: int, output: int, target: int, correct: int) -> None:
    """Outputs on the target's side: logit above 0 for a target above ½."""
    right = 0
    for j in range(size):
        right += 1 if (p[output + j] > 0.0) == (p[target + j] > 0.5) else 0
    integers[correct] = right
