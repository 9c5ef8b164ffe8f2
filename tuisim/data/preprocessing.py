"""The split into training and validation rows, and the scaling of numbers with statistics of the training rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import info, rng
from tuisim.errors import DataError

Array = NDArray[Any]
Rows = NDArray[np.intp]

_ROWS = 16_384
"""Rows processed at a time, so that no float64 copy of all rows is needed."""
_TINY = 1e-100
"""Deviations below this are scaled up before they are squared, so that the squares do not underflow."""


def quotas(counts: NDArray[np.intp], total: int) -> NDArray[np.intp]:
    """Divide `total` in proportion to `counts` by the largest remainders into whole numbers that add up to it exactly."""
    whole = int(counts.sum())
    shares = [divmod(int(count) * total, whole) for count in counts]
    result = np.array([share for share, _ in shares], dtype=np.intp)
    missing = total - int(result.sum())
    by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
    result[by_remainder[:missing]] += 1
    return result


def split(config: RunConfig, name: str, rows: int, fraction: float, labels: NDArray[np.int64] | None) -> tuple[Rows, Rows]:
    """Return the numbers of training and validation rows in the seeded order, stratified by `labels` (rows,) if given.

    Raises DataError if no row would be left to train on.
    """
    total = info.validation_rows(rows, fraction)
    if total >= rows:
        raise DataError(f"{name} has {rows:,} rows and validation = {fraction} leaves none to train on: use less")
    order = rng.generator(config.seed, rng.SPLIT).permutation(rows)
    if total == 0:
        return order, order[:0]
    if labels is None:
        return order[total:], order[:total]
    shuffled = labels[order]
    counts = np.bincount(shuffled)
    by_class = np.argsort(shuffled, kind="stable")
    rank = np.empty(rows, dtype=np.intp)
    rank[by_class] = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    is_validation = rank < quotas(counts, total)[shuffled]
    return order[~is_validation], order[is_validation]


@dataclass(frozen=True, slots=True)
class Scaling:
    """The map (x - origin - mean) / spread per column, in float64; `origin` is a row, so that a constant column becomes 0."""

    origin: Array | float = 0.0
    mean: Array | float = 0.0
    spread: Array | float = 1.0
    divides: bool = False
    """True if the map only divides by `spread`."""

    def apply(self, array: Array, rows: Rows, dtype: str) -> Array:
        """Return the scaled rows `rows` of `array` (n, columns) as a new C-contiguous array of `dtype`."""
        result = np.empty((len(rows), *array.shape[1:]), dtype=dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), _ROWS):
                part, target = array[rows[start : start + _ROWS]], result[start : start + _ROWS]
                if self is UNSCALED:
                    target[...] = part
                elif self.divides and part.dtype == np.uint8:
                    # Bytes are exact in any of the run's dtypes, so a conversion to float64 would only take time.
                    np.divide(part, self.spread, out=target, dtype=target.dtype)
                else:
                    target[...] = ((part.astype(np.float64) - self.origin) - self.mean) / self.spread
        return result


UNSCALED = Scaling()


def fit(method: str, what: str, array: Array, rows: Rows) -> Scaling:
    """Return the scaling `standard`, `minmax` or `none` of `array` (n, columns) by its rows `rows`. Raises DataError."""
    if method == "none":
        return UNSCALED
    return standardize(what, array, rows) if method == "standard" else normalize(what, array, rows)


def normalize(what: str, array: Array, rows: Rows) -> Scaling:
    """Return the scaling of the minimum to 0 and the maximum to 1 over the rows `rows` of `array` (n, columns).

    A column with a single value becomes 0. Raises DataError if the numbers of a column are too large.
    """
    lowest = highest = array[rows[0]].astype(np.float64)
    for start in range(0, len(rows), _ROWS):
        part = array[rows[start : start + _ROWS]].astype(np.float64)
        lowest, highest = np.minimum(lowest, part.min(axis=0)), np.maximum(highest, part.max(axis=0))
    with np.errstate(over="ignore"):
        spread = highest - lowest
    _check_spread(what, spread, "scale to 0..1")
    return Scaling(lowest, spread=np.where(spread > 0, spread, np.inf))


def _check_spread(what: str, spread: Array, verb: str) -> None:
    if not np.isfinite(spread).all():
        column = int(np.argwhere(~np.isfinite(spread))[0][0]) + 1
        raise DataError(f"{what}: the numbers of column {column} are too large to {verb}: scale them down")


def standardize(what: str, array: Array, rows: Rows) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1 over the rows `rows` of `array` (n, columns).

    A column with a single value becomes 0. Raises DataError if the numbers of a column are too large.
    """
    origin = array[rows[0]].astype(np.float64)
    total, squares, largest = (np.zeros_like(origin) for _ in range(3))
    parts = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        for part in parts:
            difference = array[part].astype(np.float64) - origin
            total += difference.sum(axis=0)
            largest = np.maximum(largest, np.abs(difference).max(axis=0))
        mean = total / len(rows)
        unit = np.where((largest > 0) & (largest < _TINY), largest, 1.0)
        for part in parts:
            squares += np.square((array[part].astype(np.float64) - origin - mean) / unit).sum(axis=0)
        spread = np.sqrt(squares / len(rows)) * unit
    _check_spread(what, spread, "standardize")
    return Scaling(origin, mean, np.where(spread > 0, spread, np.inf))


def column_means(array: Array, rows: Rows) -> Array:
    """Return the mean of each column of `array` (n, columns) over the rows `rows`, without NaN; 0 for a column of NaN alone."""
    part = array[rows]
    present = ~np.isnan(part)
    counts = present.sum(axis=0)
    means: Array = np.where(present, part, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return means
