"""Text tables in fixed columns: numbers right-aligned, gaps as wide as there is room for.

It does not know what the cells mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tuisim.terminal.lines import Line, Span, Tone

MOST_GAP = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, where its cells are aligned, and the least width it keeps, so that a changing number moves nothing."""

    title: str
    right: bool = True
    least: int = 0


Row = Sequence[Span]


def natural_widths(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """The width each column needs."""
    return [
        max(column.least, cell_len(column.title), *(cell_len(row[i][0]) for row in rows), 0) for i, column in enumerate(columns)
    ]


def fits(columns: Sequence[Column], rows: Sequence[Row], width: int) -> bool:
    """Whether the table can be shown in `width` cells with nothing cut."""
    return sum(natural_widths(columns, rows)) + len(columns) - 1 <= width


def table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Line]:
    """The heading and the rows, each at most `width` cells where `fits` says so."""
    widths = natural_widths(columns, rows)
    spare = width - sum(widths)
    gap = max(1, min(MOST_GAP, spare // max(1, len(columns) - 1)))
    heading = [(column.title, Tone.DIM) for column in columns]
    return [_line(columns, row, widths, gap) for row in (heading, *rows)]


def _line(columns: Sequence[Column], row: Row, widths: Sequence[int], gap: int) -> Line:
    spans: list[Span] = []
    for i, (column, (string, tone), width) in enumerate(zip(columns, row, widths, strict=True)):
        padding = " " * (width - cell_len(string))
        last = i == len(columns) - 1
        spans.append((padding + string if column.right else string if last else string + padding, tone))
        if not last:
            spans.append((" " * gap, Tone.TEXT))
    return tuple(spans)


def narrowed_table(columns: Sequence[Column], rows: Sequence[Row], width: int, keep: int = 2) -> list[Line]:
    """Return the table in `width` cells: the last columns that do not fit are left out, all but the first `keep`."""
    shown = len(columns)
    while shown > keep and not fits(columns[:shown], [row[:shown] for row in rows], width):
        shown -= 1
    return table(columns[:shown], [row[:shown] for row in rows], width)
