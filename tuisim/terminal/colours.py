"""The colours of pictures of numbers. The scales can be told apart by the colour-blind: blue below zero, orange above."""

from __future__ import annotations

from functools import cache

from tuisim.terminal.lines import Colour, ColourScale

LEVELS = 6
"""Levels of a scale on each side of zero."""

_BLUE, _ORANGE = (86, 180, 233), (240, 146, 30)
_DARK_BLUE, _DARK_ORANGE = (0, 98, 170), (190, 80, 0)
CLASS_COLOURS = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0), (0, 114, 178), (190, 190, 190),
)  # fmt: skip
"""Okabe and Ito's, which the colour-blind can tell apart; from the ninth class on they repeat."""
CLASS_GREYS = (110, 250, 180, 70, 215, 145, 90, 195)
"""The same without colours; those of the first classes are far apart."""


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
