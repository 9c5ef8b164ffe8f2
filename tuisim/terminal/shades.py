"""Pictures of numbers: a level of a colour scale for each pixel, two pixels in a cell, and what they are without colours.

The scales can be told apart by the colour-blind: blue below zero and orange above (Okabe and Ito), grey for what has no sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.terminal.lines import ChartStyle, Colour, ColourScale, Line, Shade, Tone

LEVELS = 6
"""Levels of a scale on each side of zero."""


Pixels = list[list[Colour | None]]
"""Rows of pixels from the top; None is the page."""

_BLUE, _ORANGE = (86, 180, 233), (240, 146, 30)
_DARK_BLUE, _DARK_ORANGE = (0, 98, 170), (190, 80, 0)
CLASS_COLOURS = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178), (190, 190, 190),
)  # fmt: skip
"""Okabe and Ito's, which the colour-blind can tell apart; from the ninth class on they repeat."""
CLASS_GREYS = (110, 250, 180, 70, 215, 145, 90, 195)
"""The same without colours; those of the first classes are far apart."""
CLASS_LETTERS = "ox+*#@=%"
"""The same without colours."""
_SIGNED_ASCII = "@=~-. .+x*#"
_UNSIGNED_ASCII = " .:-+*#@"


@cache
def rgb(colour: Colour, dark: bool, coloured: bool) -> tuple[int, int, int]:
    """Return the colour of a level in a dark or a light theme; without colours a grey, brighter for the higher level."""
    scale, level = colour
    if scale is ColourScale.CLASSES:
        number, is_point = divmod(level, 2)
        found = CLASS_COLOURS[number % len(CLASS_COLOURS)]
        if not coloured:
            grey = CLASS_GREYS[number % len(CLASS_GREYS)]
            found = (grey, grey, grey)
        return found if is_point else _mix((22, 26, 31) if dark else (250, 250, 250), found, 0.45)
    share = level / LEVELS
    if not coloured:
        grey = round(128 + 120 * share) if scale is ColourScale.SIGNED else round(20 + 225 * (share if dark else 1 - share))
        return grey, grey, grey
    if scale is ColourScale.UNSIGNED:
        return _mix((28, 33, 39), (232, 238, 244), share) if dark else _mix((244, 246, 248), (27, 36, 45), share)
    if dark:
        return _mix((28, 33, 39), _ORANGE if level > 0 else _BLUE, abs(share))
    return _mix((244, 246, 248), _DARK_ORANGE if level > 0 else _DARK_BLUE, abs(share))


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue


def levels(values: NDArray[Any], limit: float, scale: ColourScale = ColourScale.SIGNED) -> Pixels:
    """Return a pixel for each of the (rows, columns) values, full at ±`limit`; None where a value is not finite."""
    with np.errstate(all="ignore"):
        placed = np.asarray(values, np.float64) / limit if limit > 0 else np.zeros_like(values, np.float64)
    finite = np.isfinite(placed)
    low = -LEVELS if scale is ColourScale.SIGNED else 0
    found = np.clip(np.rint(np.where(finite, placed, 0) * LEVELS), low, LEVELS).astype(int)
    return [
        [Colour(scale, level) if known else None for level, known in zip(row, is_known, strict=True)]
        for row, is_known in zip(found.tolist(), finite.tolist(), strict=True)
    ]


def pixel_rows(chart_style: ChartStyle) -> int:
    """Return the rows of pixels in one line."""
    return 1 if chart_style is ChartStyle.ASCII else 2


def picture(pixels: Pixels, chart_style: ChartStyle) -> list[Line]:
    """Return lines of pixels, one pixel wide per cell."""
    if chart_style is ChartStyle.ASCII:
        return [_joined([(_letter(pixel), Shade(pixel, None)) for pixel in row]) for row in pixels]
    lines = []
    for top in range(0, len(pixels), 2):
        upper = pixels[top]
        lower = pixels[top + 1] if top + 1 < len(pixels) else [None] * len(upper)
        lines.append(_joined([_half_blocks(a, b) for a, b in zip(upper, lower, strict=True)]))
    return lines


def _half_blocks(upper: Colour | None, lower: Colour | None) -> tuple[str, Shade]:
    if upper is None and lower is None:
        return " ", Shade(None, None)
    if upper is None:
        return "▄", Shade(lower, None)
    return "▀", Shade(upper, lower)


def _letter(pixel: Colour | None) -> str:
    if pixel is None:
        return " "
    if pixel.scale is ColourScale.CLASSES:
        number, is_point = divmod(pixel.level, 2)
        return CLASS_LETTERS[number % len(CLASS_LETTERS)].upper() if is_point else ".,:;'`-_"[number % len(CLASS_LETTERS)]
    if pixel.scale is ColourScale.UNSIGNED:
        return _UNSIGNED_ASCII[pixel.level * (len(_UNSIGNED_ASCII) - 1) // LEVELS]
    return _SIGNED_ASCII[(pixel.level + LEVELS) * (len(_SIGNED_ASCII) - 1) // (2 * LEVELS)]


def _joined(cells: Sequence[tuple[str, Shade]]) -> Line:
    """Join neighbouring cells of one look."""
    found: list[tuple[str, Shade]] = []
    for character, shade in cells:
        if found and found[-1][1] == shade:
            found[-1] = (found[-1][0] + character, shade)
        else:
            found.append((character, shade))
    return tuple(found)


def key(limit: float, unit: str, chart_style: ChartStyle, scale: ColourScale = ColourScale.SIGNED) -> Line:
    """Return the key of a scale: its colours from one end to the other, with the values at both ends."""
    low = -LEVELS if scale is ColourScale.SIGNED else 0
    colours: list[Colour | None] = [Colour(scale, level) for level in range(low, LEVELS + 1)]
    strip = picture([colours], chart_style) if chart_style is ChartStyle.ASCII else picture([colours, colours], chart_style)
    ends = (f"-{limit:.2g} " if low else "0 ", f" {limit:.2g}{unit and ' ' + unit}")
    return ((ends[0], Tone.DIM), *strip[0], (ends[1], Tone.DIM))
