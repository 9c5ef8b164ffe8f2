"""Least squares for a few unknowns of which none may be negative, exactly, and how well a table of data tells them apart.

It does not know what the unknowns are.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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

    Every choice of columns is solved without the rest, and of those that come out above 0 the best is taken: for few columns
    that is exact and no slower. An error is nan where x is held at 0, and where there are no more rows than unknowns.
    """
    lengths = np.linalg.norm(matrix, axis=0)
    scaled, count = matrix / lengths, matrix.shape[1]
    best, least = np.zeros(count), float(target @ target)
    chosen: tuple[int, ...] = ()
    for active in (one for size in range(1, count + 1) for one in combinations(range(count), size)):
        columns = list(active)
        found = np.linalg.lstsq(scaled[:, columns], target, rcond=None)[0]
        rest = target - scaled[:, columns] @ found
        if (found > 0).all() and float(rest @ rest) < least:
            best, chosen, least = np.zeros(count), active, float(rest @ rest)
            best[columns] = found
    errors, free = np.full(count, np.nan), len(target) - len(chosen)
    if chosen and free > 0:
        columns = list(chosen)
        spread = np.linalg.pinv(scaled[:, columns].T @ scaled[:, columns])
        errors[columns] = np.sqrt(np.maximum(np.diag(spread), 0) * least / free)
    return best / lengths, errors / lengths
