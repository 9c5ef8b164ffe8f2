"""Least squares in which no unknown may be below a bound, and how well a table of data tells the unknowns apart.

It does not know what the unknowns are.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10


def condition(matrix: Floats) -> float:
    """How nearly one column of (rows, columns) is made of the others: 1 not at all, infinite where it is.

    The largest over the smallest singular value of the columns at unit length, the condition index of Belsley, Kuh and Welsch,
    Regression Diagnostics (1980), who call it severe from 30 on.
    """
    values = np.linalg.svd(matrix / np.linalg.norm(matrix, axis=0), compute_uv=False)
    # Fewer rows than columns leave some of them free.
    return float(values[0] / values[-1]) if len(matrix) >= matrix.shape[1] and values[-1] > 0 else float("inf")


def solve(matrix: Floats, target: Floats) -> tuple[Floats, Floats]:
    """The x with no element below 0 for which |matrix · x − target| is least, and its elements' standard errors.

    An error is nan where x is held at 0, and where there are no more rows than unknowns.
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


def bounded(matrix: Floats, target: Floats, floor: Floats) -> Floats:
    """Return the x ≥ floor for which |matrix · x − target| is least: floor + y with y ≥ 0."""
    return floor + nonnegative(matrix, target - matrix @ floor)


ROUNDS, DAMPING = 30, 0.7
"""Of `proportional`: reweightings, and how far each goes towards its answer."""
SETTLED = 1e-4
"""Where no row moves by more than so small a part of itself, it is there."""
FAR_OFF, ORDINARY = 1.0, 0.3
"""Natural logarithms: no row pulls by more than the first, and one that is off by more than the second weighs less."""


def proportional(matrix: Floats, target: Floats, floor: Floats | None = None) -> Floats:
    """The x ≥ floor for which log(matrix · x / target) is least squared: half as much is as wrong as twice as much.

    `matrix` is (rows, unknowns), `target` (rows,) above 0 and `floor` (unknowns,), 0 unless given. Least squares of
    matrix · x / target, where this starts, is not enough: ten times too much is off by 9 there and a tenth by 0.9, so what makes
    a few rows large is left out. Gauss-Newton steps on the logarithm, each a `bounded`; rows that are far off weigh less, by
    Huber's weights.
    """
    ratios = matrix / target[:, None]
    floor = np.zeros(matrix.shape[1]) if floor is None else floor
    x = bounded(ratios, np.ones(len(target)), floor)
    for _ in range(ROUNDS):
        found = np.maximum(ratios @ x, math.exp(-7.0))
        off = -np.log(found)
        weights = np.minimum(1.0, np.sqrt(ORDINARY / np.maximum(np.abs(off), ORDINARY)))
        aim = 1.0 + np.clip(off, -FAR_OFF, FAR_OFF)
        step = DAMPING * (bounded(ratios * (weights / found)[:, None], weights * aim, floor) - x)
        x = x + step
        if np.abs(ratios @ step / found).max() < SETTLED:
            break
    return x


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
