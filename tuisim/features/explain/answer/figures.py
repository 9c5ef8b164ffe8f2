"""Numbers with the kind they are of, and tables of them: what a study finds, before anything is drawn or printed.

It knows how a number is written; it does not know what any number means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tuisim import units
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; none where it is not known."""

    value: int | float | None
    mark: Provenance
    unit: str = ""
    """`s`, `×`, `op/s`; nothing for a count."""
    how: str = ""
    """The formula that gave it, with its numbers: `30·30`."""

    @property
    def text(self) -> str:
        """As a person reads it; blank where unknown."""
        if self.value is None:
            return ""
        if self.unit == "s":
            return units.duration(self.value)
        if self.unit == "×":
            return f"{self.value:,.2f} ×" if self.value < 1e6 else f"{units.si(self.value)} ×"
        if self.unit:
            return units.si(self.value, self.unit)
        return units.short_count(self.value, 15)


@dataclass(frozen=True, slots=True)
class Column:
    """What the figures beneath are of."""

    key: str
    """Its part of a figure's dotted name."""
    title: str
    aside: bool = False
    """Left out first where room is short."""


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one thing, one for each column; none where a column does not hold for it."""

    key: str
    label: str
    figures: tuple[Figure | None, ...]
    note: str = ""
    stressed: bool = False
    """What the table is about: a sum, or the case at hand."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures by row and column."""

    of: str
    """What the rows are."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def figures(self) -> dict[str, Figure]:
        """By dotted name, `row.column`."""
        return {
            f"{row.key}.{column.key}": figure
            for row in self.rows
            for column, figure in zip(self.columns, row.figures, strict=True)
            if figure is not None
        }

    def marks(self) -> list[str]:
        """The kinds in each column, as words."""
        return [_words(row.figures[i] for row in self.rows) for i in range(len(self.columns))]

    @property
    def mark(self) -> str:
        """The one kind that all figures are of; empty where they differ, or there are none."""
        kinds = set(self.marks())
        return kinds.pop() if len(kinds) == 1 else ""


def _words(figures: Iterable[Figure | None]) -> str:
    return ", ".join(dict.fromkeys(figure.mark.value for figure in figures if figure is not None))
