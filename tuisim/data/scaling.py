"""What is done to numbers before a network sees them: nothing, a division, or mean 0 and deviation 1.

Statistics are learned from the rows named and from no other; it does not know which of them are held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.errors import DataError

Array = NDArray[Any]
Rows = NDArray[np.intp]

_ROWS = 16_384
"""Rows worked on at a time, so that no copy of the whole in float64 is needed."""
_TINY = 1e-100
"""Deviations below this are scaled before they are squared, so that the squares do not underflow."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """(x - origin - mean) / spread per column, in float64. `origin` is a row of the data: constant columns become exactly 0."""

    origin: Array | float = 0.0
    mean: Array | float = 0.0
    spread: Array | float = 1.0
    divides: bool = False
    """Whether `spread` is all there is."""

    def apply(self, array: Array, rows: Rows, dtype: str) -> Array:
        """The rows `rows` of `array` (n, columns), scaled, as a new C-contiguous array of `dtype`."""
        result = np.empty((len(rows), *array.shape[1:]), dtype=dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), _ROWS):
                part, target = array[rows[start : start + _ROWS]], result[start : start + _ROWS]
                if self is AS_GIVEN:
                    target[...] = part
                elif self.divides and part.dtype == np.uint8:
                    # Bytes are exact in any of the run's types, so the way through float64 would only cost time.
                    np.divide(part, self.spread, out=target, dtype=target.dtype)
                else:
                    target[...] = ((part.astype(np.float64) - self.origin) - self.mean) / self.spread
        return result


AS_GIVEN = Scaling()


def dividing(by: float) -> Scaling:
    return Scaling(spread=by, divides=True)


def standardising(what: str, array: Array, rows: Rows) -> Scaling:
    """Mean 0 and deviation 1 over the rows `rows` of `array` (n, columns); a column with one value becomes 0.

    Raises DataError where a column's numbers are too large for that.
    """
    origin = array[rows[0]].astype(np.float64)
    total, squares, largest = (np.zeros_like(origin) for _ in range(3))
    parts = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        for part in parts:
            away = array[part].astype(np.float64) - origin
            total += away.sum(axis=0)
            largest = np.maximum(largest, np.abs(away).max(axis=0))
        mean = total / len(rows)
        unit = np.where((largest > 0) & (largest < _TINY), largest, 1.0)
        for part in parts:
            squares += np.square((array[part].astype(np.float64) - origin - mean) / unit).sum(axis=0)
        spread = np.sqrt(squares / len(rows)) * unit
    if not np.isfinite(spread).all():
        column = int(np.argwhere(~np.isfinite(spread))[0][0]) + 1
        raise DataError(f"{what}: the numbers of column {column} are too large to standardise: scale them down")
    return Scaling(origin, mean, np.where(spread > 0, spread, np.inf))
