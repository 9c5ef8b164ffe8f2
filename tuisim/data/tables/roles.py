"""The role of each column of a table: number, category, target or left out, each with its reason.

It knows nothing of files, networks or losses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from tuisim.config import RunConfig
from tuisim.data.table import column_number
from tuisim.data.tables import cells
from tuisim.data.tables.columns import Column
from tuisim.errors import DataError, printable
from tuisim.units import AUTO

MAX_CATEGORIES = 50
"""Maximum number of distinct texts in a column of categories."""
TARGETS = ("target", "label", "class")
"""Names of a target column, in any place."""
_IN_ORDER = 5
"""Minimum rows at which 0, 1, 2, … is a row number."""
_MIXED = 10
"""If fewer than one in this many cells is not a number, it is a mistake in a column of numbers."""
_REPEATED = 5
"""Rows of each word, and on average of each value, from which numbers and words in one column are categories."""
_IDENTIFIER = re.compile(
    r"(?:.*[_ -])?(?:id|uid|uuid|guid|index|rownames?|row[_ ]?(?:id|number))|(?-i:\w*[a-z]I[dD])|unnamed:? ?\d*|no\.?|",
    re.IGNORECASE,
)
"""Names of columns that number the rows; the index that pandas saves has none."""

NUMBER, CATEGORY, TARGET, LEFT_OUT = "number", "category", "target", "left out"


@dataclass(frozen=True, slots=True)
class TableOptions:
    """The options of a run for a table's columns."""

    target: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    missing: str = "drop"
    """drop, mean or error."""
    task: str = "auto"
    inputs: int | None = None
    """Inputs of the network: constant columns are kept if they are counted among them."""

    @classmethod
    def of(cls, config: RunConfig) -> TableOptions:
        """Return the options of a run."""
        inputs = config.layers[0]
        return cls(
            _several(config.target), _several(config.drop), _several(config.categorical), _several(config.keep), config.missing,
            config.task, None if inputs == AUTO else inputs,
        )  # fmt: skip


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table file and its role."""

    number: int
    """From 1."""
    name: str
    """Empty if it has none."""
    dtype: str
    """number, text, boolean, date or empty."""
    role: str
    """number, category, target or left out."""
    reason: str
    """Why it has the role, in words; empty for a plain number."""
    values: tuple[str, ...]
    """The cells of the first rows."""
    missing: int
    """Rows without a value."""
    inputs: int
    """The number of inputs of the network that it becomes."""

    @property
    def label(self) -> str:
        """The name, or `column 3`."""
        return printable(self.name, 30) if self.name else f"column {self.number}"


class Heading:
    """The names of a table's columns, by which they are found."""

    def __init__(self, name: str, names: Sequence[str] | None, columns: int) -> None:
        self.file, self.columns = name, columns
        self.names = None if names is None else tuple(names)

    @property
    def target(self) -> int | None:
        """The place of the only column that is named as a target; None if there is none."""
        named = [place for place, name in enumerate(self.names or ()) if name.lower() in TARGETS]
        return named[0] if len(named) == 1 else None

    def places(self, asked: Sequence[str]) -> list[int]:
        """Return the places, from 0, of columns given by name or number. Raises DataError."""
        if self.names and len(asked) > 1 and ",".join(asked) in self.names:
            return [self.names.index(",".join(asked))]
        return list(dict.fromkeys(self.place(one) for one in asked))

    def find(self, asked: str) -> int | None:
        """Return the first column of that name, else of that number; None if there is none."""
        names = self.names or ()
        return names.index(asked) if asked in names else column_number(asked, self.columns)

    def place(self, asked: str) -> int:
        """Return the place, from 0, of a column given by name or number. Raises DataError."""
        same = [place for place, name in enumerate(self.names or ()) if name == asked]
        if len(same) > 1:
            numbers = ", ".join(str(place + 1) for place in same)
            raise DataError(f"{self.file} has {len(same)} columns named {printable(asked)}: give the number, one of {numbers}")
        number = column_number(asked, self.columns)
        if not same and number is None:
            found = printable(", ".join(filter(None, self.names)), 120) if self.names else "no names"
            near = get_close_matches(asked, [name for name in self.names or () if name], n=1)
            hint = f"; did you mean {printable(near[0], 30)}?" if near else ""
            raise DataError(
                f"{self.file} has no column {printable(asked)}: it has {found}, and numbers 1 to {self.columns:,}{hint}"
            )
        return same[0] if same else int(number or 0)

    def option(self, place: int) -> str:
        """Return the name or the number by which an option names a column."""
        name = self.names[place] if self.names else ""
        is_clear = name and "," not in name and len(name) <= 30 and list(self.names or ()).count(name) == 1
        return printable(name) if is_clear else str(place + 1)

    def label(self, place: int) -> str:
        """Return a column's name, or `column 3`."""
        return printable(self.names[place], 30) if self.names and self.names[place] else f"column {place + 1}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The role of one column and the reason."""

    role: str
    reason: str = ""
    bad_text: int | None = None
    """The code of a text among numbers, which is a mistake in the file."""
    is_constant: bool = False


