"""Charts as lines of text: several series over one x axis, with ticks, marks and a legend, and points drawn over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tuisim.terminal.lines import ChartStyle, Line, Span, Tone, merged
from tuisim.terminal.plot import ASCII_GLYPHS, DOTS, Floats, Scale, characters, dashed, string, tick_texts, ticks, trace

LABEL = 6
"""Cells for the numbers left of the y axis."""
Cell = tuple[int, int]
"""(row, column) of a plot, from the top left."""


@dataclass(frozen=True, slots=True)
class Series:
    """One curve."""

    x: Floats
    y: Floats
    tone: Tone
    line_style: int = 0
    """Its place among LINE_STYLES, by which curves are told apart without colour; RAW for raw values behind a smoothed curve."""


LINE_STYLES = ("━━", "╍╍", "┈┈", "╺ ")
"""Samples of the line styles: solid, dashed, dotted, sparse."""
RAW = len(LINE_STYLES)


def sample(line_style: int, chart_style: ChartStyle) -> str:
    """Return a sample of a series' line, for a legend."""
    at = line_style % len(LINE_STYLES)
    return ASCII_GLYPHS[at] * 2 if chart_style is ChartStyle.ASCII else LINE_STYLES[at]


def plot_columns(width: int) -> int:
    """Return the cells of a `plot` of this width that are right of its y axis."""
    return max(1, width - LABEL - 1)


def x_at(column: int, width: int, x_scale: Scale) -> float:
    """Return the x at a column of a `plot` of this width; at its end for a column beyond it."""
    return x_scale.value(min(1.0, column / max(1, plot_columns(width) - 1)))


def plot(
    series: Sequence[Series],
    width: int,
    height: int,
    chart_style: ChartStyle,
    x_scale: Scale,
    y_scale: Scale,
    marks: Sequence[tuple[float, str]] = (),
    unit: str = "",
) -> list[Line]:
    """Draw `height` lines of `width` cells: tick labels, the y axis and the curves.

    `unit` follows each number of the y axis. `marks` are (x, words): a thin vertical line at x, with its words beside it if
    there is room.
    """
    columns = plot_columns(width)
    rows_per, columns_per = DOTS[chart_style]
    layers, glyphs = [], ""
    for one in series:
        dots = trace(one.x, one.y, x_scale, y_scale, columns * columns_per, height * rows_per)
        style = one.line_style if one.line_style == RAW else one.line_style % len(LINE_STYLES)
        if chart_style is not ChartStyle.ASCII and style:
            dots = dashed(dots, *((2 * columns_per, columns_per), (1, 1), (1, 2 * columns_per - 1), (1, 1))[style - 1])
        layers.append(dots)
        glyphs += ASCII_GLYPHS[style]
    codes, owner = characters(layers, chart_style, height, columns, glyphs)
    _draw_marks(codes, owner, marks, x_scale, chart_style, len(series))
    tones = [*(one.tone for one in series), Tone.DIM, Tone.TEXT]  # -2 is a mark, -1 is empty
    labels: dict[int, str] = {}
    values = ticks(y_scale, max(1, (height - 1) // 2))
    for value, text in zip(values, tick_texts(values), strict=True):
        labels.setdefault(round((1 - y_scale.at(value)) * (height - 1)), text + unit)
    axis = ("|", "+") if chart_style is ChartStyle.ASCII else ("│", "┤")
    lines: list[Line] = []
    for row, spans in enumerate(_spans(codes, owner, tones)):
        label = labels.get(row)
        head: Span = ((label or "").rjust(LABEL) + axis[label is not None], Tone.DIM)
        lines.append((head, *spans))
    return lines


def x_axis(width: int, x_scale: Scale, unit: str, chart_style: ChartStyle) -> Line:
    """Draw the x axis in one line, with its numbers in it and its unit at the end."""
    columns = plot_columns(width)
    rule, corner = ("-", "+") if chart_style is ChartStyle.ASCII else ("─", "╰")
    room = columns - len(unit) - 1
    cells = [rule] * columns
    for count in range(max(1, columns // 6), 0, -1):
        values = ticks(x_scale, count)
        labels = [(x_scale.at(value), text) for value, text in zip(values, tick_texts(values), strict=True)]
        placed = [(max(0, round(at * (columns - 1)) - len(label) // 2), label) for at, label in labels]
        placed = [(start, label) for start, label in placed if start + len(label) < room]
        if all(start > end + 1 for (_, end), (start, _) in pairwise(sorted((at, at + len(label)) for at, label in placed))):
            break
    for start, label in placed:
        cells[start : start + len(label)] = label
    if room > 0:
        cells[columns - len(unit) - 1 :] = " " + unit
    return ((" " * LABEL + corner + "".join(cells), Tone.DIM),)


def cell_of(x: float, y: float, x_scale: Scale, y_scale: Scale, width: int, height: int) -> Cell | None:
    """Return the cell of a point in a `plot` of this width and height; None if it lies outside."""
    if not all(math.isfinite(value) and (value > 0 or not scale.log) for value, scale in ((x, x_scale), (y, y_scale))):
        return None
    across, up = x_scale.at(x), y_scale.at(y)
    if not (0 <= across <= 1 and 0 <= up <= 1):
        return None
    return round((1 - up) * (height - 1)), round(across * (plot_columns(width) - 1))


def overlay(lines: Sequence[Line], spans: Mapping[Cell, Span]) -> list[Line]:
    """Draw single characters over the cells of a `plot`."""
    rows: dict[int, dict[int, Span]] = {}
    for (row, column), span in spans.items():
        rows.setdefault(row, {})[LABEL + 1 + column] = span
    found = list(lines)
    for row, placed in rows.items():
        cells = [(character, tone) for characters, tone in lines[row] for character in characters]
        for column, span in placed.items():
            cells[column] = span
        found[row] = merged(cells)
    return found


def _draw_marks(
    codes: NDArray[np.uint32],
    owner: NDArray[np.intp],
    marks: Sequence[tuple[float, str]],
    x_scale: Scale,
    chart_style: ChartStyle,
    index: int,
) -> None:
    """Write vertical lines and their words into cells that no curve uses."""
    height, columns = codes.shape
    glyph = ord(":" if chart_style is ChartStyle.ASCII else "┊")
    for x, words in marks:
        placed = x_scale.at(x)
        if not 0 <= placed <= 1:
            continue
        column = round(placed * (columns - 1))
        free = owner[:, column] < 0
        codes[free, column] = glyph
        owner[free, column] = index
        for row in range(height):
            cells = slice(column + 1, column + 1 + len(words))
            if column + 1 + len(words) <= columns and (owner[row, cells] < 0).all():
                codes[row, cells] = [ord(c) for c in words]
                owner[row, cells] = index
                break


def _spans(codes: NDArray[np.uint32], owner: NDArray[np.intp], tones: Sequence[Tone]) -> list[list[Span]]:
    """Return the spans of each row: one per run of cells of one owner."""
    width = codes.shape[1]
    characters_ = string(codes)
    changes = owner[:, 1:] != owner[:, :-1]
    spans: list[list[Span]] = []
    for row, whose in enumerate(owner.tolist()):
        edges = [0, *(np.flatnonzero(changes[row]) + 1).tolist(), width]
        spans.append([(characters_[row * width + a : row * width + b], tones[whose[a]]) for a, b in pairwise(edges)])
    return spans
