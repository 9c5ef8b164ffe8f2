"""A logarithmic axis of time with familiar units, and intervals drawn along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuisim.predict.prediction import Interval
from tuisim.terminal.lines import ChartStyle, Line, Span, Tone, merged

_YEAR = 365.25 * 86_400
LANDMARKS: tuple[tuple[float, str], ...] = (
    (1e-9, "1 ns"), (1e-6, "1 µs"), (1e-3, "1 ms"), (1.0, "1 s"), (60.0, "1 min"), (3_600.0, "1 h"), (86_400.0, "1 day"),
    (_YEAR, "1 year"), (100 * _YEAR, "a century"), (1e6 * _YEAR, "1 million years"), (1e9 * _YEAR, "1 billion years"),
    *((10.0**n * _YEAR, f"1e{n} years") for n in range(15, 300, 15)),
)  # fmt: skip
"""Seconds and the words for them."""
MIN_LANDMARKS = 4
_GLYPHS = {False: ("─", "━", "●", "▸", "┊", "┴", "─"), True: ("-", "=", "O", ">", ":", "+", "-")}
"""Leader, interval, estimate, lower bound, grid, tick and line, in ASCII if True."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of `width` cells from one landmark to another."""

    marks: tuple[tuple[float, str], ...]
    width: int

    def cell(self, seconds: float) -> int:
        """Return the cell of a time; an end of the axis if the time lies beyond."""
        first, last = math.log10(self.marks[0][0]), math.log10(self.marks[-1][0])
        at = (math.log10(seconds) - first) / (last - first) if seconds > 0 else 0.0
        return min(max(round(at * (self.width - 1)), 0), self.width - 1)


def axis(seconds: Sequence[float], width: int) -> Axis:
    """Return the axis whose landmarks enclose these times."""
    known = [one for one in seconds if math.isfinite(one) and one > 0] or [1.0]
    last = len(LANDMARKS) - 1
    low = max((i for i, (at, _) in enumerate(LANDMARKS) if at <= min(known)), default=0)
    high = min((i for i, (at, _) in enumerate(LANDMARKS) if at >= max(known)), default=last)
    while high - low + 1 < MIN_LANDMARKS:
        low, high = max(0, low - 1), min(last, high + 1)
    return Axis(LANDMARKS[low : high + 1], width)


def track(along: Axis, interval: Interval | None, style: ChartStyle, tone: Tone, is_bound: bool = False) -> Line:
    """Draw one row: the grid, a leader up to the interval, the interval and its estimate, which may be a lower bound."""
    leader, span, estimate, bound, grid, _, _ = _GLYPHS[style is ChartStyle.ASCII]
    cells: list[Span] = [(" ", Tone.TEXT)] * along.width
    for at, _ in along.marks:
        cells[along.cell(at)] = (grid, Tone.FAINT)
    if interval is not None:
        low, middle, high = (along.cell(value) for value in (interval.low, interval.likely, interval.high))
        cells[:low] = [(leader, tone)] * low
        cells[low : high + 1] = [(span, tone)] * (high + 1 - low)
        cells[middle] = (bound if is_bound else estimate, tone)
    return merged(cells)


def ruler(along: Axis, style: ChartStyle) -> list[Line]:
    """Draw the axis and the words under it; if they would touch, the ends come first, then those from the left."""
    *_, tick, line = _GLYPHS[style is ChartStyle.ASCII]
    ticks, words = [line] * along.width, [" "] * along.width
    places = [(along.cell(at), word) for at, word in along.marks]
    for place, _ in places:
        ticks[place] = tick
    for place, word in (places[0], places[-1], *places[1:-1]):
        start = min(max(place - len(word) // 2, 0), max(along.width - len(word), 0))
        end = start + len(word)
        if end <= along.width and not "".join(words[max(start - 1, 0) : end + 1]).strip():
            words[start:end] = word
    return [(("".join(ticks), Tone.DIM),), (("".join(words).rstrip(), Tone.DIM),)]
