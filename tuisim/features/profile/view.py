"""The page Profile as lines: the roofline with a letter for each operation, the operations of a step, and the waterfall."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from string import ascii_letters

import numpy as np

from tuisim import units
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.profile.roofline import Dot, Roofline, Roofs, roofline
from tuisim.features.profile.step_profile import StepProfile
from tuisim.features.profile.waterfall import Part, TimeBreakdown, Waterfall, waterfall
from tuisim.measure.ceiling import ABOVE, Ceiling, share_text
from tuisim.terminal.chart import LABEL, Cell, Series, cell_of, overlay, plot, sample, x_at, x_axis
from tuisim.terminal.lines import (
    BLANK,
    PHASE_TONES,
    UNLIMITED,
    ChartStyle,
    Frame,
    Line,
    Span,
    Tone,
    clip,
    ends,
    spread,
    width_of,
    wrap,
)
from tuisim.terminal.plot import DOTS, Scale, bar
from tuisim.terminal.table import Column, drop_columns, fits, table, visible_rows
from tuisim.terminal.text import job_lines, job_state, network_subjects, page_header

TONES = {
    "peak": Tone.GOOD, "products": Tone.FORWARD, "elements": Tone.LOSS, "calls": Tone.BACKWARD, "data": Tone.DATA,
    "slower": Tone.WARNING, "validation": Tone.VALIDATION, "probe": Tone.UPDATE, "making": Tone.DATA,
}  # fmt: skip
"""The tones of the waterfall's parts; the other parts are waiting and quiet."""
MAX_ADVICE = 0.5
"""The share of a panel's height for the advice on the selected operation."""
MIN_PLOT, MAX_PLOT = 3, 24
"""Lines of the roofline's picture."""
MIN_BAR, MAX_BAR = 6, 60
SHARE, GAP = 8, 2
"""Cells of a share in the waterfall, and between two columns."""
NEARBY = (0, 1, -1, 2, -2, 3, -3)
"""The columns beside a letter's own cell that are tried if it is taken."""
NO_DOT, MANY = "–", "•"
"""The letters of an operation without a dot, and of a dot for which no letter is left."""


@dataclass(frozen=True)
class ProfileState:
    """The profile of a step as far as it is measured, and the selected operation."""

    config: RunConfig
    profile: StepProfile | None = None
    run: TimeBreakdown | None = None
    """The time breakdown of the run in progress; None to show the step by itself."""
    selected: int | None = None
    """None for the operation that takes most of the step."""
    done: float = 0.0
    """The share of the measurement that is done."""
    failure: str = ""
    is_waiting: bool = False

    @cached_property
    def roofline(self) -> Roofline | None:
        """The roofline of the profile."""
        return roofline(self.profile) if self.profile else None

    @cached_property
    def waterfall(self) -> Waterfall | None:
        """The waterfall of the run, or of the step by itself."""
        return waterfall(self.profile, self.run or TimeBreakdown.of_step(self.profile)) if self.profile else None

    @property
    def dots(self) -> tuple[Dot, ...]:
        """The operations as dots under their roofs."""
        return self.roofline.dots if self.roofline else ()

    @property
    def cursor(self) -> int:
        """The selected operation."""
        dots = self.dots
        if self.selected is not None:
            return max(0, min(len(dots) - 1, self.selected))
        return max(range(len(dots)), key=lambda i: dots[i].share, default=0)

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters of the operations in the picture, in the step's order."""
        names = iter(ascii_letters)
        return tuple(NO_DOT if dot.place is None else next(names, MANY) for dot in self.dots)


def page(state: ProfileState, frame: Frame) -> list[Line]:
    """Return the header and everything that the panels show."""
    return [
        *header(state, frame), BLANK, *operation_lines(state, frame), BLANK, *roofline_lines(state, frame), BLANK,
        *waterfall_lines(state, frame),
    ]  # fmt: skip


