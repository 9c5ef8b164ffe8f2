"""Points over a chart that is already drawn as lines of text.

It does not know what the points are; where they lie is told by the chart's own scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tuisim.terminal.chart import LABEL
from tuisim.terminal.lines import Line, Tone
from tuisim.terminal.plot import Scale


@dataclass(frozen=True, slots=True)
class Point:
    """One character in its place."""

    x: float
    y: float
    glyph: str
    tone: Tone


def over(lines: Sequence[Line], width: int, points: Sequence[Point], x_scale: Scale, y_scale: Scale) -> list[Line]:
    """The `lines` of a `plot` of this width with the points drawn over them, the last on top; those outside are left out."""
    columns, rows = max(1, width - LABEL - 1), len(lines)
    placed: dict[int, dict[int, Point]] = {}
    for point in points:
        across, up = _share(point.x, x_scale), _share(point.y, y_scale)
        if across is not None and up is not None:
            row, column = round((1 - up) * (rows - 1)), LABEL + 1 + round(across * (columns - 1))
            placed.setdefault(row, {})[column] = point
    return [_with(line, placed[row]) if row in placed else line for row, line in enumerate(lines)]


def _share(value: float, scale: Scale) -> float | None:
    """Where it lies along its axis; none where that is nowhere."""
    if not math.isfinite(value) or (scale.log and value <= 0):
        return None
    at = scale.at(value)
    return at if 0 <= at <= 1 else None


def _with(line: Line, points: dict[int, Point]) -> Line:
    cells = [(character, tone) for characters, tone in line for character in characters]
    for column, point in points.items():
        cells[column] = (point.glyph, point.tone)
    return tuple(("".join(character for character, _ in run), tone) for tone, run in groupby(cells, key=lambda cell: cell[1]))
