"""The race as lines: the speed of each entry, what it costs once, and its loss over its compute time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tuisim import units
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.compare.entries import FIRST_STEPS
from tuisim.features.compare.race.race import Comparison, RaceRow, Standing
from tuisim.measure.ceiling import share_text
from tuisim.terminal.chart import Series, plot, sample, x_axis
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, fold, spread, width_of, wrap
from tuisim.terminal.plot import Floats, Scale, bar, loss_scale
from tuisim.terminal.table import Column, narrowed_table
from tuisim.terminal.text import job_lines, job_state, network_subjects, page_header

TONES = (Tone.FORWARD, Tone.BACKWARD, Tone.UPDATE, Tone.VALIDATION, Tone.LOSS, Tone.TRAINING)
"""One for each entry, in their order; a seventh has the first one's."""
MIN_BAR, MAX_BAR = 12, 60


@dataclass(frozen=True, slots=True)
class RaceState:
    """A race so far."""

    config: RunConfig
    standings: tuple[Standing, ...] = ()
    comparison: Comparison | None = None
    failure: str = ""
    is_waiting: bool = False

    @property
    def rows(self) -> dict[str, RaceRow]:
        """The rows by name."""
        return {row.name: row for row in self.comparison.rows} if self.comparison else {}


def tone_of(index: int) -> Tone:
    """Return the tone of an entry by its place."""
    return TONES[index % len(TONES)]


def header(state: RaceState, frame: Frame) -> list[Line]:
    """Return the page's header."""
    config = state.config.resolved()
    details = f"{config.loss} · {config.optimizer} · batch {units.count(config.batch_size)} · {config.dtype}"
    word = job_state(state.failure, state.is_waiting, state.comparison is not None, "racing")
    return [page_header("race", network_subjects(config), [details], (word,), frame.width)]


def page(state: RaceState, frame: Frame) -> list[Line]:
    """Return the header and all figures."""
    return [*header(state, frame), BLANK, *speed(state, frame)]


# ── speed ──


def speed(state: RaceState, frame: Frame) -> list[Line]:
    """Return a row for each entry; at the end also what it cost once and whether all computed the same."""
    if not state.standings:
        return job_lines(state.failure, state.is_waiting, "setting up the backends", frame.width)
    once, result = _once(state, frame), _result(state, frame.width)
    notes = state.comparison.notes if state.comparison else ()
    blocks = [
        Block(0, _all_figures(state, frame.width) if frame.zoomed and state.rows else _bars(state, frame)),
        Block(3, [BLANK, *once] if once else []),
        Block(5, [BLANK] if result else []),
        Block(1, result),
        Block(2, _left_out(state, frame.width)),
        Block(4, [line for note in notes for line in wrap(f"note: {note}", frame.width, Tone.DIM)]),
        Block(6, _explanation(state, frame.width) if frame.zoomed else []),
    ]
    return fold(blocks, frame.height)


def _bars(state: RaceState, frame: Frame) -> list[Line]:
    standings, rows = state.standings, state.rows
    rates = [1e6 / one.microseconds_per_step if one.microseconds_per_step else 0.0 for one in standings]
    fastest, first = max(rates), rates[0]
    columns = [
        Column("backend", right=False), Column("steps/s", min_width=8), Column("µs/step", min_width=9),
        Column("speedup", min_width=8),
    ]  # fmt: skip
    cells: list[list[Span]] = []
    for i, (one, rate) in enumerate(zip(standings, rates, strict=True)):
        row = rows.get(one.name)
        ratio = row.speedup if row else rate / first if first and rate else None
        per_step = f"{one.microseconds_per_step:,.1f}" if one.microseconds_per_step else ""
        cells.append(
            [
                (one.name, tone_of(i)),
                (units.si(rate) if rate else "", Tone.STRONG),
                (per_step, Tone.TEXT),
                (_times(ratio), Tone.TEXT),
            ]
        )
    lines = narrowed_table(columns, cells, min(frame.width, 48))
    wide = max(map(width_of, lines)) + 2
    room = min(MAX_BAR, frame.width - wide)
    if room < MIN_BAR:
        return lines
    bars: list[Line] = [
        BLANK,
        *(((bar(rate / fastest if fastest else 0.0, room, frame.chart_style)[0], tone_of(i)),) for i, rate in enumerate(rates)),
    ]
    return [(*line, (" " * (wide - width_of(line)), Tone.TEXT), *one) for line, one in zip(lines, bars, strict=True)]


Figures = tuple[tuple[str, Callable[[RaceRow], str]], ...]
"""Columns: a heading and how a row's figure is written. The last ones are left out first."""

