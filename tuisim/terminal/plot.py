"""Drawing kernels: arrays of numbers to dots, dots to characters, ranges to ticks. NumPy and strings only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuisim.terminal.lines import ChartStyle

Floats = NDArray[np.float64]
Dots = NDArray[np.bool_]


DOTS = {ChartStyle.BRAILLE: (4, 2), ChartStyle.BLOCK: (2, 2), ChartStyle.ASCII: (1, 1)}
"""(rows, columns) of dots in one character."""
_QUADRANTS = np.array([ord(c) for c in " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"], np.uint32)


def _code_of_dots(bits: Sequence[Sequence[int]]) -> NDArray[np.uint32]:
    """Return a cell's code for each value of its packed dots (column by column, the lowest bit at the top).

    `bits[row][column]` is the contribution of one dot.
    """
    weights = [bits[row][column] for column in range(len(bits[0])) for row in range(len(bits))]
    return np.array([sum(w for i, w in enumerate(weights) if n >> i & 1) for n in range(2 ** len(weights))], np.uint32)


_CODES = {
    ChartStyle.BRAILLE: _code_of_dots([[1, 8], [2, 16], [4, 32], [64, 128]]),
    ChartStyle.BLOCK: _code_of_dots([[1, 2], [4, 8]]),
    ChartStyle.ASCII: _code_of_dots([[1]]),
}
ASCII_GLYPHS = "*o+x."
"""The characters of the line styles in ASCII: four of curves, and one of the raw values behind a smoothed curve."""
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LARGE = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"), "1": ("╺┓ ", " ┃ ", "╺┻╸"), "2": ("╺━┓", "┏━┛", "┗━╸"), "3": ("╺━┓", "╺━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"), "5": ("┏━╸", "┗━┓", "╺━┛"), "6": ("┏━╸", "┣━┓", "┗━┛"), "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"), "9": ("┏━┓", "┗━┫", "╺━┛"), ",": (" ", " ", ","), ".": (" ", " ", "."), " ": (" ", " ", " "),
}  # fmt: skip
MAX_TICK = 6
"""Maximum characters of a tick."""
MIN_PERCENT = 4.0
"""Minimum span of a scale of percentages."""
_RAMP = " .:-=+*#@"
"""Eighths in ASCII."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values along an axis, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    def place(self, values: Floats) -> Floats:
        """Return 0 for `low` to 1 for `high`; nan if a value is not finite or has no logarithm."""
        values = np.asarray(values, np.float64)
        with np.errstate(all="ignore"):
            if self.log:
                low, high = math.log10(self.low), math.log10(self.high)
                placed = (np.log10(np.where(values > 0, values, np.nan)) - low) / (high - low)
            else:
                placed = (values / self._part - self.low / self._part) / (self.high / self._part - self.low / self._part)
        return np.where(np.isfinite(placed), placed, np.nan)

    def at(self, value: float) -> float:
        """Return the position of one finite value: 0 for `low`, 1 for `high`; it must be above 0 on a logarithmic scale."""
        if self.log:
            low = math.log10(self.low)
            return (math.log10(value) - low) / (math.log10(self.high) - low)
        return (value / self._part - self.low / self._part) / (self.high / self._part - self.low / self._part)

    def value(self, place: float) -> float:
        """Return the value at a position: `low` for 0, `high` for 1."""
        if self.log:
            return float(self.low ** (1 - place) * self.high**place)
        return self.low * (1 - place) + self.high * place

    @property
    def _part(self) -> float:
        """2 if the span of the scale would overflow, else 1: halves of the smallest floats would be 0."""
        return 1.0 if math.isfinite(self.high - self.low) else 2.0


def trace(x: Floats, y: Floats, x_scale: Scale, y_scale: Scale, columns: int, rows: int) -> Dots:
    """Draw the polyline through (x, y) as (rows, columns) dots, row 0 at the top.

    `x` ascends. Every point is drawn, even if many share a column; the line has a gap where `y` is not finite.
    """
    across = x_scale.place(x) * (columns - 1)
    down = (1 - np.minimum(np.maximum(y_scale.place(y), 0), 1)) * (rows - 1)
    known = (across > -0.5) & (across < columns - 0.5)
    if not known.all():
        across, down = across[known], down[known]
    if np.isnan(down).all():
        return np.zeros((rows, columns), np.bool_)
    column = np.rint(across).astype(np.intp)
    first = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    low[column[first]] = np.fmin.reduceat(down, first)
    high[column[first]] = np.fmax.reduceat(down, first)
    if (empty := np.isnan(low)).any():
        low[empty] = high[empty] = np.interp(np.flatnonzero(empty), across, down, left=np.nan, right=np.nan)
    low, high = np.rint(low), np.rint(high)
    top, bottom = low.copy(), high.copy()
    # Each column reaches to the row next to its left neighbour's, no further: the line stays thin.
    top[1:] = np.fmin(low[1:], high[:-1] + 1)
    bottom[1:] = np.fmax(high[1:], low[:-1] - 1)
    # A column without a value is part of a gap, whatever its neighbour has.
    top[np.isnan(low)] = np.nan
    row = np.arange(rows)[:, None]
    dots: Dots = (row >= top) & (row <= bottom)
    return dots


