"""Panel 3: each layer's gradient: its norm, its histogram and its health. Layers are grouped only if they do not all fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.features.run.state import RunState
from tuisim.measure.gradients import HISTOGRAM_BINS, HISTOGRAM_HIGH, HISTOGRAM_LOW, Health, LayerGradients
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, clip, spread, wrap
from tuisim.terminal.plot import columns_of
from tuisim.terminal.table import Column, fits, natural_widths, table

_SEVERITY = (Health.OK, Health.ZERO, Health.VANISHING, Health.DEAD, Health.EXPLODING, Health.NON_FINITE)
_TONES = {
    Health.OK: Tone.BACKWARD,  # a gradient is the backward phase's
    Health.ZERO: Tone.BACKWARD,
    Health.VANISHING: Tone.WARNING,
    Health.DEAD: Tone.WARNING,
    Health.EXPLODING: Tone.WARNING,
    Health.NON_FINITE: Tone.BAD,
}
_COLUMNS = (
    Column("layer", right=False),
    Column("‖g‖", min_width=6),
    Column("‖Δw‖/‖w‖", min_width=6),
    Column("dead", min_width=5),
    Column("health", right=False, min_width=10),
)
_HEALTH = len(_COLUMNS) - 1
_NARROWED = ((0, 1, 2, 3, 4), (0, 1, 2, 4), (0, 1, 4), (0, 1))
"""The columns that are kept where there is no room for all; without the health, a ! after the layer says that it is not OK."""
_HISTOGRAM_WIDTHS = (64, 32, 16)
"""Two cells per bin, one, or half a cell: every cell covers the same share of a bin."""
_COUNTS = "histogram of |g|"
MAX_ROWS = 10
"""Rows of one layer's histogram at most."""


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    norm: float
    ratio: float | None
    dead: float | None
    health: Health
    histogram: tuple[int, ...]


def gradients_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return one row per layer with its histogram beside it; many layers are grouped, few have taller histograms."""
    snapshot = state.snapshot
    if snapshot is None or not snapshot.gradients:
        return [] if state.failure else wrap("waiting for the first gradient sample", frame.width, Tone.DIM)
    room = frame.height - 3
    layers = snapshot.gradients
    count = len(layers) if frame.zoomed else min(len(layers), max(1, room))
    groups = [_group(layers[a:b]) for a, b in pairwise(i * len(layers) // count for i in range(count + 1))]
    foot = _foot(snapshot, len(groups) < len(layers), frame.width)
    cells = [_cells(group) for group in groups]
    taken = sum(natural_widths(_COLUMNS, cells)) + len(_COLUMNS) - 1
    width = next((w for w in _HISTOGRAM_WIDTHS if taken + 1 + w <= frame.width), 0)
    if not width:
        return _without_room(groups, cells, frame, foot)
    tall = max(1, min(MAX_ROWS, room // len(groups)))
    below = width == _HISTOGRAM_WIDTHS[-1] and tall >= 3  # one cell per bin needs the width of the figures
    return [*_histograms(groups, _COLUMNS, cells, frame, HISTOGRAM_BINS if below else width, tall, below), foot]


def _histograms(
    groups: Sequence[_Group],
    columns: Sequence[Column],
    cells: list[list[Span]],
    frame: Frame,
    width: int,
    tall: int,
    below: bool,
) -> list[Line]:
    """Return `tall` lines for each layer, with its histogram of `width` cells to the right of its figures or below them."""
    at = frame.width - width
    taken = sum(natural_widths(columns, cells)) + len(columns) - 1
    heading, *figures = table(columns, cells, frame.width if below else max(taken, at - 2))
    lines: list[Line] = [heading if below else (*heading, (_gap(heading, at) + _COUNTS[:width], Tone.DIM))]
    for group, line in zip(groups, figures, strict=True):
        *upper, last = columns_of(group.histogram, width, tall - (below or tall > 2), frame.chart_style)
        lines += [line] if below else [BLANK] * (tall - len(upper) - 1)
        for left, row in (*((BLANK, row) for row in upper), (BLANK if below else line, last)):
            lines.append((*left, (_gap(left, at), Tone.TEXT), (row, _TONES[group.health])))
    name = next((words for words in (_COUNTS, "|g|") if len(words) < at), "") if below else ""
    return [*lines, ((name.ljust(at), Tone.DIM), (_axis(width), Tone.DIM))]


def _without_room(groups: Sequence[_Group], cells: list[list[Span]], frame: Frame, foot: Line) -> list[Line]:
    """Return the figures that fit, with each layer's histogram below them, or beside fewer of them if there is no room below."""
    tall = (frame.height - 2) // len(groups)  # without the heading and the axis
    narrow = _HISTOGRAM_WIDTHS[-1]
    columns, chosen = _kept(cells, frame.width)
    if tall >= 2 and frame.width >= narrow:
        width = HISTOGRAM_BINS if frame.width >= HISTOGRAM_BINS else narrow
        lines = _histograms(groups, columns, chosen, frame, width, min(MAX_ROWS, tall), below=True)
    elif fits(*(beside := _kept(cells, frame.width - narrow - 1)), frame.width - narrow - 1):
        lines = _histograms(groups, *beside, frame, narrow, 1, below=False)
    else:
        lines = table(columns, chosen, frame.width)
    return [*lines, foot] if frame.height > len(lines) else lines[: frame.height]


