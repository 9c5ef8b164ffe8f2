"""A layer's values as lines: a tile per unit for images, else the matrix with a pixel per weight."""

from __future__ import annotations

import numpy as np

from tuisim import units
from tuisim.features.inspect.state import Inspected
from tuisim.features.inspect.weights.weights import Array, LayerValues
from tuisim.terminal.lines import Frame, Line, Tone, spread, wrap
from tuisim.terminal.shades import enlarged, key, levels, picture, pixel_rows

WORDS = {
    "weights": "weights",
    "gradients": "gradients of the latest step's loss",
    "updates": "changes by the latest step",
}


MAX_SCALE = 4
"""Pixels of the screen on a side of a weight of an image at most."""


def weights_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the figures of the layer, the key of the colours, and the picture; a zoomed panel shows all of it."""
    found = state.found
    if found is None:
        return wrap(state.words, frame.width, Tone.DIM)
    values = found.values
    inputs, outputs = values.shape
    finite = values[np.isfinite(values)]
    limit = float(np.abs(finite).max()) if finite.size else 0.0
    mean, spread_ = (float(finite.mean()), float(finite.std())) if finite.size else (float("nan"), float("nan"))
    what = f"{WORDS[found.chosen.kind]} of layer {found.chosen.layer}: {inputs:,} inputs × {units.counted(outputs, 'unit')}"
    figures = f"mean {units.figure(mean)}, standard deviation {units.figure(spread_)}"
    lines = spread(
        [((what, Tone.STRONG),), ((figures, Tone.TEXT),), key(limit, "", frame.chart_style)], frame.width
    )  # fmt: skip
    room = max(1, frame.height - len(lines) - 2)
    if found.side is not None:
        body, note = _tiles(found, limit, frame, room)
    else:
        body, note = _matrix(values, limit, frame, room)
    return [*lines, *wrap(note, frame.width, Tone.DIM), *body]


def _tiles(found: LayerValues, limit: float, frame: Frame, room: int) -> tuple[list[Line], str]:
    """Return one picture of the inputs per unit, those with the largest weights if not all fit."""
    assert found.side is not None
    side, outputs = found.side, found.values.shape[1]
    scale = next((n for n in range(MAX_SCALE, 1, -1) if _fitting(side * n, frame, room) >= outputs), 1)
    wide = side * scale
    across = max(1, (frame.width + 1) // (wide + 1))
    shown = outputs if frame.zoomed else min(outputs, max(1, _fitting(wide, frame, room)))
    order = np.arange(outputs)
    if shown < outputs:
        norms = np.nan_to_num(np.linalg.norm(found.values, axis=0))
        order = np.sort(np.argsort(-norms, kind="stable")[:shown])
    lines: list[Line] = []
    for first in range(0, shown, across):
        chosen = order[first : first + across]
        tiles = [_tile(found.values[:, unit].reshape(side, side), scale, limit, frame) for unit in chosen]
        lines.append(tuple((f"unit {unit + 1}".ljust(wide)[:wide] + " ", Tone.DIM) for unit in chosen))
        for parts in zip(*tiles, strict=True):
            line: Line = ()
            for part in parts:
                line = (*line, *part, (" ", Tone.TEXT))
            lines.append(line)
    note = f"a {side} × {side} picture of the inputs for each unit"
    if shown < outputs:
        note += f"; the {shown:,} units with the largest weights, {outputs - shown:,} are not drawn (1 shows all)"
    return lines, note


def _tile(values: Array, scale: int, limit: float, frame: Frame) -> list[Line]:
    return picture(levels(enlarged(values, scale, scale), limit), frame.chart_style)


def _fitting(wide: int, frame: Frame, room: int) -> int:
    """Return the number of tiles that fit."""
    tall = -(-wide // pixel_rows(frame.chart_style)) + 1
    return (frame.width + 1) // (wide + 1) * (room // tall)


def _matrix(values: Array, limit: float, frame: Frame, room: int) -> tuple[list[Line], str]:
    """Return the matrix, units across and inputs down; where it does not fit, a pixel is the largest of a block."""
    inputs, outputs = values.shape
    rows_per_line = pixel_rows(frame.chart_style)
    across = -(-outputs // max(1, frame.width))
    down = across if frame.zoomed else max(1, -(-inputs // (room * rows_per_line)))
    shown = _largest_of_blocks(values, down, across)
    wide = max(1, min(4, frame.width // shown.shape[1]))
    tall = max(1, min(wide, (room * rows_per_line) // shown.shape[0]))
    shown = enlarged(shown, tall, wide)
    note = "a row per input, a column per unit"
    if down > 1 or across > 1:
        note += f"; each pixel is the largest of {down:,} × {across:,} weights (1 zooms)"
    return picture(levels(shown, limit), frame.chart_style), note


def _largest_of_blocks(values: Array, down: int, across: int) -> Array:
    """Return the value of largest magnitude in each block of `down` rows and `across` columns."""
    rows, columns = -(-values.shape[0] // down), -(-values.shape[1] // across)
    padded = np.zeros((rows * down, columns * across), values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, down, columns, across).transpose(0, 2, 1, 3).reshape(rows, columns, down * across)
    at = np.abs(blocks).argmax(axis=2)
    found: Array = np.take_along_axis(blocks, at[:, :, None], axis=2)[:, :, 0]
    return found