_STEADY: Figures = (
    ("µs/step", lambda row: f"{row.microseconds_per_step:,.1f}"),
    ("±", lambda row: f"{row.spread:,.1f}"),
    ("speedup", lambda row: _times(row.speedup)),
    ("± ", lambda row: _times(row.speedup_spread)),
    ("examples/s", lambda row: units.si(row.examples_per_second)),
    ("FLOP/s", lambda row: units.si(row.flops_per_second)),
    ("% of peak", lambda row: share_text(row.utilization, row.above_peak is not None)),
    ("steps/s", lambda row: units.si(1e6 / row.microseconds_per_step)),
)
_ONCE: Figures = (
    ("set up", lambda row: units.duration(row.bind_seconds)),
    ("first step", lambda row: units.duration(row.first_call_seconds)),
    ("compiling", lambda row: units.duration(row.compile_seconds)),
    ("copying", lambda row: units.duration(row.transfer_seconds)),
    ("launch", lambda row: "" if row.launch_microseconds is None else f"{row.launch_microseconds:,.1f} µs"),
    ("% of peak", lambda row: share_text(row.utilization, row.above_peak is not None)),
    ("examples/s", lambda row: units.si(row.examples_per_second)),
    ("at", lambda row: row.where if row.max_parameter_difference else ""),
)


def _all_figures(state: RaceState, width: int) -> list[Line]:
    columns = [Column("backend", right=False), *(Column(heading) for heading, _ in _STEADY)]
    tones = {one.name: tone_of(i) for i, one in enumerate(state.standings)}
    cells: list[list[Span]] = [
        [(row.name, tones[row.name]), *((write(row), Tone.TEXT) for _, write in _STEADY)] for row in state.rows.values()
    ]
    return narrowed_table(columns, cells, width)


def _once(state: RaceState, frame: Frame) -> list[Line]:
    rows = list(state.rows.values())
    shown_above = {heading for heading, _ in _STEADY} if frame.zoomed else set[str]()
    figures = [(heading, write) for heading, write in _ONCE if heading not in shown_above and any(map(write, rows))]
    if not figures:
        return []
    columns = [Column("", right=False), Column("max difference"), *(Column(heading) for heading, _ in figures)]
    cells: list[list[Span]] = [
        [(row.name, Tone.TEXT), _difference(row), *((write(row), Tone.TEXT) for _, write in figures)] for row in rows
    ]
    return narrowed_table(columns, cells, frame.width)


def _difference(row: RaceRow) -> Span:
    words = "not finite" if row.max_parameter_difference is None else f"{row.max_parameter_difference:.1e}"
    return (words, Tone.TEXT) if row.same else (f"{words} ✗", Tone.BAD)


def _result(state: RaceState, width: int) -> list[Line]:
    found = state.comparison
    if found is None or not found.fastest:
        return []
    first, *ties = (row.name for row in found.fastest)
    tie = f", a tie with {', '.join(ties)}" if ties else ""
    same = all(row.same for row in found.rows)
    proof: Line = (
        (f"all results agree up to rounding after {FIRST_STEPS} steps", Tone.GOOD)
        if same
        else (f"not all results agree after {FIRST_STEPS} steps", Tone.BAD),
    )
    return spread([((f"fastest here: {first}{tie}", Tone.STRONG),), proof], width)


def _explanation(state: RaceState, width: int) -> list[Line]:
    base = next(iter(state.rows), "")
    words = f"speedup: relative to {base}; max difference: of a parameter from {base}'s, after {FIRST_STEPS} steps"
    return wrap(words, width, Tone.DIM) if base else []


def _left_out(state: RaceState, width: int) -> list[Line]:
    return [
        line
        for one in state.standings
        if one.reason
        for line in wrap(f"{one.name}: {printable(one.reason, 200)}", width, Tone.WARNING)
    ]


def _times(ratio: float | None) -> str:
    """Write a ratio with two decimals, fewer above 100 and two digits below 0.1."""
    if ratio is None:
        return ""
    return f"{ratio:.2g}" if 0 < ratio < 0.1 else f"{ratio:,.2f}" if ratio < 100 else f"{ratio:,.0f}"


# ── loss ──


def losses(state: RaceState, frame: Frame) -> list[Line]:
    """Draw the loss of each entry over its compute time: the same steps, sooner or later."""
    running = [(i, one) for i, one in enumerate(state.standings) if one.losses]
    if not running:
        return job_lines(state.failure, state.is_waiting, "waiting for the first round", frame.width)
    series = [Series(_step_times(one), np.array(one.losses), tone_of(i)) for i, one in running]
    legend: list[Line] = [((f"{sample(i, False, frame.chart_style)} ", tone_of(i)), (one.name, Tone.TEXT)) for i, one in running]
    heads = spread(legend, frame.width, gap=2)
    height = frame.height - len(heads) - 1
    if height < 3:
        return heads[: frame.height]
    x_scale = Scale(0.0, max(one.seconds for _, one in running) or 1.0)
    y_scale = loss_scale(*(one.y for one in series)) or Scale(0.0, 1.0)
    drawn = plot(series, frame.width, height, frame.chart_style, x_scale, y_scale)
    return [*heads, *drawn, x_axis(frame.width, x_scale, "s of compute time", frame.chart_style)]


def _step_times(one: Standing) -> Floats:
    """Return the seconds at the middle of each stretch of steps in the decimated curve; all steps take equally long."""
    middles = np.arange(len(one.losses), dtype=np.float64) + 0.5
    return np.multiply(middles, one.seconds / len(one.losses), dtype=np.float64)


def progress_words(standings: Sequence[Standing]) -> str:
    """Describe the progress in one line."""
    return "   ".join(f"{one.name} {units.count(one.steps)} steps" if one.steps else one.name for one in standings)
