"""A logarithmic axis of time in units a person feels, and bars along it.

It places numbers of seconds in cells; it does not know what takes them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tuisim.terminal.lines import Line, Tone
from tuisim.terminal.plot import ChartStyle

_YEAR = 365.25 * 86_400
UNIVERSE = 13.787e9 * _YEAR
"""Its age in seconds; Planck Collaboration 2020, Planck 2018 results VI, table 2."""
LANDMARKS: tuple[tuple[float, str], ...] = (
    (1e-9, "1 ns"), (1e-6, "1 µs"), (1e-3, "1 ms"), (1.0, "1 s"), (60.0, "1 min"), (3_600.0, "1 h"), (86_400.0, "1 day"),
    (_YEAR, "1 year"), (100 * _YEAR, "a century"), (1e6 * _YEAR, "1 M years"), (UNIVERSE, "age of the universe"),
    *((10.0**n * _YEAR, f"1e{n} years") for n in range(15, 300, 15)),
)  # fmt: skip
"""Seconds and the word for them."""
_SHORT = {"age of the universe": "universe"}
_NARROW = 64
"""Cells below which a long word is a short one."""
LEAST_LANDMARKS = 4
_GLYPHS = {False: ("─", "━", "●", "▸", "┊", "┴", "─"), True: ("-", "=", "O", ">", ":", "+", "-")}
"""Leader, band, likely, lower bound, grid, tick and line, by whether there is ASCII alone."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds between which something may lie; all the same where that is one number."""

    low: float
    likely: float
    high: float
    bound: bool = False
    """It takes at least so long."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From one landmark to another, over `width` cells."""

    marks: tuple[tuple[float, str], ...]
    width: int

    def cell(self, seconds: float) -> int:
        """Where a length of time lies; at an end where it is beyond."""
        first, last = math.log10(self.marks[0][0]), math.log10(self.marks[-1][0])
        at = (math.log10(seconds) - first) / (last - first) if seconds > 0 else 0.0
        return min(max(round(at * (self.width - 1)), 0), self.width - 1)


def axis(seconds: Sequence[float], width: int) -> Axis:
    """The landmarks round these lengths of time."""
    known = [one for one in seconds if math.isfinite(one) and one > 0] or [1.0]
    last = len(LANDMARKS) - 1
    low = max((i for i, (at, _) in enumerate(LANDMARKS) if at <= min(known)), default=0)
    high = min((i for i, (at, _) in enumerate(LANDMARKS) if at >= max(known)), default=last)
    while high - low + 1 < LEAST_LANDMARKS:
        low, high = max(0, low - 1), min(last, high + 1)
    return Axis(LANDMARKS[low : high + 1], width)


def track(of: Axis, stretch: Stretch | None, chart_style: ChartStyle, tone: Tone) -> Line:
    """One row of the picture: the grid, a leader up to the stretch, its band, and where it likely is."""
    leader, band, likely, bound, grid, _, _ = _GLYPHS[chart_style is ChartStyle.ASCII]
    cells: list[tuple[str, Tone]] = [(" ", Tone.TEXT)] * of.width
    for at, _ in of.marks:
        cells[of.cell(at)] = (grid, Tone.FAINT)
    if stretch is not None:
        low, middle, high = (of.cell(value) for value in (stretch.low, stretch.likely, stretch.high))
        cells[:low] = [(leader, tone)] * low
        cells[low : high + 1] = [(band, tone)] * (high + 1 - low)
        cells[middle] = (bound if stretch.bound else likely, tone)
    return _merged(cells)


def ruler(of: Axis, chart_style: ChartStyle) -> list[Line]:
    """The axis itself and the words under it; where they would touch, the ends come first, then those from the left."""
    *_, tick, line = _GLYPHS[chart_style is ChartStyle.ASCII]
    ticks, words = [line] * of.width, [" "] * of.width
    places = [(of.cell(at), _SHORT.get(word, word) if of.width < _NARROW else word) for at, word in of.marks]
    for place, _ in places:
        ticks[place] = tick
    for place, word in (places[0], places[-1], *places[1:-1]):
        start = min(max(place - len(word) // 2, 0), max(of.width - len(word), 0))
        end = start + len(word)
        if end <= of.width and not "".join(words[max(start - 1, 0) : end + 1]).strip():
            words[start:end] = word
    return [(("".join(ticks), Tone.DIM),), (("".join(words).rstrip(), Tone.DIM),)]


def _merged(cells: Sequence[tuple[str, Tone]]) -> Line:
    """Neighbours of one tone as one run."""
    return tuple(("".join(character for character, _ in run), tone) for tone, run in groupby(cells, key=lambda cell: cell[1]))
