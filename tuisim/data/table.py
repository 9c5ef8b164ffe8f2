"""A finite set of rows as it was read: numbers, answers, and where each row stood, nothing decided and nothing scaled.

It does not know the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.errors import DataError

Array = NDArray[Any]

_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a file or of a set that ships."""

    name: str
    X: Array
    """Inputs, (rows, inputs), numbers of any kind, all finite."""
    answers: Array
    """(rows,) numbers, or (rows, k); class numbers where `names` or `classes` says so."""
    names: tuple[str, ...] | None = None
    """The classes' names, where the answers were words: answer i is names[i]."""
    classes: int | None = None
    """How many classes a known set has."""
    divide: float | None = None
    """What brings the inputs to 0..1; none: they are standardised."""
    notes: tuple[str, ...] = ()


def numbered(target: str, columns: int) -> int | None:
    """The column, from 0, that a target from 1 to `columns` names; None if it is no such number."""
    digits = target.lstrip("0")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and int(digits) <= columns):
        return None
    return int(digits) - 1


def name_row(row: int) -> str:
    return f"row {row + 1:,}"


def check_finite(name: str, array: Array, where: Callable[[int], str] = name_row) -> None:
    """Raises DataError naming the first row and column (from 1) that is no finite number. Any numbers, 1-D or 2-D."""
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), _ROWS):
        part = array[start : start + _ROWS]
        finite = np.isfinite(part)
        if not finite.all():
            place = np.argwhere(~finite)[0]
            column = f", column {place[1] + 1}" if len(place) > 1 else ""
            value = part[tuple(place)]
            raise DataError(f"{name}: {where(start + int(place[0]))}{column} is {value}: every value must be a finite number")
