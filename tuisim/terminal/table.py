"""Text tables in fixed columns: numbers right-aligned, the gaps as wide as there is room for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tuisim.terminal.lines import Line, Span, Tone

MAX_GAP = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the alignment of its cells, and a minimum width, so that a changing number moves nothing."""

    title: str
    right: bool = True
    min_width: int = 0


Row = Sequence[Span]


def natural_widths(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """Return the width that each column needs."""
    return [
        max(column.min_width, cell_len(column.title), *(cell_len(row[i][0]) for row in rows), 0)
        for i, column in enumerate(columns)
    ]


def fits(columns: Sequence[Column], rows: Sequence[Row], width: int, gap: int = 1) -> bool:
    """Return True if the table can be shown in `width` cells without clipping."""
    return sum(natural_widths(columns, rows)) + gap * (len(columns) - 1) <= width


def drop_columns(
    columns: Sequence[Column], rows: Sequence[Row], optional: Sequence[str], width: int, gap: int = 1
) -> tuple[list[Column], list[Row]]:
    """Leave out columns by their titles, in the order of `optional`, until the table fits."""
    for title in optional:
        if fits(columns, rows, width, gap):
            break
        kept = [i for i, column in enumerate(columns) if column.title != title]
        columns, rows = [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]
    return list(columns), list(rows)


def visible_rows(count: int, height: int, selected: int) -> range:
    """Return as many of `count` rows as fit into `height` lines, with the selected one among them."""
    shown = max(1, min(count, height))
    first = min(max(0, selected - shown // 2), count - shown)
    return range(first, first + shown)


def table(columns: Sequence[Column], rows: Sequence[Row], width: int, max_gap: int = MAX_GAP) -> list[Line]:
    """Return the heading and the rows, each at most `width` cells if the table `fits`."""
    widths = natural_widths(columns, rows)
    spare = width - sum(widths)
    gap = max(1, min(max_gap, spare // max(1, len(columns) - 1)))
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


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, left: Collection[int] = (0,)) -> list[Line]:
    """Return a table of plain texts; the columns with the numbers `left` are left-aligned."""
    columns = [Column(head, right=number not in left) for number, head in enumerate(heads)]
    return table(columns, [[(text, Tone.TEXT) for text in row] for row in rows], width)


def narrowed_table(columns: Sequence[Column], rows: Sequence[Row], width: int, keep: int = 2) -> list[Line]:
    """Return the table in `width` cells: the last columns that do not fit are left out, all but the first `keep`."""
    optional = [column.title for column in reversed(columns[keep:])]
    return table(*drop_columns(columns, rows, optional, width), width)
