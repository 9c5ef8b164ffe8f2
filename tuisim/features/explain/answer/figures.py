"""Figures with their provenance, and tables of them."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim import units
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; None if unknown."""

    value: int | float | None
    provenance: Provenance
    unit: str = ""
    """`s`, `×`, `op/s`; empty for a count."""
    how: str = ""
    """The formula that gave it, with its numbers: `30·30`."""

    @property
    def text(self) -> str:
        """The number as written; empty if unknown."""
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
class FigureColumn:
    """A heading."""

    key: str
    """Its part of a figure's dotted name."""
    title: str
    aside: bool = False
    """True if it is left out first when there is no room."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure for each column; None if a column does not apply."""

    key: str
    label: str
    figures: tuple[Figure | None, ...]
    note: str = ""
    stressed: bool = False
    """True for a total, and for the network or batch of the configuration."""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Figures by row and column."""

    of: str
    """The heading of the rows."""
    columns: tuple[FigureColumn, ...]
    rows: tuple[FigureRow, ...]

    def provenances(self) -> list[str]:
        """Return the provenance of each column, in words."""
        columns = ([row.figures[i] for row in self.rows] for i in range(len(self.columns)))
        return [", ".join(dict.fromkeys(one.provenance.value for one in column if one is not None)) for column in columns]

    @property
    def provenance(self) -> str:
        """The provenance of all figures; empty if they differ, or if there are none."""
        found = set(self.provenances())
        return found.pop() if len(found) == 1 else ""