def dtype_of(column: Column) -> str:
    """Return number, text, boolean, date or empty."""
    if column.missing.all():
        return "empty"
    if column.numbers is not None:
        return "number"
    if column.is_boolean:
        return "boolean"
    if column.is_numeric:
        return "number"
    return "date" if all(map(cells.is_date, column.texts)) else "text"


def input_role(column: Column, name: str | None) -> Verdict:
    """Return the role of a column that is no target and of which nothing is asked; `name` is None without a heading."""
    kind = dtype_of(column)
    if kind == "empty":
        return Verdict(LEFT_OUT, "empty")
    if kind in ("number", "boolean"):
        return _number_role(column, name)
    if len(column.texts) == 1:
        return Verdict(LEFT_OUT, f"one value, {printable(column.texts[0], 20)}", is_constant=True)
    if kind == "date":
        return Verdict(LEFT_OUT, "dates")
    return _text_role(column)


def _number_role(column: Column, name: str | None) -> Verdict:
    values = column.as_numbers()
    present = values[~column.missing]
    if (present == present[0]).all():
        return Verdict(LEFT_OUT, f"one value, {present[0]:g}", is_constant=True)
    is_whole = len(present) == len(values) and bool((present == np.floor(present)).all())
    if is_whole and len(values) >= _IN_ORDER:
        if values[0] in (0, 1) and bool((np.diff(values) == 1).all()):
            return Verdict(LEFT_OUT, "a row number in order")
        if name is not None and _IDENTIFIER.fullmatch(name) and len(np.unique(values)) == len(values):
            return Verdict(LEFT_OUT, "an identifier: a different number in each row")
    return Verdict(NUMBER)


def _text_role(column: Column) -> Verdict:
    different, rows = len(column.texts), int(column.counts.sum())
    words = [code for code, number in enumerate(column.text_numbers) if number is None]
    wrong = int(column.counts[words].sum())
    is_repeated = different <= MAX_CATEGORIES and rows >= _REPEATED * different and column.counts[words].min() >= _REPEATED
    if len(words) < different and not is_repeated and wrong <= max(1, rows // _MIXED):
        return Verdict(LEFT_OUT, "text among numbers", bad_text=words[0])
    if different == rows:
        return Verdict(LEFT_OUT, "a different text in each row")
    if different > MAX_CATEGORIES:
        return Verdict(LEFT_OUT, f"{different:,} different texts")
    return Verdict(CATEGORY, f"{different} values, one-hot")


def categories(column: Column) -> tuple[Column, tuple[str, ...]]:
    """Return a column as codes in the order of its sorted categories, and their names; numbers become texts."""
    if column.codes is None:
        different, codes = np.unique(column.as_numbers()[~column.missing], return_inverse=True)
        placed = np.full(len(column.missing), -1, dtype=np.int32)
        placed[~column.missing] = codes
        return Column(codes=placed), tuple(f"{value:g}" for value in different.tolist())
    order = sorted(range(len(column.texts)), key=lambda code: column.texts[code])
    rank = np.empty(len(order) + 1, dtype=np.int32)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    return Column(codes=rank[column.codes]), tuple(column.texts[code] for code in order)


def one_hot_places(columns: Sequence[Column]) -> list[int]:
    """Return the places of the last columns, two or more, of which each row has a single 1; none if there are no such columns."""
    total = np.zeros(len(columns[0].missing)) if columns else np.zeros(0)
    for place in range(len(columns) - 1, 0, -1):
        column = columns[place]
        if not column.is_numeric:
            return []
        values = column.as_numbers()
        if not bool(((values == 0) | (values == 1)).all()) or not values.any():
            return []
        total += values
        if total.max() > 1:
            return []
        if len(columns) - place > 1 and bool((total == 1).all()):
            return list(range(place, len(columns)))
    return []