def header(state: ProfileState, frame: Frame) -> list[Line]:
    """Return the network, its configuration, the time of a step, and the state of the measurement."""
    config, found = state.config.resolved(), state.profile
    batch = f"batch {units.count(found.batch if found else config.full_batch)}"
    device = printable(found.device if found else config.backend, 60)
    details = [batch, device, config.optimizer, config.loss, precision(config.backend, config.dtype)]
    state_word = job_state(state.failure, state.is_waiting, found is not None)
    subjects, more = network_subjects(config), [" · ".join(details[:count]) for count in range(len(details), 0, -1)]
    return [page_header("profile", subjects, more, (state_word,), frame.width)]


def _pending(state: ProfileState, frame: Frame) -> list[Line]:
    """Return the lines of a panel before there is a profile."""
    if state.failure or state.is_waiting:
        return job_lines(state.failure, state.is_waiting, "", frame.width)
    drawn, empty = bar(state.done, min(frame.width, 40), frame.chart_style)
    words = "profiling the step" if state.done else "measuring this machine's roofs"
    return [*wrap(words, frame.width, Tone.DIM), ((drawn, Tone.ACCENT), (empty, Tone.FAINT))]


# ── the operations ──


def operation_lines(state: ProfileState, frame: Frame) -> list[Line]:
    """Return the operations of the step, each with its letter in the picture, and advice on the selected one."""
    if state.profile is None:
        return _pending(state, frame) if frame.zoomed or not (state.failure or state.is_waiting) else []
    columns, rows = _operation_table(state, frame.width)
    lines = table(columns, rows, frame.width)
    window = _visible_operations(state, frame)
    kept = [lines[0], *(lines[1 + i] for i in window)]
    below = len(rows) - window.stop
    more: Line = ((f"  … {below} more", Tone.DIM),) if below else BLANK
    return [*kept, *([more] if frame.height > 12 else []), *_advice(state, frame)]


def operation_places(state: ProfileState, frame: Frame) -> list[int | None]:
    """Return the operation on each line."""
    return [None, *_visible_operations(state, frame)] if state.profile else []


def _visible_operations(state: ProfileState, frame: Frame) -> range:
    room = max(1, frame.height - len(_advice(state, frame)) - 1 - (frame.height > 12))
    return visible_rows(len(state.dots), room, state.cursor)


def _advice(state: ProfileState, frame: Frame) -> list[Line]:
    assert state.profile is not None
    dot, width = state.dots[state.cursor], frame.width
    advice = wrap(dot.advice, width, Tone.STRONG)
    if frame.zoomed:
        named = f"{_named(dot)}, {units.percent(dot.share)} of the step: {dot.advice}"
        others = [f"{ABOVE} {_named(other)}: {other.above}" for other in state.dots if other.above]
        outside, step = state.profile.outside, state.profile.step_seconds
        if outside:
            others.append(
                f"{units.duration(outside)} of the step, {units.percent(outside / step)}, are spent between its operations"
            )
        return [*wrap(named, width, Tone.STRONG), *wrap(_figures(dot), width, Tone.DIM),
                *(line for words in others for line in wrap(words, width, Tone.TEXT))]  # fmt: skip
    above = wrap(f"{ABOVE} {dot.above}", width, Tone.WARNING) if dot.above else []
    lines = [*advice, *above, *wrap(_figures(dot), width, Tone.DIM)]
    room = max(1, int(MAX_ADVICE * frame.height))
    if len(lines) <= room:
        return lines
    return advice if len(advice) <= room else [*advice[: room - 1], (("… press 2 for the rest", Tone.DIM),)]


