"""Times of backends or networks: a table at the left, and the intervals on one logarithmic axis at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim.predict.prediction import Interval, RunMemory
from tuisim.terminal.lines import UNLIMITED, Frame, Line, Span, Tone, clip, width_of
from tuisim.terminal.table import Column, drop_columns, table, visible_rows
from tuisim.terminal.timeline import axis, ruler, track

PILOT_HELP = "Time the step on this machine for 50 ms if possible"
MIN_TRACK = 16
MAX_STEP = 5
"""The most lines from one row of the picture to the next."""
GAP = 2


@dataclass(frozen=True, slots=True)
class TimeRow:
    """One row: its name, its time, details for wide panels, and its interval or the reason why there is none."""

    name: str
    time: str
    details: tuple[str, ...]
    interval: Interval | None
    reason: str = ""
    is_bound: bool = False
    """True if the time is a lower bound."""


def time_lines(titles: Sequence[str], rows: Sequence[TimeRow], selected: int, frame: Frame) -> list[Line]:
    """Draw the rows; `titles` are those of the name, the time and the details."""
    heading, *left = _left(titles, rows, selected, frame)
    window, step, headed = _layout(len(rows), selected, frame)
    used = max(map(width_of, left)) + GAP
    room = frame.width - used
    if room < MIN_TRACK:
        return [*[heading] * headed, *(left[i] for i in window)]
    if not any(row.interval for row in rows):
        reasons: list[Line] = [(*left[i], (" " * GAP + clip(rows[i].reason, room), Tone.DIM)) for i in window]
        return [*[heading] * headed, *reasons]
    along = axis([end for row in rows if row.interval for end in (row.interval.low, row.interval.high)], room)
    drawn: list[Line] = [heading] if headed else []
    for i in window:
        row, tone = rows[i], Tone.ACCENT if i == selected else Tone.AREA
        picture: Line = ((clip(row.reason, room), Tone.DIM),)
        if row.interval is not None:
            picture = track(along, row.interval, frame.chart_style, tone, row.is_bound)
        drawn.append((*left[i], (" " * (used - width_of(left[i])), Tone.TEXT), *picture))
        drawn += [((" " * used, Tone.TEXT), *track(along, None, frame.chart_style, Tone.FAINT))] * (step - 1)
    lines = ruler(along, frame.chart_style)[-_ruler_height(len(rows), frame) :]
    return [*drawn, *(((" " * used, Tone.TEXT), *line) for line in lines)]


def time_places(rows: int, selected: int, frame: Frame) -> list[int | None]:
    """Return the row on each line that `time_lines` draws."""
    window, step, headed = _layout(rows, selected, frame)
    return [*[None] * headed, *(i for i in window for _ in range(step))]


def _layout(rows: int, selected: int, frame: Frame) -> tuple[range, int, bool]:
    """Return the rows that are shown, the lines of each, and True if there is a heading."""
    headed = frame.height >= rows + 3
    height = frame.height - _ruler_height(rows, frame) - headed
    step = 1 if frame.height == UNLIMITED else max(1, min(MAX_STEP, height // rows))
    return visible_rows(rows, height, selected), step, headed


def _ruler_height(rows: int, frame: Frame) -> int:
    """Return 2 for ticks and labels, 1 for the labels alone where a row would be left out otherwise."""
    return 2 if frame.height >= rows + 2 else 1


def _left(titles: Sequence[str], rows: Sequence[TimeRow], selected: int, frame: Frame) -> list[Line]:
    """Return the table, without details that would leave the picture less than half the width."""
    width = frame.width
    names = max(8, width // 3)
    columns = [Column("  " + titles[0], right=False), *(Column(title) for title in titles[1:])]
    cells: list[list[Span]] = []
    for i, row in enumerate(rows):
        name = ("▸ " if i == selected else "  ") + clip(row.name, names)
        spans: list[Span] = [(name, Tone.ACCENT if i == selected else Tone.TEXT), (row.time, Tone.STRONG)]
        cells.append([*spans, *((detail, Tone.DIM) for detail in row.details)])
    headed = _layout(len(rows), selected, frame)[2]
    optional = list(reversed(titles[2:]))
    room = width - MIN_TRACK - GAP if frame.zoomed else width // 2
    kept, shown = drop_columns(columns, cells, optional, room if headed else 0, GAP)
    return table(kept, shown, max(room, width), GAP)


def memory_parts(memory: RunMemory) -> list[tuple[str, int]]:
    """Return the name and the bytes of each part of a run's memory that is not empty."""
    words = {"optimizer": "optimizer state"}
    return [(words.get(name, name), size) for name in memory.__slots__ if (size := getattr(memory, name))]


def figure(number: str, words: str = "", tone: Tone = Tone.STRONG) -> Line:
    """Return a number with its unit or name."""
    return ((number, tone), (f" {words}", Tone.DIM)) if words else ((number, tone),)
