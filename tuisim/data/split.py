"""Which rows are held out and in which order the others are trained on, from the seed, stratified for classes.

It knows row numbers and class numbers, never the rows themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import info as facts
from tuisim.data import rng as chance
from tuisim.errors import DataError

Rows = NDArray[np.intp]


def quotas(counts: NDArray[np.intp], total: int) -> NDArray[np.intp]:
    """`total` shared out in proportion to `counts` by the largest remainders, in whole numbers: the sum is exact."""
    whole = int(counts.sum())
    shares = [divmod(int(count) * total, whole) for count in counts]
    result = np.array([share for share, _ in shares], dtype=np.intp)
    missing = total - int(result.sum())
    by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
    result[by_remainder[:missing]] += 1
    return result


def split(config: RunConfig, name: str, rows: int, labels: NDArray[np.int64] | None) -> tuple[Rows, Rows]:
    """Row numbers to train on and to hold out, both in the seeded order; `labels` (rows,) where they are classes.

    Raises DataError where nothing would be left to train on.
    """
    total = facts.held_out(rows, config.validation)
    if total >= rows:
        raise DataError(f"{name} has {rows:,} rows and validation = {config.validation} leaves none to train on: hold out less")
    order = chance.generator(config.seed, chance.SPLIT).permutation(rows)
    if total == 0:
        return order, order[:0]
    if labels is None:
        return order[total:], order[:total]
    shuffled = labels[order]
    counts = np.bincount(shuffled)
    by_class = np.argsort(shuffled, kind="stable")
    rank = np.empty(rows, dtype=np.intp)
    rank[by_class] = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    held = rank < quotas(counts, total)[shuffled]
    return order[~held], order[held]