def _figures(dot: Dot) -> str:
    """Write the rates of one operation, and its share of its roof."""
    time, found = dot.time, []
    if dot.place is not None:
        found.append(f"{units.si(time.flops_per_second)}FLOP/s at {units.figure(time.intensity)} FLOP/byte")
    elif time.seconds > 0:
        found.append("no dot: few or no FLOPs")
    if time.bytes_per_second is not None and time.bytes:
        found.append(f"{units.si(time.bytes_per_second)}B/s")
    if dot.of_roof is not None:
        found.append(f"{units.percent(dot.of_roof)} of the {dot.roof} roof")
    return ", ".join(found)


def _operation_table(state: ProfileState, width: int) -> tuple[list[Column], list[list[Span]]]:
    """Return as many columns as there is room for."""
    left = ("", "phase", "operation", "roof", "limited by")
    widths = {"time": 7, "share": 6, "% of roof": 7}
    titles = ("", "layer", "phase", "operation", "time", "±", "share", "FLOP/s", "B/s", "% of roof", "roof", "limited by")
    columns = [Column(title, title not in left, widths.get(title, 0)) for title in titles]
    rows = [_operation(state, i, letter, dot) for i, (letter, dot) in enumerate(zip(state.letters, state.dots, strict=True))]
    optional = ("±", "FLOP/s", "B/s", "roof", "phase", "% of roof", "limited by", "time")
    kept, cells = drop_columns(columns, rows, optional, width)
    if not fits(kept, cells, width):  # then the layer stands beside the operation
        room = max(1, width - 3 - widths["share"] - 2)
        kept = [columns[0], columns[3], columns[6]]
        cells = [[row[0], (_named(dot, room), row[1][1]), row[6]] for row, dot in zip(rows, state.dots, strict=True)]
    return kept, [list(row) for row in cells]


def _operation(state: ProfileState, i: int, letter: str, dot: Dot) -> list[Span]:
    is_selected, time, row = i == state.cursor, dot.time, dot.time.row
    tone, phase = Tone.STRONG if is_selected else Tone.TEXT, PHASE_TONES[row.phase.value]
    return [
        (("› " if is_selected else "  ") + letter + (ABOVE if dot.above else ""), Tone.ACCENT if is_selected else phase),
        ("" if row.layer is None else str(row.layer), tone),
        (row.phase.value, phase),
        (row.what, tone),
        (units.duration(time.seconds), tone),
        (units.duration(time.spread), Tone.DIM),
        (units.percent(dot.share), tone),
        (units.si(time.flops_per_second) if dot.place else "", tone),
        (units.si(time.bytes_per_second) if time.bytes else "", tone),
        (share_text(dot.of_roof, dot.above is not None, 0), tone),
        (dot.roof, Tone.DIM),
        (dot.bottleneck.value, Tone.DIM),
    ]


def _named(dot: Dot, room: int = UNLIMITED) -> str:
    layer = f" {dot.time.row.layer}" if dot.time.row.layer else ""
    return clip(dot.time.row.what, room - len(layer)) + layer


# ── the roofline ──

Place = Callable[[float, float], Cell | None]
"""Returns the cell of a point of the picture; None if it is outside."""


