"""The page Runs as lines: the cost fits in a table, every run of one fit as a point, and these runs in a list, newest first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuisim import units
from tuisim.backends import computed_dtype
from tuisim.errors import printable
from tuisim.features.runs.cost_fit import Coefficient, CostFit, FittedRun
from tuisim.predict.machine import called
from tuisim.provenance import Provenance, Provenances
from tuisim.store.folder import unavailable_reason
from tuisim.terminal.chart import Series, cell_of, overlay, plot, x_at, x_axis
from tuisim.terminal.lines import BLANK, Block, ChartStyle, Frame, Line, Span, Tone, fold, spread, width_of, wrap
from tuisim.terminal.plot import Scale
from tuisim.terminal.table import Column, drop_columns, fits, table, visible_rows
from tuisim.terminal.text import page_header

FIT_TAG: Provenances = (("", Provenance.MEASURED), ("runs", Provenance.COUNTED), ("error", Provenance.PROJECTED))
SCATTER_TAG: Provenances = (("", Provenance.MEASURED), ("fit", Provenance.PROJECTED))
RUNS_TAG: Provenances = (("sizes", Provenance.GIVEN), ("ops", Provenance.COUNTED), ("fit", Provenance.PROJECTED))
NO_RUNS = "no runs yet: `tuisim run 64-32-10 --epochs 20`, or training in the app, adds one; vary the sizes and batches"
TONES = (Tone.LOSS, Tone.FORWARD, Tone.BACKWARD)
"""The tones of the step itself, of its operations and of its bytes."""
GLYPHS, ASCII_GLYPHS = ("○", "●", "◆"), ("o", "*", "#")
"""The points of runs whose time is mostly the step itself, operations or bytes."""
LEGENDS = (("dominated by ", ("overhead", "operations", "bytes"), 2), ("dominated by ", ("overhead", "ops", "bytes"), 1),
           ("", ("overhead", "ops", "bytes"), 1))  # fmt: skip
MIN_PLOT = 4
"""Lines below which a chart shows nothing."""
MIN_BAR, MAX_BAR = 12, 40
OUTLIER = 1.5
"""The ratio, either way, from which on a run is highlighted."""
MIN_ERROR = 0.005
"""The share of a value from which on its error shows in three digits."""


@dataclass(frozen=True, slots=True)
class RunsState:
    """The cost fits of the past runs, and the one that is selected."""

    fits: tuple[CostFit, ...] = ()
    selected: int = 0
    skipped: int = 0
    """Stored lines that are no run."""
    failure: str = ""

    @property
    def fit(self) -> CostFit | None:
        """The selected fit; None without runs."""
        return self.fits[self.selected] if self.fits else None


def no_runs() -> str:
    """Explain why there are no runs: how to make some, or why none can be kept."""
    why = unavailable_reason()
    return f"no runs: {why}" if why else NO_RUNS


def header(state: RunsState, frame: Frame) -> list[Line]:
    """Return the page's header: the selected backend and the number of its runs."""
    fit = state.fit
    words: Span = (f"{units.counted(len(fit.listed), 'run')} counted", Tone.ACCENT) if fit else ("no runs yet", Tone.WARNING)
    if state.failure:
        words = ("✕ unreadable", Tone.BAD)
    names = [printable(fit.backend)] if fit else [""]
    if fit:
        names.insert(0, f"{names[0]} on {called(fit.machine)}")
    return [page_header("runs", names, [], (words,), frame.width)]


# ── the cost fits ──


def fit_lines(state: RunsState, frame: Frame) -> list[Line]:
    """Return a table with one row per fit, and below it notes on the selected one."""
    if state.failure:
        return wrap(state.failure, frame.width, Tone.BAD)
    if state.fit is None:
        return wrap(no_runs(), frame.width, Tone.DIM)
    heading, *rows = _fit_table(state, frame.width)
    kept = _fit_rows(state, frame)
    notes = [wrap(note, frame.width, Tone.TEXT) for note in state.fit.notes()]
    blocks = [Block(0, [heading, *(rows[i] for i in kept)]), Block(9, [BLANK])]
    blocks += [Block(len(notes) - i, lines) for i, lines in enumerate(notes)]  # the last says how good the fit is
    if state.skipped:
        blocks.append(Block(8, wrap(skipped_words(state.skipped), frame.width, Tone.WARNING)))
    return fold(blocks, frame.height)


def fit_places(state: RunsState, frame: Frame) -> list[int | None]:
    """Return the row of the table on each line."""
    return [None, *_fit_rows(state, frame)] if state.fit and not state.failure else []


