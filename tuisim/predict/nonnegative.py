"""Least squares in which no unknown may be below zero, for as many unknowns as there are.

It does not know what the unknowns are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10


def nonnegative(matrix: Floats, target: Floats) -> Floats:
    """The x ≥ 0 for which |matrix · x − target| is least: the active-set method of Lawson & Hanson (1974), chapter 23.

    `matrix` is (rows, unknowns), `target` (rows,). Columns are brought to unit length first, so their units do not matter.
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
    """The best over the free unknowns; those that would fall below zero are held there and `free` says so."""
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