def roofline_lines(state: ProfileState, frame: Frame) -> list[Line]:
    """Draw FLOP/s over FLOP/byte, both logarithmic: the roofs as lines, and each operation as its letter."""
    found = state.roofline
    if found is None:
        return _pending(state, frame)
    heads = _roof_words(state, found, frame)
    height = MAX_PLOT if frame.height == UNLIMITED else frame.height - len(heads) - 1
    if height < MIN_PLOT or frame.width < 2 * LABEL:
        return heads[: frame.height]
    x_scale, y_scale = scales(found)
    selected = found.dots[state.cursor]
    dots = DOTS[frame.chart_style][0]
    decades = math.log10(y_scale.high / y_scale.low) / (height * dots) * max(1, dots // 2)
    levels = _distinct(selected.memory, found.levels_for(selected), decades)
    place, end = partial(cell_of, x_scale=x_scale, y_scale=y_scale, width=frame.width, height=height), frame.width - LABEL - 1
    names = _level_names(found.roofs.flops_per_second, levels, place, end)
    ridge = Roofs(found.roofs.flops_per_second, selected.memory.per_second).ridge
    words = "" if any(row == 0 for row, _ in names) else f"ridge {units.figure(ridge)}"
    roofs = _roof_series(found, selected.memory, levels, x_scale)
    marks = [(ridge, words)]
    if frame.cursor is not None:
        intensity = x_at(frame.cursor, frame.width, x_scale)
        under = [i for i, dot in enumerate(found.dots) if dot.place and (cell := place(*dot.place)) and cell[1] == frame.cursor]
        lines = _words_at(state, found, intensity, under, frame.width)[: len(heads)]
        heads = [*lines, *[BLANK] * (len(heads) - len(lines))]
        marks.append((intensity, ""))
    drawn = plot(roofs, frame.width, height, frame.chart_style, x_scale, y_scale, marks)
    letters = _placed_letters(state, place, range(end))
    return [*heads, *overlay(drawn, names | letters), x_axis(frame.width, x_scale, "FLOP/byte", frame.chart_style)]


def _roof_words(state: ProfileState, found: Roofline, frame: Frame) -> list[Line]:
    """Return the rates of the roofs, and their source."""
    selected = found.dots[state.cursor]
    memory = [(level.level, level, level == selected.memory) for level in found.levels_for(selected)]
    pieces: list[Line] = [(("FLOP/s".rjust(LABEL), Tone.DIM),)]
    for name, level, is_own in memory or [("copies", selected.memory, False)]:
        rate = f"{units.si(level.per_second)}B/s"
        pieces.append(((f"{name} ", Tone.ACCENT if is_own else Tone.DIM), (rate, Tone.ACCENT if is_own else Tone.TEXT)))
    pieces[1] = ((f"{sample(0, frame.chart_style)} ", Tone.AREA), ("roofs: ", Tone.DIM), *pieces[1])
    pieces.append((("GEMM ", Tone.DIM), (f"{units.si(found.roofs.flops_per_second)}FLOP/s", Tone.TEXT)))
    pieces.append(((found.of, Tone.DIM),))  # also in the header, so it is the first to go
    lines = spread(pieces, frame.width, gap=2)
    if not frame.zoomed:
        return lines[: 1 if frame.height < 14 else 2]
    if not found.levels:
        return [*lines, *wrap(f"the roofs meet at {found.roofs.ridge:.3g} FLOP/byte", frame.width, Tone.DIM)]
    for threads in sorted({level.threads or 0 for level in found.levels}):
        levels = [level for level in found.levels if (level.threads or 0) == threads]
        rates = ", ".join(f"{level.level} {units.si(level.per_second)}B/s" for level in levels)
        lines += wrap(f"{rates} ({levels[0].kernel}, {units.counted(threads, 'thread')})", frame.width, Tone.DIM)
    return lines


def _words_at(state: ProfileState, found: Roofline, intensity: float, under: list[int], width: int) -> list[Line]:
    """Return the intensity at the cursor, the rates of the operations `under` it, and the roofs there."""
    pieces: list[Line] = [((f"at {units.figure(intensity)} FLOP/byte", Tone.STRONG),)]
    for i in sorted(under, key=lambda i: -found.dots[i].share):
        dot = found.dots[i]
        head: Line = ((f"{state.letters[i]} ", Tone.ACCENT), (f"{_named(dot)} ", Tone.DIM))
        pieces.append((*head, (f"{units.si(dot.time.flops_per_second)}FLOP/s", Tone.TEXT)))
    selected, top = found.dots[state.cursor].memory, found.roofs.flops_per_second
    memory = [(level.level, level) for level in found.levels_for(found.dots[state.cursor])] or [("copies", selected)]
    for i, (name, level) in enumerate(memory):
        rate = f"{units.si(Roofs(top, level.per_second).at(intensity))}FLOP/s"
        tone = Tone.ACCENT if level == selected else Tone.DIM
        pieces.append((("roofs: " if i == 0 else "", Tone.DIM), (f"{name} ", tone), (rate, Tone.TEXT)))
    return spread([*pieces, (("GEMM ", Tone.DIM), (f"{units.si(top)}FLOP/s", Tone.TEXT))], width, gap=2)


def _roof_series(found: Roofline, own: Ceiling, levels: tuple[Ceiling, ...], x_scale: Scale) -> list[Series]:
    """Return the selected operation's roof with the flat top, and dashed the slopes of the other levels up to the top."""
    drawn: list[Series] = []
    for level in levels or (own,):
        roofs, is_own = Roofs(found.roofs.flops_per_second, level.per_second), level == own
        corners = np.array([x_scale.low, roofs.ridge, *([x_scale.high] if is_own else [])])
        drawn.append(Series(corners, np.array([roofs.at(x) for x in corners]), Tone.AREA, line_style=0 if is_own else 1))
    return drawn


def _distinct(own: Ceiling, levels: tuple[Ceiling, ...], decades: float) -> tuple[Ceiling, ...]:
    """Return the levels that are `decades` or more apart; the operation's own and the last one take precedence."""
    kept: list[Ceiling] = []
    for level in (own, *levels[-1:], *levels):
        if level in levels and all(abs(math.log10(level.per_second / other.per_second)) >= decades for other in kept):
            kept.append(level)
    return tuple(level for level in levels if level in kept)


def _level_names(top: float, levels: tuple[Ceiling, ...], place: Place, end: int) -> dict[Cell, Span]:
    """Put each level's name where its slope meets the top, a row above it if there is one; names do not overlap."""
    cells: dict[Cell, Span] = {}
    free = 0
    for level in levels:
        cell = place(top / level.per_second, top)
        if cell is not None and (start := max(free, cell[1])) + len(level.level) <= end:
            cells |= {(max(0, cell[0] - 1), start + i): (letter, Tone.TEXT) for i, letter in enumerate(level.level)}
            free = start + len(level.level) + 1
    return cells


def _placed_letters(state: ProfileState, place: Place, columns: range) -> dict[Cell, Span]:
    """Place the selected letter in its own cell, then those of the largest share, the others beside theirs."""
    taken: dict[Cell, Span] = {}
    for i in sorted(range(len(state.dots)), key=lambda i: (i != state.cursor, -state.dots[i].share)):
        dot = state.dots[i]
        if not dot.place or (cell := place(*dot.place)) is None:
            continue
        row, column = cell
        at = next((column + by for by in NEARBY if (row, column + by) not in taken and column + by in columns), None)
        if at is None:
            continue
        taken[row, at] = (state.letters[i], Tone.ACCENT if i == state.cursor else PHASE_TONES[dot.time.row.phase.value])
        if i == state.cursor:
            brackets = {(row, at - 1): "[", (row, at + 1): "]"}
            taken |= {beside: (sign, Tone.ACCENT) for beside, sign in brackets.items() if beside[1] in columns}
    return taken


def scales(found: Roofline) -> tuple[Scale, Scale]:
    """Return scales of whole decades that enclose all dots and the ridges."""
    places = [dot.place for dot in found.dots if dot.place is not None]
    ridges = [found.roofs.ridge, *(found.roofs.flops_per_second / level.per_second for level in found.levels)]
    x_scale = _decades([*(place[0] for place in places), min(ridges) / 3, max(ridges) * 3])
    return x_scale, _decades([*(place[1] for place in places), found.roofs.flops_per_second, found.roofs.at(x_scale.low)])


def _decades(values: Iterable[float]) -> Scale:
    logs = [math.log10(value) for value in values]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), log=True)


