"""The diagram as lines: a column of units per layer, and the strongest connections between them."""

from __future__ import annotations

import numpy as np

from tuisim import units
from tuisim.errors import printable
from tuisim.features.inspect.diagram.diagram import Array, Diagram, Units
from tuisim.features.inspect.state import Inspected
from tuisim.terminal.colours import LEVELS
from tuisim.terminal.lines import BLANK, Colour, ColourScale, Frame, Line, Shade, Span, Tone, clip, merged, spread, wrap
from tuisim.terminal.plot import DOTS, characters, string
from tuisim.terminal.shades import key, levels, picture, pixel_rows

UNIT = 2
"""Cells of a unit."""
VALUE = 8
"""Cells of its value."""
NAME = 12
"""Cells of a class's name."""
MIN_GAP = 10
"""Cells between two layers at least; with more room the values are written."""
EDGES_PER_ROW = 1
STRONG = 0.5
"""Share of the largest contribution from which a connection is drawn strong."""
_EDGE_LEVELS = (-LEVELS // 2, LEVELS // 2, -LEVELS, LEVELS)
_EDGE_GLYPHS = "-.=+"


def diagram_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the columns of units with their connections, above them what they are, below them the answer."""
    found: Diagram | None = state.found
    if found is None:
        return wrap(state.words, frame.width, Tone.DIM)
    foot = _foot(found, frame)
    height = max(1, frame.height - len(foot) - 2)
    names = NAME if found.names else 0
    layers = len(found.layers)
    has_values = (frame.width - names - layers * (UNIT + VALUE)) // max(1, layers - 1) >= MIN_GAP
    unit = UNIT + VALUE * has_values
    gap = min(40, (frame.width - names - layers * unit) // max(1, layers - 1))
    if gap < 4:
        return wrap(f"no room for {layers} layers: widen the terminal", frame.width, Tone.DIM)
    places = [_places(layer, height) for layer in found.layers]
    columns: list[list[Line]] = []
    for number, layer in enumerate(found.layers):
        is_last = number == layers - 1
        columns.append(_units(layer, places[number], height, has_values, found.names if is_last else (), frame))
        if not is_last:
            edges = _edges(found.contributions[number], places[number], places[number + 1], height, gap, frame)
            columns.append(edges)
    heading = _heading(found, unit, gap, [len(place) for place in places])
    return [heading, *(tuple(span for column in columns for span in column[row]) for row in range(height)), BLANK, *foot]


def _places(layer: Units, height: int) -> dict[int, int]:
    """Return the row of each unit that is drawn, by its position among those that were read; in the order of their numbers."""
    drawn = sorted(range(min(len(layer.numbers), height)), key=lambda position: int(layer.numbers[position]))
    return {position: int((place + 0.5) * height / len(drawn)) for place, position in enumerate(drawn)}


def _units(
    layer: Units, places: dict[int, int], height: int, has_values: bool, names: tuple[str, ...], frame: Frame
) -> list[Line]:
    width = UNIT + VALUE * has_values + (NAME if names else 0)
    empty: Line = ((" " * width, Tone.TEXT),)
    lines = [empty] * height
    limit = float(np.abs(np.nan_to_num(layer.values)).max()) or 1.0
    best = int(layer.values.argmax()) if names else -1
    for position, row in places.items():
        value = float(layer.values[position])
        ((pixel,),) = levels(np.array([[value]]), limit)
        cells = picture([[pixel] * UNIT] * pixel_rows(frame.chart_style), frame.chart_style)[0]
        words = f" {value:<{VALUE - 1}.3g}"[:VALUE] if has_values else ""
        if names:
            name = clip(printable(names[int(layer.numbers[position])], 60), NAME - 1)
            words += f" {name:<{NAME - 1}}"
        lines[row] = (*cells, (words, Tone.ACCENT if position == best else Tone.DIM))
    return lines


def _edges(contributions: Array, left: dict[int, int], right: dict[int, int], height: int, gap: int, frame: Frame) -> list[Line]:
    """Return the strongest connections between the drawn units of two layers, the strongest on top."""
    per_row, per_column = DOTS[frame.chart_style]
    rows, columns = height * per_row, gap * per_column
    dots = np.zeros((len(_EDGE_LEVELS), rows, columns), np.bool_)
    size = np.abs(np.nan_to_num(contributions))
    drawn = sorted(((float(size[i, j]), i, j) for i in left for j in right), reverse=True)[: EDGES_PER_ROW * height]
    most = drawn[0][0] if drawn else 0.0
    x = np.arange(columns)
    for share, i, j in drawn:
        if share <= 0:
            break
        start, end = left[i] * per_row + per_row // 2, right[j] * per_row + per_row // 2
        y = np.rint(start + (end - start) * x / max(1, columns - 1)).astype(int)
        kind = 2 * (share >= STRONG * most) + (contributions[i, j] > 0)
        dots[int(kind), np.clip(y, 0, rows - 1), x] = True
    codes, owner = characters(list(dots), frame.chart_style, height, gap, _EDGE_GLYPHS)
    lines: list[Line] = []
    for row in range(height):
        cells: list[Span] = []
        for character, kind in zip(string(codes[row]), owner[row].tolist(), strict=True):
            look = Tone.TEXT if kind < 0 else Shade(Colour(ColourScale.SIGNED, _EDGE_LEVELS[kind]), None)
            cells.append((character, look))
        lines.append(merged(cells))
    return lines


def _heading(found: Diagram, unit: int, gap: int, drawn: list[int]) -> Line:
    """Return what each column is, and how many of its units are drawn if not all are."""
    pieces: list[Span] = []
    for number, layer in enumerate(found.layers):
        words = f"{units.short_count(layer.size, 7)} {layer.function}"
        if drawn[number] < layer.size:
            words += f", {drawn[number]} drawn"
        pieces.append((clip(words, unit + gap - 1).ljust(unit + gap), Tone.DIM))
    return tuple(pieces)


def _foot(found: Diagram, frame: Frame) -> list[Line]:
    is_right = found.target == found.answer
    verdict = Tone.GOOD if is_right else Tone.WARNING
    pieces: list[Line] = [
        ((f"{found.which} example {found.example + 1:,} of {found.rows:,}", Tone.TEXT),),
        (("target ", Tone.DIM), (clip(printable(found.target, 60), 24), Tone.STRONG)),
        (("answer ", Tone.DIM), (clip(printable(found.answer, 60), 24), verdict if found.names else Tone.STRONG)),
        (("units: output, lines: output × weight ", Tone.DIM), *key(1.0, "of the largest", frame.chart_style)),
    ]
    return spread(pieces, frame.width)
