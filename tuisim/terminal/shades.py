"""Pictures of numbers: a level of a colour scale for each pixel, two pixels in a cell, and characters in the ASCII style."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.terminal.colours import LEVELS
from tuisim.terminal.lines import ChartStyle, Colour, ColourScale, Line, Shade, Tone, merged

Pixels = list[list[Colour | None]]
"""Rows of pixels from the top; None is the page."""

CLASS_LETTERS = "ox+*#@=%"
"""The characters of the classes in the ASCII style."""
_SIGNED_ASCII = "@=~-. .+x*#"
_UNSIGNED_ASCII = " .:-+*#@"


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


def enlarged(values: NDArray[Any], down: int, across: int) -> NDArray[Any]:
    """Return (rows, columns) of values with each one repeated `down` times and `across` times."""
    return np.repeat(np.repeat(values, down, axis=0), across, axis=1)


def pixel_rows(chart_style: ChartStyle) -> int:
    """Return the rows of pixels in one line."""
    return 1 if chart_style is ChartStyle.ASCII else 2


def picture(pixels: Pixels, chart_style: ChartStyle) -> list[Line]:
    """Return lines of pixels, one pixel wide per cell."""
    if chart_style is ChartStyle.ASCII:
        return [merged([(_letter(pixel), Shade(pixel, None)) for pixel in row]) for row in pixels]
    lines = []
    for top in range(0, len(pixels), 2):
        upper = pixels[top]
        lower = pixels[top + 1] if top + 1 < len(pixels) else [None] * len(upper)
        lines.append(merged([_half_blocks(a, b) for a, b in zip(upper, lower, strict=True)]))
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


def key(limit: float, unit: str, chart_style: ChartStyle, scale: ColourScale = ColourScale.SIGNED) -> Line:
    """Return the key of a scale: its colours from one end to the other, with the values at both ends."""
    low = -LEVELS if scale is ColourScale.SIGNED else 0
    colours: list[Colour | None] = [Colour(scale, level) for level in range(low, LEVELS + 1)]
    strip = picture([colours], chart_style) if chart_style is ChartStyle.ASCII else picture([colours, colours], chart_style)
    ends = (f"-{limit:.2g} " if low else "0 ", f" {limit:.2g}{unit and ' ' + unit}")
    return ((ends[0], Tone.DIM), *strip[0], (ends[1], Tone.DIM))