# ── the waterfall ──


def waterfall_lines(state: ProfileState, frame: Frame) -> list[Line]:
    """Draw a bar and a share for each part, and as much of the advice as there is room for."""
    found = state.waterfall
    if found is None:
        return _pending(state, frame) if frame.zoomed or not (state.failure or state.is_waiting) else []
    head, parts = _rates(state, found, frame.width), [part for part in found.parts if part.share > 0]
    notes = [line for note in found.notes for line in wrap(f"note: {note}", frame.width, Tone.DIM)]
    full = [
        [line, *((("  ", Tone.TEXT), *words) for words in wrap(part.advice, frame.width - 2, Tone.DIM))]
        for line, part in zip(_bars(parts, frame), parts, strict=True)
    ]
    spaced = [line for part in full for line in (*part, BLANK)][:-1]
    for body in (spaced, [line for part in full for line in part]):
        if len(head) + len(body) + len(notes) + 2 <= frame.height or frame.zoomed:
            return [*head, BLANK, *body, *([BLANK, *notes] if notes else [])]
    lines = [*head, *_bars(_folded(parts, frame.height - len(head)), frame)]
    largest = max(parts, key=lambda part: part.share)
    rest = [*wrap(f"{largest.label}: {largest.advice}", frame.width, Tone.DIM), *notes]
    room = frame.height - len(lines)
    if len(rest) <= room:
        return [*lines, *rest]
    return [*lines, *rest[: room - 1], (("… press 3 for the rest", Tone.DIM),)] if room > 0 else lines


