"""The decision map as lines: regions of classes, or levels of one output, with rows of the data; for one input its curve."""

from __future__ import annotations

import numpy as np

from tuisim.errors import printable
from tuisim.features.inspect.map.decision_map import Array, Curve, DecisionMap
from tuisim.features.inspect.state import Inspected
from tuisim.terminal.lines import Colour, ColourScale, Frame, Line, Span, Tone, clip, merged, spread, wrap
from tuisim.terminal.plot import DOTS, Scale, characters, string, tick_text, trace
from tuisim.terminal.shades import Pixels, key, levels, picture, pixel_rows

MAX_NAMES = 8
LABEL = 7
"""Cells of the labels at the left."""


def map_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the map of a network with two inputs, the curve of one with a single input."""
    found = state.found
    if found is None:
        return wrap(state.words, frame.width, Tone.DIM)
    return _curve(found, frame) if isinstance(found, Curve) else _map(found, frame)


def _map(found: DecisionMap, frame: Frame) -> list[Line]:
    """Return the regions, the points in full colours, the ranges of both inputs, and a key."""
    keys = _keys(found, frame)
    width = frame.width - LABEL
    height = max(2, frame.height - len(keys) - 1)
    per_line = pixel_rows(frame.chart_style)
    # Pixels are square where a line has two rows: both inputs are drawn to the same size.
    rows, columns = height * per_line, min(width, height * 2 * 2)
    regions = found.outputs[np.ix_(_nearest(found.outputs.shape[0], rows), _nearest(found.outputs.shape[1], columns))]
    limit = float(np.abs(np.concatenate([regions.ravel(), found.targets])).max()) or 1.0
    if found.is_classes:
        pixels: Pixels = [[_region(number) for number in row] for row in regions.tolist()]
        colours = [Colour(ColourScale.CLASSES, 2 * int(number) + 1) for number in found.targets.tolist()]
    else:
        pixels = levels(regions, limit)
        colours = [level for (level,) in levels(found.targets[:, None], limit) if level is not None]
    across = (found.points[:, 0] - found.low[0]) / (found.high[0] - found.low[0]) * columns
    down = (found.high[1] - found.points[:, 1]) / (found.high[1] - found.low[1]) * rows
    for x, y, colour in zip(across, down, colours, strict=True):
        pixels[min(max(int(y), 0), rows - 1)][min(max(int(x), 0), columns - 1)] = colour
    labels = {0: tick_text(found.high[1]), height - 1: tick_text(found.low[1])}
    lines: list[Line] = [
        ((f"{labels.get(y, ''):>{LABEL - 1}} ", Tone.DIM), *line) for y, line in enumerate(picture(pixels, frame.chart_style))
    ]
    left, right = tick_text(found.low[0]), tick_text(found.high[0])
    middle = "input 1, up: input 2"
    room = columns - len(left) - len(right)
    axis = left + (middle if room >= len(middle) + 2 else "").center(room) + right
    return [*lines, ((" " * LABEL + axis, Tone.DIM),), *keys]


def _keys(found: DecisionMap, frame: Frame) -> list[Line]:
    if not found.is_classes:
        limit = float(np.abs(np.concatenate([found.outputs.ravel(), found.targets])).max()) or 1.0
        return [(*key(limit, "output; points: targets", frame.chart_style),)]
    classes = sorted({*found.outputs.ravel().tolist(), *found.targets.tolist()})
    pieces: list[Line] = []
    for number in classes[:MAX_NAMES]:
        name = found.names[number] if number < len(found.names) else str(number)
        point, region = Colour(ColourScale.CLASSES, 2 * number + 1), _region(number)
        swatch = picture([[point, region]] * pixel_rows(frame.chart_style), frame.chart_style)[0]
        pieces.append((*swatch, (f" {clip(printable(name, 60), 20)}", Tone.TEXT)))
    pieces.append((("points: rows of the data, behind them: the network's answer", Tone.DIM),))
    return spread(pieces, frame.width)


def _region(number: int) -> Colour:
    return Colour(ColourScale.CLASSES, 2 * int(number))


def _nearest(count: int, wanted: int) -> Array:
    """Return `wanted` indexes that spread evenly over `count` rows."""
    return np.minimum((np.arange(wanted) + 0.5) * count / wanted, count - 1).astype(np.intp)


def _curve(found: Curve, frame: Frame) -> list[Line]:
    """Return the first output over the input, over the targets of rows of the data."""
    width, height = max(2, frame.width - LABEL), max(2, frame.height - 2)
    rows, columns = DOTS[frame.chart_style]
    x = Scale(float(found.x[0]), float(found.x[-1]))
    values = np.concatenate([found.outputs[:, 0], found.targets[:, 0]])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    pad = 0.05 * (high - low) or 1.0
    y = Scale(low - pad, high + pad)
    dots = np.zeros((height * rows, width * columns), np.bool_)
    across = np.rint(x.place(found.points) * (width * columns - 1)).astype(int)
    down = np.rint((1 - y.place(found.targets[:, 0])) * (height * rows - 1)).astype(int)
    dots[np.clip(down, 0, len(dots) - 1), np.clip(across, 0, dots.shape[1] - 1)] = True
    line = trace(found.x, found.outputs[:, 0], x, y, width * columns, height * rows)
    codes, owner = characters([dots, line], frame.chart_style, height, width, "x*")
    tones = {0: Tone.TRAINING, 1: Tone.ACCENT, -1: Tone.TEXT}
    labels = {0: tick_text(y.high), height - 1: tick_text(y.low)}
    lines: list[Line] = []
    for number in range(height):
        cells: list[Span] = [
            (character, tones[int(series)]) for character, series in zip(string(codes[number]), owner[number], strict=True)
        ]
        lines.append(((f"{labels.get(number, ''):>{LABEL - 1}} ", Tone.DIM), *merged(cells)))
    left, right = tick_text(x.low), tick_text(x.high)
    axis = left + "input".center(width - len(left) - len(right)) + right
    note: list[Line] = [(("━━ ", Tone.ACCENT), ("network", Tone.TEXT)), (("∙ ", Tone.TRAINING), ("rows of the data", Tone.TEXT))]
    return [*lines, ((" " * LABEL + axis, Tone.DIM),), *spread(note, frame.width)]
