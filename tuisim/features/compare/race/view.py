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
from tuisim.terminal.chart import Series, plot, sample, x_at, x_axis
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, beside, fold, spread, width_of, wrap
from tuisim.terminal.plot import Scale, bar, loss_scale
from tuisim.terminal.table import Column, narrowed_table
from tuisim.terminal.text import job_lines, job_state, loss_text, network_subjects, page_header

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
    log_scale: bool | None = None
    """True for a logarithmic loss axis, False for a linear one; None to choose by the losses."""

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
    details = f"{config.loss} · {config.optimizer} · batch {units.count(config.full_batch)} · {config.dtype}"
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
    rows, width, result = state.rows, frame.width, _result(state, frame.width)
    steady = _STEADY if frame.zoomed and rows else ()
    once = tuple(one for one in _ONCE if one not in steady and any(one[1](row) for row in rows.values()))
    base, notes = next(iter(rows), ""), state.comparison.notes if state.comparison else ()
    explanation = f"speedup: median step time of {base} over this one's; "
    explanation += f"max difference: the largest of a parameter from {base}'s, after {FIRST_STEPS} steps"
    reasons = (f"{one.name}: {printable(one.reason, 200)}" for one in state.standings if one.reason)
    blocks = [
        Block(0, _figures(state, "backend", steady, width) if steady else _bars(state, frame)),
        Block(3, [BLANK, *_figures(state, "", once, width)] if once else []),
        Block(5, [BLANK] if result else []),
        Block(1, result),
        Block(2, [line for reason in reasons for line in wrap(reason, width, Tone.WARNING)]),
        Block(4, [line for note in notes for line in wrap(f"note: {note}", width, Tone.DIM)]),
        Block(6, wrap(explanation, width, Tone.DIM) if frame.zoomed and base else []),
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
    return beside(lines, bars, wide)


def _difference(row: RaceRow) -> str:
    words = "not finite" if row.max_parameter_difference is None else f"{row.max_parameter_difference:.1e}"
    return words if row.same else f"{words} ✗"


Figures = tuple[tuple[str, Callable[[RaceRow], str]], ...]
"""Columns: a heading and how a row's figure is written. The last ones are left out first."""

_PEAK_SHARE = ("% of peak", lambda row: share_text(row.utilization, row.above_peak is not None))
_EXAMPLES = ("examples/s", lambda row: units.si(row.examples_per_second))
_STEADY: Figures = (
    ("µs/step", lambda row: f"{row.microseconds_per_step:,.1f}"),
    ("±", lambda row: f"{row.spread:,.1f}"),
    ("speedup", lambda row: _times(row.speedup)),
    ("± ", lambda row: _times(row.speedup_spread)),
    _EXAMPLES,
    ("FLOP/s", lambda row: units.si(row.flops_per_second)),
    _PEAK_SHARE,
    ("steps/s", lambda row: units.si(1e6 / row.microseconds_per_step)),
)
_ONCE: Figures = (
    ("max difference", _difference),
    ("setup", lambda row: units.duration(row.bind_seconds)),
    ("first step", lambda row: units.duration(row.first_call_seconds)),
    ("compiling", lambda row: units.duration(row.compile_seconds)),
    ("copying", lambda row: units.duration(row.transfer_seconds)),
    ("launch", lambda row: "" if row.launch_microseconds is None else f"{row.launch_microseconds:,.1f} µs"),
    _PEAK_SHARE,
    _EXAMPLES,
    ("difference at", lambda row: row.where if row.max_parameter_difference else ""),
)


def _figures(state: RaceState, heading: str, figures: Figures, width: int) -> list[Line]:
    """Return a table of one row for each entry, as many of `figures` as there is room for."""
    columns = [Column(heading, right=False), *(Column(title) for title, _ in figures)]
    tones = {one.name: tone_of(i) for i, one in enumerate(state.standings)}
    cells: list[list[Span]] = []
    for row in state.rows.values():
        texts = [write(row) for _, write in figures]
        cells.append([(row.name, tones[row.name]), *((text, Tone.BAD if text.endswith("✗") else Tone.TEXT) for text in texts)])
    return narrowed_table(columns, cells, width)


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


def _times(ratio: float | None) -> str:
    """Write a ratio with two decimals, fewer above 100 and two digits below 0.1."""
    if ratio is None:
        return ""
    return f"{ratio:.2g}" if 0 < ratio < 0.1 else f"{ratio:,.2f}" if ratio < 100 else f"{ratio:,.0f}"


# ── loss ──


def losses_title(state: RaceState) -> str:
    """Return the panel's title, with the scale of the loss axis."""
    return "loss vs compute time" + " · log" * is_log(state)


def is_log(state: RaceState) -> bool:
    """Return True if the loss axis is logarithmic."""
    scale = _loss_scale(state)
    return scale is not None and scale.log


def _loss_scale(state: RaceState) -> Scale | None:
    """Return the scale of the loss axis; None if there is no loss yet."""
    found = [np.array(one.losses) for one in state.standings if one.losses]
    return loss_scale(*found, log=state.log_scale) if found else None


def losses(state: RaceState, frame: Frame) -> list[Line]:
    """Draw the loss of each entry over its compute time: the same steps, sooner or later."""
    running = [(i, one) for i, one in enumerate(state.standings) if one.losses]
    if not running:
        return job_lines(state.failure, state.is_waiting, "waiting for the first round", frame.width)
    # Each loss is at the middle of a stretch of steps, which all take equally long.
    series = [
        Series(np.linspace(0.0, one.seconds, 2 * len(one.losses) + 1)[1::2], np.array(one.losses), tone_of(i), i)
        for i, one in running
    ]
    x_scale = Scale(0.0, max(one.seconds for _, one in running) or 1.0)
    at = None if frame.cursor is None else x_at(frame.cursor, frame.width, x_scale)
    legend: list[Line] = [(("loss" + ("" if at is None else f" at {units.duration(at)}"), Tone.STRONG),)]
    for (i, one), curve in zip(running, series, strict=True):
        value = curve.y[-1 if at is None else int(np.argmin(np.abs(curve.x - at)))]
        look: Line = ((f"{sample(i, frame.chart_style)} ", tone_of(i)), (f"{one.name} ", Tone.DIM))
        legend.append((*look, (loss_text(float(value)).rjust(7), tone_of(i))))
    heads = spread(legend, frame.width, gap=2)
    height = frame.height - len(heads) - 1
    if height < 3:
        return heads[: frame.height]
    marks = [] if at is None else [(at, "")]
    drawn = plot(series, frame.width, height, frame.chart_style, x_scale, _loss_scale(state) or Scale(0.0, 1.0), marks)
    return [*heads, *drawn, x_axis(frame.width, x_scale, "seconds", frame.chart_style)]


def progress_words(standings: Sequence[Standing]) -> str:
    """Describe the progress in one line."""
    return "   ".join(f"{one.name} {units.count(one.steps)} steps" if one.steps else one.name for one in standings)