def _kept(cells: list[list[Span]], width: int) -> tuple[list[Column], list[list[Span]]]:
    """Return the most columns that fit, with their cells."""
    for kept in _NARROWED:
        columns, chosen = [_COLUMNS[i] for i in kept], [[row[i] for i in kept] for row in cells]
        if _HEALTH not in kept:
            marks = [" !" * (row[_HEALTH][1] is not Tone.TEXT) for row in cells]
            chosen = [[(name + mark, tone), *rest] for ((name, tone), *rest), mark in zip(chosen, marks, strict=True)]
        if fits(columns, chosen, width):
            break
    return columns, chosen


def _gap(line: Line, column: int) -> str:
    return " " * (column - sum(len(span[0]) for span in line))


def _axis(width: int) -> str:
    """Return the labels of the decades under a histogram."""
    cells = [" "] * width
    for decade in range(HISTOGRAM_LOW, HISTOGRAM_HIGH + 1, 4 if width >= 32 else 8):
        label = f"1e{decade}" if decade else "1"
        at = round((decade - HISTOGRAM_LOW) / (HISTOGRAM_HIGH - HISTOGRAM_LOW) * width)
        start = min(max(0, at - len(label) // 2), width - len(label))
        cells[start : start + len(label)] = label
    return "".join(cells)


def _foot(snapshot: Snapshot, grouped: bool, width: int) -> Line:
    sampled = sum(layer.sampled for layer in snapshot.gradients)
    total = sum(layer.total for layer in snapshot.gradients)
    words = ["groups: combined norm, else the worst" if width >= 40 else "groups: norm, worst"] if grouped else []
    words.append(f"step {units.count(snapshot.gradient_step)}")
    place = len(words) - 1
    if snapshot.config.clip_norm is not None:
        norm = math.hypot(*(layer.norm for layer in snapshot.gradients))
        longer = norm > snapshot.config.clip_norm
        words.append(
            f"‖g‖ {units.figure(norm)}, " + (f"clipped to {snapshot.config.clip_norm:g} given" if longer else "not clipped")
        )
    if snapshot.subnormal:
        words.append(f"{units.si(snapshot.subnormal)} optimizer values subnormal")
    elif snapshot.flushed:
        words.append(f"{units.si(snapshot.flushed)} optimizer values flushed to 0")
    if sampled < total:
        words.append(f"histograms of {units.si(sampled)} of {units.si(total)} values")
    assert snapshot.gradient_step is not None
    if (since := snapshot.step - snapshot.gradient_step) > 0:
        full = [*words[:place], f"{words[place]}, sampled {units.counted(since, 'step')} ago", *words[place + 1 :]]
        if sum(map(len, full)) + 3 * (len(full) - 1) <= width:
            words = full
    return spread([((clip(word, width), Tone.DIM),) for word in words], width)[0]


def _cells(group: _Group) -> list[Span]:
    tone = _TONES[group.health]
    bad = tone if group.health not in (Health.OK, Health.ZERO) else Tone.TEXT
    return [
        (group.name, Tone.TEXT),
        (_scientific(group.norm), bad),
        (_scientific(group.ratio), bad),
        (units.percent(group.dead, 0), Tone.TEXT),
        (group.health.value, bad),
    ]


def _scientific(value: float | None) -> str:
    """Return two significant digits and a short exponent: `3.1e-2`."""
    if value is None:
        return ""
    if not math.isfinite(value) or value == 0:
        return units.figure(value)
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _group(layers: Sequence[LayerGradients]) -> _Group:
    """Return neighbouring layers as one row: the norm of them all, otherwise the worst of them."""
    first, last = layers[0].layer, layers[-1].layer
    ratios = [layer.update_ratio for layer in layers if layer.update_ratio is not None]
    dead = [layer.dead_units for layer in layers if layer.dead_units is not None]
    return _Group(
        name=str(first) if first == last else f"{first}–{last}",
        norm=math.hypot(*(layer.norm for layer in layers)),
        ratio=max(ratios, default=None),
        dead=max(dead, default=None),
        health=max((layer.health for layer in layers), key=_SEVERITY.index),
        histogram=tuple(sum(bins) for bins in zip(*(layer.histogram for layer in layers), strict=True)),
    )
