"""The losses as compiled loops: the mean over a batch, and its gradient.

Sums are in double precision; the mean is rounded to the program's dtype, so that values beyond it are inf and detected.
Gradients are computed only in training steps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import kernel, reduction_kernel
from tuisim.backends.numba.elementary import exp, log1p
from tuisim.backends.numba.matmul import ONE, ZERO


@reduction_kernel
def mse(p: Any, size: int, learning: int, output: int, target: int, loss: int, gradient: int) -> None:
    """Compute L = Σ(a − t)² / size; ∂L/∂a = 2(a − t) / size."""
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
def clipped_class(number: int, m: int) -> Any:
    """Return a class number, or the nearest valid one (0 to m − 1), so that wrong data cannot address another row."""
    if number < 0:
        return ZERO
    place = np.uint64(number)
    return m - ONE if place >= m else place


@kernel
def all_but_one(rest: float, maxima: float) -> float:
    """Return rest + maxima, the sum of the exps, without one maximum, whose exp is 1; subtracting first keeps `rest`'s digits."""
    return rest + (maxima - 1.0)


@kernel
def log_of_sum(rest: float, inverse: float) -> float:
    """Return log(1 + rest), given 1 / (1 + rest): a logarithm corrected for rounding, in a third of the time of `log1p`."""
    total = 1.0 + rest
    return math.log(total) + (rest - (total - 1.0)) * inverse


@kernel
def cross_entropy(
    p: Any, classes: Any, batch: int, m: int, learning: int, output: int, target: int, loss: int, gradient: int
) -> None:
    """Compute L = Σ(log Σ exp z − z_t) / B, rows shifted by their maximum; ∂L/∂z = (softmax z − onehot t) / B.

    The exp of the maximum is 1: log1p of the sum of the others keeps the digits of small losses.
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
            rest, maxima = 0.0, 0.0
            for j in range(m):
                e = exp(np.float64(p[z + j] - largest))
                rest += 0.0 if e >= 1.0 else e
                maxima += 1.0 if e >= 1.0 else 0.0
            rest = all_but_one(rest, maxima)
            mean += log_of_sum(rest, 1.0 / (1.0 + rest))
    if learning != ZERO:
        mean += softmax_gradient(p, classes, batch, m, target, gradient)
    p[loss] = p.dtype.type(mean / batch)


@reduction_kernel
def softmax_gradient(p: Any, classes: Any, batch: int, m: int, target: int, gradient: int) -> float:
    """Replace the shifted outputs by (softmax − onehot) / B, and return Σ log Σ exp of them."""
    real = p.dtype.type
    for j in range(batch * m):  # over all rows at once: one row may be too short for SIMD
        p[gradient + j] = real(exp(np.float64(p[gradient + j])))
    logs, share = 0.0, 1.0 / batch
    for i in range(batch):
        g = gradient + i * m
        rest, maxima = 0.0, 0.0
        for j in range(m):
            e = np.float64(p[g + j])
            rest += 0.0 if e >= 1.0 else e
            maxima += 1.0 if e >= 1.0 else 0.0
        rest = all_but_one(rest, maxima)
        inverse = 1.0 / (1.0 + rest)
        logs += log_of_sum(rest, inverse)
        scale = real(inverse * share)
        for j in range(m):
            p[g + j] *= scale
        p[g + clipped_class(classes[target + i], m)] -= real(share)
    return logs


@reduction_kernel
def binary_cross_entropy(p: Any, size: int, learning: int, output: int, target: int, loss: int, gradient: int) -> None:
    """Compute L = Σ(max(z, 0) − z·t + log(1 + e)) / size, e = exp(−|z|); ∂L/∂z = (σ(z) − t) / size."""
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