def _fit_rows(state: RunsState, frame: Frame) -> range:
    return visible_rows(len(state.fits), max(1, frame.height // 2), state.selected)


def _fit_table(state: RunsState, width: int) -> list[Line]:
    titles = ("overhead per step", "per operation", "per byte", "median error")
    columns = [Column("backend", right=False), Column("machine", right=False), Column("runs"), *map(Column, titles)]
    for with_errors in (True, False):
        optional = ("machine", "median error", "runs") if with_errors else ()
        kept, rows = drop_columns(columns, _fit_cells(state, with_errors), optional, width)
        if fits(kept, rows, width):
            return table(kept, rows, width)
    kept, rows = drop_columns(kept, rows, ("machine", "median error", "runs"), width)
    return table(kept, rows, width)


def _fit_cells(state: RunsState, with_errors: bool) -> list[list[Span]]:
    rows: list[list[Span]] = []
    for i, fit in enumerate(state.fits):
        tone = Tone.STRONG if i == state.selected else Tone.TEXT
        mark = "▸ " if i == state.selected and len(state.fits) > 1 else "  " * (len(state.fits) > 1)
        figures = [(_coefficient(one, with_errors), own) for one, own in zip(fit.coefficients, TONES, strict=True)]
        error = "" if fit.is_exact else units.percent(fit.median_error)
        rows.append([(mark + printable(fit.backend), tone), (called(fit.machine), Tone.DIM),
                     (units.count(len(fit.rows)), tone), *figures, (error, tone)])  # fmt: skip
    return rows


def _coefficient(one: Coefficient, with_error: bool) -> str:
    """Write `23.0 ps ± 1.2 ps`."""
    if one.seconds is None:
        return "–"
    shows = with_error and one.error is not None and one.error >= MIN_ERROR * one.seconds
    return "0" if not one.seconds else units.duration(one.seconds) + (f" ± {units.duration(one.error)}" if shows else "")


def skipped_words(skipped: int) -> str:
    """Say how many stored runs could not be read."""
    return f"{units.counted(skipped, 'stored run')} left out: unreadable"


# ── every run as a point ──


def scatter_lines(state: RunsState, frame: Frame) -> list[Line]:
    """Return one point for each run: fitted time to the right, measured time upwards; equal on the diagonal."""
    fit, width = state.fit, frame.width
    if fit is None:
        return []
    runs = [row for row in fit.rows if row.fit_seconds]
    if not runs:
        return wrap("nothing can be fitted yet", width, Tone.DIM)
    scale = _scale(runs)
    at = None if frame.cursor is None else x_at(frame.cursor, width, scale)
    heads = _legend(frame) if at is None else _words_at(runs, at, width)
    if frame.height - len(heads) - 1 < MIN_PLOT:
        heads = []
    height = frame.height - len(heads) - 1
    if height < MIN_PLOT:
        return []
    diagonal = np.array([scale.low, scale.high])
    marks = [] if at is None else [(at, "")]
    drawn = plot([Series(diagonal, diagonal, Tone.DIM)], width, height, frame.chart_style, scale, scale, marks)
    glyphs = ASCII_GLYPHS if frame.chart_style is ChartStyle.ASCII else GLYPHS
    points = {}
    for row in runs:
        cell = cell_of((row.fit_seconds or 0.0) * 1e6, row.seconds * 1e6, scale, scale, width, height)
        largest = max(range(3), key=lambda part, row=row: row.parts[part] or 0.0)  # type: ignore[misc]
        if cell is not None:
            points[cell] = glyphs[largest], TONES[largest]
    unit = "µs, cost fit" if width >= 3 * len("µs, cost fit") else "µs"
    return [*heads, *overlay(drawn, points), x_axis(width, scale, unit, frame.chart_style)]


def _words_at(runs: list[FittedRun], at: float, width: int) -> list[Line]:
    """Return the times, the ratio and the network of the run whose fitted time is nearest to `at` microseconds."""
    nearest = min(runs, key=lambda row: abs(math.log((row.fit_seconds or 0.0) * 1e6 / at)))
    times: Line = (
        ("fit ", Tone.DIM), (units.duration(nearest.fit_seconds), Tone.TEXT),
        (", measured ", Tone.DIM), (units.duration(nearest.seconds), Tone.STRONG),
    )  # fmt: skip
    ratio: Line = (("ratio ", Tone.DIM), (_ratio(nearest.ratio), Tone.STRONG))
    network = f"{printable(units.layers_text(nearest.run.layers), 17)}, batch {units.short_count(nearest.run.batch, 7)}"
    return spread([times, ratio, ((network, Tone.TEXT),)], width, gap=2)


def _scale(runs: list[FittedRun]) -> Scale:
    """Return the scale of both axes in microseconds, between round numbers that enclose every point."""
    values = [seconds * 1e6 for row in runs for seconds in (row.seconds, row.fit_seconds or row.seconds)]
    low, high = _round(min(values), up=False), _round(max(values), up=True)
    return Scale(low, high if high > low else 2 * low, log=True)


def _round(value: float, up: bool) -> float:
    """Return the next of 1, 2 and 5 times a power of ten."""
    decade = 10.0 ** math.floor(math.log10(value))
    steps = (1, 2, 5, 10) if up else (5, 2, 1)
    return next((m * decade for m in steps if (m * decade >= value if up else m * decade <= value)), value)


def _legend(frame: Frame) -> list[Line]:
    glyphs = ASCII_GLYPHS if frame.chart_style is ChartStyle.ASCII else GLYPHS
    for head, names, gap in LEGENDS:
        spans: list[Span] = [(head, Tone.DIM)]
        for i, (glyph, tone, name) in enumerate(zip(glyphs, TONES, names, strict=True)):
            spans += [(" " * gap * (i > 0) + glyph, tone), (f" {name}", Tone.DIM)]
        if width_of(tuple(spans)) <= frame.width:
            return [tuple(spans)]
    return []


# ── the list of runs ──


def run_lines(state: RunsState, frame: Frame) -> list[Line]:
    """Return one row for each run of the selected fit, newest first; without room, fewer columns and only the newest runs."""
    fit = state.fit
    if fit is None:
        return []
    rows, room = fit.listed[::-1], max(1, frame.height - 1)
    shown = rows if frame.zoomed or len(rows) <= room else rows[: room - 1]
    titles = ("batch", "dtype", "optimizer", "ops", "moved", "measured", "fit", "ratio", "overhead %", "ops %", "bytes %")
    columns = [Column("network", right=False), *(Column(title, min_width=7 * (title == "fit")) for title in titles)]
    optional = ("optimizer", "dtype", "moved", "ops %", "bytes %", "overhead %", "ops", "fit", "batch")
    columns, cells = drop_columns(columns, [_run_row(row) for row in shown], optional, frame.width)
    lines = table(columns, cells, frame.width, max_gap=2)
    if fit.unknowns:
        lines = _with_bars(lines, shown, frame)
    if len(shown) < len(rows):
        older = f"… and {len(rows) - len(shown):,} older"
        words = next((words for words in (f"{older}; press 3 for all", older) if len(words) <= frame.width), "…")
        lines.append(((words, Tone.DIM),))
    return lines


def _run_row(row: FittedRun) -> list[Span]:
    run, ratio = row.run, row.ratio
    tone = Tone.WARNING if ratio and max(ratio, 1 / ratio) >= OUTLIER else Tone.STRONG
    return [
        (printable(units.layers_text(run.layers), 17), Tone.TEXT),
        (units.short_count(run.batch, 7), Tone.TEXT),
        (printable(computed_dtype(run.backend, run.dtype), 9), Tone.DIM),
        (printable(run.optimizer, 9), Tone.DIM),
        (units.si(run.operations_per_step), Tone.TEXT),
        (units.si(run.bytes_per_step, "B"), Tone.TEXT),
        (units.duration(row.seconds), Tone.STRONG),
        (units.duration(row.fit_seconds), Tone.TEXT),
        ("throttled", Tone.DIM) if run.throttled else (_ratio(ratio), tone),
        *((units.percent(row.share(part), 0), own) for part, own in enumerate(TONES)),
    ]


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 1e4 else units.si(ratio)


def _with_bars(lines: list[Line], rows: tuple[FittedRun, ...], frame: Frame) -> list[Line]:
    """Append a bar to each row, divided as the fitted time is, if there is room."""
    used = max(map(width_of, lines)) + 2
    room = min(MAX_BAR, frame.width - used)
    if room < MIN_BAR:
        return lines
    bars: list[Line] = [(("step · ops · bytes", Tone.DIM),) if room >= 18 else (), *(_bar(row, room, frame) for row in rows)]
    return [(*line, (" " * (used - width_of(line)), Tone.TEXT), *bar) for line, bar in zip(lines, bars, strict=True)]


def _bar(row: FittedRun, width: int, frame: Frame) -> Line:
    """Draw the parts; each ends where the sum of the shares so far ends, so that rounding does not add up."""
    spans: list[Span] = []
    done, cells = 0.0, 0
    for part, glyph in enumerate("o*#" if frame.chart_style is ChartStyle.ASCII else "━━━"):
        done += row.share(part) or 0.0
        end = round(min(done, 1.0) * width)
        spans.append((glyph * (end - cells), TONES[part]))
        cells = end
    return tuple(spans)
