"""Non-negative least squares, and the condition of a matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10


def condition(matrix: Floats) -> float:
    """Return the condition index of (rows, columns): 1 for orthogonal columns, infinite for dependent ones.

    The largest over the smallest singular value of the columns at unit length, the condition index of Belsley, Kuh and Welsch,
    Regression Diagnostics (1980), who call it severe from 30 on.
    """
    values = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0), compute_uv=False)
    # Fewer rows than columns leave some of them free.
    return float(values[0] / values[-1]) if len(matrix) >= matrix.shape[1] and values[-1] > 0 else float("inf")


def solve(matrix: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Return the x ≥ 0 that minimizes |matrix · x − target|, and the standard errors of its elements.

    An error is nan if its element is held at 0, or if there are no more rows than unknowns.
    """
    found = nonnegative(matrix, target)
    errors, columns = np.full(len(found), np.nan), np.flatnonzero(found)
    free = len(target) - len(columns)
    if len(columns) and free > 0:
        lengths = np.linalg.norm(matrix[:, columns], axis=0)
        scaled = matrix[:, columns] / lengths
        rest = target - matrix @ found
        spread = np.linalg.pinv(scaled.T @ scaled)
        errors[columns] = np.sqrt(np.maximum(np.diag(spread), 0) * float(rest @ rest) / free) / lengths
    return found, errors


def nonnegative(matrix: Floats, target: Floats) -> Floats:
    """Return the x ≥ 0 that minimizes |matrix · x − target|: the active-set method of Lawson & Hanson (1974), chapter 23.

    `matrix` is (rows, unknowns), `target` (rows,). Columns are scaled to unit length first, so their units do not matter.
    """
    lengths = np.linalg.norm(matrix, axis=0)
    lengths[lengths == 0] = 1.0
    scaled = matrix / lengths
    gram, towards = scaled.T @ scaled, scaled.T @ target
    x, free = np.zeros(len(lengths)), np.zeros(len(lengths), bool)
    for _ in range(3 * len(lengths)):
        gain = np.where(free, -np.inf, towards - gram @ x)
        if gain.max() <= _TOLERANCE * max(1.0, float(np.abs(towards).max())):
            break
        free[gain.argmax()] = True
        x = _shrunk(gram, towards, x, free)
    found: Floats = x / lengths
    return found


def _shrunk(gram: Floats, towards: Floats, x: Floats, free: NDArray[np.bool_]) -> Floats:
    """Return the best x over the free unknowns; those that would fall below 0 are held there and cleared in `free`."""
    while free.any():
        which = np.flatnonzero(free)
        best = np.zeros_like(x)
        best[which] = np.linalg.lstsq(gram[np.ix_(which, which)], towards[which], rcond=None)[0]
        below = which[best[which] <= 0]
        if not len(below):
            return best
        step = min(x[i] / (x[i] - best[i]) if x[i] > best[i] else 0.0 for i in below)
        x = x + step * (best - x)
        x[below[x[below] <= _TOLERANCE]] = 0.0
        free &= x > 0
    return np.zeros_like(x)