def smoothed(values: Floats, weight: float) -> Floats:
    """Return the exponential moving average of `values`, which may have gaps (nan), with `weight` for the past.

    Its bias towards 0 at the start is divided out, as by Adam (Kingma & Ba, ICLR 2015) and TensorBoard.
    """
    result = np.full(len(values), np.nan)
    mean = known = 0.0
    for place, value in enumerate(values.tolist()):
        if math.isfinite(value):
            mean, known = weight * mean + (1 - weight) * value, weight * known + (1 - weight)
            result[place] = mean / known
    return result


def dashed(dots: Dots, on: int = 3, off: int = 2) -> Dots:
    """Leave out columns of dots at a regular distance."""
    return dots & (np.arange(dots.shape[1]) % (on + off) < on)


def characters(
    layers: Sequence[Dots], chart_style: ChartStyle, height: int, width: int, glyphs: str
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Return the dots of several series as (height, width) code points, and the owner of each cell: its last series, or -1.

    `glyphs`: the character of each series in ASCII.
    """
    owner = np.full((height, width), -1, np.intp)
    codes = np.zeros((height, width), np.uint32)
    rows, columns = DOTS[chart_style]
    for index, dots in enumerate(layers):
        cells_of_dots = dots.reshape(height, rows, width, columns).transpose(0, 2, 3, 1).reshape(height, width, rows * columns)
        cells = _CODES[chart_style][np.packbits(cells_of_dots, axis=2, bitorder="little")[:, :, 0]]
        owner[cells > 0] = index
        codes |= cells
    if chart_style is ChartStyle.BRAILLE:
        return codes + np.uint32(0x2800) * (codes > 0) + np.uint32(0x20) * (codes == 0), owner
    if chart_style is ChartStyle.BLOCK:
        return _QUADRANTS[codes], owner
    return np.array([*map(ord, glyphs), ord(" ")], np.uint32)[owner], owner


def string(codes: NDArray[np.uint32]) -> str:
    """Return code points as text."""
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def columns_of(values: Sequence[float], width: int, height: int, chart_style: ChartStyle, top: float | None = None) -> list[str]:
    """Draw columns in `height` strings of `width` cells, full at `top` (default: the largest value).

    Fewer values than cells are widened, more are merged to their largest; a value above 0 shows at least a trace.
    """
    finite = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    if not finite.size or width < 1:
        return [" " * max(0, width)] * height
    starts = np.arange(width) * finite.size // width
    heights = np.maximum.reduceat(finite, starts) if finite.size >= width else finite[starts]
    limit = float(heights.max()) if top is None else top
    eighths = np.zeros(width) if limit <= 0 else np.rint(np.clip(heights / limit, 0, 1) * 8 * height)
    eighths = np.where(heights > 0, np.maximum(eighths, 1), 0).astype(np.intp)
    glyphs = _RAMP if chart_style is ChartStyle.ASCII else _EIGHTHS
    return ["".join(glyphs[n] for n in np.clip(eighths - 8 * row, 0, 8)) for row in reversed(range(height))]


def bar(share: float, width: int, chart_style: ChartStyle) -> tuple[str, str]:
    """Return the drawn part and the rest of a horizontal bar, together exactly `width` cells, full at a share of 1.

    Its resolution is half a cell; a share above 0 shows at least a trace.
    """
    halves = round(min(max(share, 0.0), 1.0) * 2 * width) if math.isfinite(share) else 0
    halves = min(max(halves, 1), 2 * width) if share > 0 else halves
    whole, rest = divmod(halves, 2)
    if chart_style is ChartStyle.ASCII:
        return "#" * (whole + rest), "." * (width - whole - rest)
    return "━" * whole + "╸" * rest, "─" * (width - whole - rest)


def large(string_: str) -> list[str]:
    """Draw digits, commas, points and SI prefixes three rows high."""
    glyphs = [_LARGE.get(character, (" ", " ", character)) for character in string_]
    return [" ".join(glyph[row] for glyph in glyphs) for row in range(3)]


def loss_scale(*series: Floats, log: bool | None = None) -> Scale | None:
    """Return a scale for losses, with round ends so that it changes rarely; None without a finite loss.

    `log` asks for a logarithmic or a linear one; by default it is logarithmic if the losses span more than a factor of 20.
    """
    finite = np.concatenate([part[np.isfinite(part)] for part in series])
    if not finite.size:
        return None
    low, high = found = float(finite.min()), float(finite.max())
    if low > 0 and (high / low > 20 if log is None else log and high > low):
        decade = 10.0 ** math.floor(math.log10(high))
        above = next(m * decade for m in (1, 2, 5, 10) if m * decade >= high * (1 - 1e-12))
        low, high = 10.0 ** math.floor(math.log10(low)), above
        return Scale(low if math.isfinite(low) and low > 0 else found[0], high if math.isfinite(high) else found[1], log=True)
    if low == high:
        low, high = (edge if math.isfinite(edge) else low for edge in (min(0.0, 2 * low), max(0.0, 2 * high)))
        return Scale(low, high if low < high else 1.0)
    if low > 0 and high / low > 1.5:
        low = 0.0
    step = tick_step(low, high, 4)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return Scale(low, high) if math.isfinite(low) and math.isfinite(high) else Scale(*found)


def percent_scale(*series: Floats) -> Scale:
    """Return a linear scale for percentages with round ends around the values, within 0 and 100."""
    values = np.concatenate(series)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Scale(0.0, 100.0)
    low, high = float(finite.min()), float(finite.max())
    missing = max(0.0, MIN_PERCENT - (high - low)) / 2
    step = tick_step(low - missing, high + missing, 4)
    low, high = math.floor((low - missing) / step) * step, math.ceil((high + missing) / step) * step
    return Scale(max(0.0, min(low, 100.0 - MIN_PERCENT)), min(100.0, max(high, MIN_PERCENT)))


def tick_step(low: float, high: float, max_count: int) -> float:
    """Return the 1-2-5 distance at which at most `max_count` + 1 ticks lie between `low` and `high`."""
    raw = max((high / max_count - low / max_count), 5e-324)
    decade = 10.0 ** math.floor(math.log10(raw))
    return next((m * decade for m in (1, 2, 5, 10) if m * decade >= raw * (1 - 1e-9)), raw) or raw


def ticks(scale: Scale, max_count: int) -> list[float]:
    """Return round values within the scale, at most `max_count` + 1 of them."""
    max_count = max(1, max_count)
    if not scale.log:
        step = tick_step(scale.low, scale.high, max_count)
        first = math.ceil(scale.low / step - 1e-9)
        count = math.floor((scale.high / step) + 1e-9) - first
        return [(first + i) * step for i in range(min(count, 1000) + 1)]
    first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
    every = max(1, -(-(last - first) // max_count))
    decades = [10.0**e for e in range(first, last + 1, every)]
    if len(decades) >= 3:
        return decades
    between = [m * 10.0**e for e in range(first - 1, last + 1) for m in (1, 2, 5)]
    inside = [v for v in between if scale.low * (1 - 1e-9) <= v <= scale.high * (1 + 1e-9)]
    return inside if len(inside) <= max_count + 1 else decades


def tick_texts(values: Sequence[float]) -> list[str]:
    """Write the ticks of an axis, all with an exponent if one of them needs it: `1e-4`, `1e-2`, `1e0`."""
    texts = [tick_text(value) for value in values]
    if not any("e" in text for text in texts):
        return texts
    alike = ["0" if value == 0 else _with_exponent(value) for value in values]
    return alike if max(map(len, alike)) <= MAX_TICK else texts


def _with_exponent(value: float) -> str:
    """Write `1e-4`, `1.5e-4`, `1.05e-3`."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def tick_text(value: float) -> str:
    """Write a tick in at most six characters: `0.05`, `250 k`, `1e-5`."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e3:
        return f"{value:.4g}"
    for power, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if power <= magnitude < 1000 * power:
            return f"{value / power:.3g}{prefix}"
    exact = _with_exponent(value)
    if len(exact) <= MAX_TICK:
        return exact
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"
