"""A table of rows as read from a file or a named dataset, before targets are interpreted and inputs are scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.errors import DataError, printable

Array = NDArray[Any]

_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns of a table file that are used, by which another file with the same columns is read."""

    name: str
    names: tuple[str, ...] | None
    """The columns' names; None without a heading."""
    targets: tuple[int, ...]
    """Places of the target columns, from 0."""
    inputs: tuple[tuple[int, tuple[str, ...] | None], ...]
    """The place of each column that is an input, and its categories; None for numbers."""
    is_text: bool
    """True if the targets are classes by their text."""


@dataclass(frozen=True, slots=True)
class Table:
    """Inputs and targets of a file or a named dataset."""

    name: str
    X: Array
    """Inputs (rows, inputs), finite numbers of any dtype."""
    targets: Array
    """Numbers (rows,) or (rows, k); class numbers if `names` or `classes` is given."""
    names: tuple[str, ...] | None = None
    """Names of the classes if the targets were text: target i is names[i]."""
    classes: int | None = None
    divide: float | None = None
    """Divisor that scales the inputs to 0..1; None if they are standardized."""
    divide_words: str = ""
    """The note on that division."""
    notes: tuple[str, ...] = ()
    validation: Table | None = None
    """The file's own validation rows."""
    layout: TableLayout | None = None
    """The columns of a table file; None for any other."""
    has_missing: bool = False
    """True if an input may be NaN: it becomes the mean of its column over the training rows."""


def only_target(name: str, target: str | tuple[str, ...] | None) -> str | None:
    """Return the one column or array that holds the targets, None if it is not given. Raises DataError for several."""
    if not isinstance(target, tuple):
        return target
    if len(target) == 1:
        return target[0]
    raise DataError(f"{name}: target = {printable(','.join(target))}: several columns are read from tables only: give one")


def column_number(target: str, columns: int) -> int | None:
    """Return the column, from 0, that a target from 1 to `columns` names; None if it is no such number."""
    digits = target.lstrip("0")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10 and int(digits) <= columns):
        return None
    return int(digits) - 1


def check_finite(name: str, array: Array) -> None:
    """Raise DataError with the first row and column (from 1) that is no finite number. `array` is 1-D or 2-D."""
    if array.dtype.kind != "f":
        return
    for start in range(0, len(array), _ROWS):
        part = array[start : start + _ROWS]
        finite = np.isfinite(part)
        if not finite.all():
            place = np.argwhere(~finite)[0]
            column = f", column {place[1] + 1}" if len(place) > 1 else ""
            value = part[tuple(place)]
            raise DataError(f"{name}: row {start + int(place[0]) + 1:,}{column} is {value}: every value must be a finite number")
