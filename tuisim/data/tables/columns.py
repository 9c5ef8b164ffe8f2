"""The columns of a table as read, before they have roles: numbers, or texts as codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data.tables import cells

Array = NDArray[Any]
Numbers = NDArray[np.float64]


@dataclass
class Column:
    """A column of numbers, or of texts as codes: each row has the position of its text."""

    numbers: Numbers | None = None
    """(rows,), NaN where a value is missing; None for a column of texts."""
    codes: NDArray[np.int32] | None = None
    """(rows,), -1 where a value is missing; None for a column of numbers."""
    texts: tuple[str, ...] = ()
    """The different texts, stripped."""
    decimal: str = "."

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """True for each row without a value."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        assert self.codes is not None
        return np.asarray(self.codes < 0)

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """The number of rows of each text."""
        assert self.codes is not None
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @cached_property
    def text_numbers(self) -> list[float | None]:
        """Each text as a number; None for a text that is not one."""
        booleans = {text.lower() for text in self.texts} <= cells.BOOLEANS.keys()
        if booleans:
            return [cells.BOOLEANS[text.lower()] for text in self.texts]
        return [cells.to_number(text, self.decimal) for text in self.texts]

    @property
    def is_boolean(self) -> bool:
        """True if every text is true or false."""
        return bool(self.texts) and {text.lower() for text in self.texts} <= cells.BOOLEANS.keys()

    @property
    def is_numeric(self) -> bool:
        """True if every value is a number, or true or false."""
        return self.numbers is not None or None not in self.text_numbers

    def as_numbers(self) -> Numbers:
        """Return the numbers (rows,), NaN where a value is missing. The column must be numeric."""
        if self.numbers is not None:
            return self.numbers
        assert self.codes is not None
        return np.array([*self.text_numbers, np.nan], dtype=np.float64)[self.codes]

    def take(self, rows: NDArray[np.intp]) -> Column:
        """Return the column with these rows only."""
        if self.numbers is not None:
            return Column(numbers=self.numbers[rows])
        assert self.codes is not None
        return Column(codes=self.codes[rows], texts=self.texts, decimal=self.decimal)


def of_texts(values: list[str], decimal: str = ".") -> Column:
    """Return a column of texts; texts that mean a missing value get code -1."""
    different = {text: place for place, text in enumerate(dict.fromkeys(values))}
    return merge([np.array([different[text] for text in values], dtype=np.int32)], tuple(different), decimal)


def merge(parts: list[NDArray[np.int32]], texts: tuple[str, ...], decimal: str) -> Column:
    """Return a column of texts given codes (-1: missing) in parts; texts are stripped, missing ones dropped."""
    places: dict[str, int] = {}
    codes = [-1 if cells.is_missing(word := text.strip()) else places.setdefault(word, len(places)) for text in texts]
    mapping = np.array([*codes, -1], dtype=np.int32)
    joined = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
    return Column(codes=mapping[joined], texts=tuple(places), decimal=decimal)