def _rates(state: ProfileState, found: Waterfall, width: int) -> list[Line]:
    """Return the wall time, and the achieved rate beside the peak."""
    left: Line = (("this run " if state.run else "one step ", Tone.DIM), (units.duration(found.wall_seconds), Tone.STRONG))
    if state.profile and not state.run:
        left = (*left, (f" ± {units.duration(state.profile.step_spread)}", Tone.DIM))
    for words in ("FLOP/s in matrix products", "FLOP/s in GEMM", "FLOP/s"):
        right: Line = ((f"{units.si(found.achieved)}", Tone.STRONG), (f"{words}, peak {units.si(found.peak)}FLOP/s", Tone.DIM))
        if width_of(left) + width_of(right) + GAP <= width:
            return [ends(left, right, width)]
    return [left]


def _folded(parts: list[Part], room: int) -> list[Part]:
    """Combine the smallest parts into one at the end if there is no room for all."""
    if len(parts) <= room:
        return parts
    kept = sorted(parts, key=lambda part: -part.share)[: max(1, room - 1)]
    rest = [part for part in parts if part not in kept]
    others = Part("others", f"{len(rest)} others", sum(p.seconds for p in rest), sum(p.share for p in rest), "")
    return [*(part for part in parts if part in kept), others]


def _bars(parts: list[Part], frame: Frame) -> list[Line]:
    """Return one line for each part; each bar begins where the one before ended."""
    label = max((len(part.label) for part in parts), default=0)
    room = min(MAX_BAR, frame.width - label - SHARE - GAP)
    if room < MIN_BAR:
        room, label = 0, max(1, frame.width - SHARE)
    full, empty = ("#", ".") if frame.chart_style is ChartStyle.ASCII else ("━", "─")
    lines: list[Line] = []
    before = 0.0
    for part in parts:
        line: Line = ((clip(part.label, label).ljust(label), Tone.TEXT), (units.percent(part.share).rjust(SHARE), Tone.STRONG))
        if room:
            start = min(round(before * room), room - 1)
            end = min(room, max(start + 1, round((before + part.share) * room)))
            drawn: Span = (full * (end - start), TONES.get(part.key, Tone.DIM))
            spans = ((empty * start, Tone.FAINT), drawn, (empty * (room - end), Tone.FAINT))
            line = (*line, (" " * GAP, Tone.TEXT), *(span for span in spans if span[0]))
        lines.append(line)
        before += part.share
    return lines
