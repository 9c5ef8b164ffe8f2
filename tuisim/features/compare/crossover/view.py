"""The crossover as lines: the map of which entry is faster, the figures of one cell, and the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from tuisim import units
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.compare.crossover.cell import TIE, Cell, Size
from tuisim.features.compare.crossover.result import Crossover
from tuisim.features.compare.crossover.rule import factor_text
from tuisim.features.compare.crossover.sweep import SECONDS, SweepProgress
from tuisim.features.compare.entries import BackendPair
from tuisim.terminal.lines import BLANK, UNLIMITED, Frame, Line, Span, Tone, spread, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, table, visible_rows
from tuisim.terminal.text import job_lines, job_state, page_header

TONES = (Tone.FORWARD, Tone.BACKWARD)
"""Tones of the first entry and the second."""
MAX_GAP, MAX_ROW_DISTANCE = 6, 3
"""Cells between columns and lines from one row to the next, if there is room."""
MEASURING = "…"


@dataclass(frozen=True, slots=True)
class CrossoverState:
    """A sweep so far, and the selected cell."""

    config: RunConfig
    entries: BackendPair
    progress: SweepProgress | None = None
    crossover: Crossover | None = None
    failure: str = ""
    is_waiting: bool = False
    selected: Size | None = None
    """None if the cell measured last is selected."""

    @property
    def names(self) -> tuple[str, str]:
        """Both names."""
        return self.entries[0].name, self.entries[1].name

    @property
    def cells(self) -> dict[Size, Cell]:
        """The cells by size."""
        found = self.crossover.cells if self.crossover else self.progress.cells if self.progress else ()
        return {cell.size: cell for cell in found}

    @property
    def measuring(self) -> Size | None:
        """The size that is being measured."""
        return self.progress.now if self.progress and not self.crossover else None

    @property
    def cursor(self) -> Size | None:
        """The selected cell; None if there is no cell."""
        latest = self.progress.latest if self.progress else None
        cells = self.cells
        return next((size for size in (self.selected, latest, *cells) if size in cells), None)

    def moved(self, widths: int, batches: int) -> Size | None:
        """Return the cell so many rows down and columns to the right of the cursor, as far as there are any."""
        at = self.cursor
        if at is None:
            return None
        axis, by = (0, widths) if widths else (1, batches)
        along = sorted(size for size in self.cells if size[1 - axis] == at[1 - axis])
        return along[max(0, min(len(along) - 1, along.index(at) + by))]


def header(state: CrossoverState, frame: Frame) -> list[Line]:
    """Return which two are compared, on what, and how far the sweep is."""
    named = [
        name if name.endswith(short) else f"{name} ({short})"
        for name, short in zip(state.names, short_names(state.entries), strict=True)
    ]
    config = state.config.resolved()
    activations = " ".join(dict.fromkeys(config.activations))
    details = f"{len(config.layers)} layers · {activations} · {config.loss} · {config.optimizer} · {config.dtype}"
    word = job_state(state.failure, state.is_waiting, state.crossover is not None)
    return [page_header("crossover", [" vs ".join(named), " · ".join(named)], [details], (word,), frame.width)]


def page(state: CrossoverState, frame: Frame) -> list[Line]:
    """Return the header, the devices, the map, the rule and the errors of a finished sweep."""
    assert state.crossover is not None
    devices = " · ".join(f"{name}: {device}" for name, device in zip(state.names, state.crossover.devices, strict=True))
    errors = sorted({f"failed: {cell.reason}" for cell in state.crossover.cells if cell.failed})[:5]
    return [
        *header(state, frame), *wrap(devices, frame.width, Tone.DIM), BLANK, *map_lines(state, frame, has_cursor=False), BLANK,
        *rule_lines(state, frame), *(line for error in errors for line in wrap(error, frame.width, Tone.BAD)),
    ]  # fmt: skip


# ── the map ──


_SHORT = {"numpy": "np", "numba": "nb", "cupy": "cp", "scalar": "sc"}


def short_names(entries: BackendPair) -> tuple[str, str]:
    """Return both names in two or three letters that differ: `np` and `nb`, `@1` and `@2`."""
    first, second = entries
    if first.backend == second.backend:
        found = tuple(entry.backend[:2] if entry.threads is None else f"@{entry.threads}" for entry in entries)
    else:
        found = tuple(_SHORT.get(entry.backend, entry.backend[:2]) for entry in entries)
    return (found[0], found[1]) if found[0] != found[1] else ("A", "B")


def cell_text(cell: Cell, labels: dict[str, str], sign: str = "×", gap: str = " ", figure: bool = True) -> str:
    """Write `numba 7.5×`, `=` for a tie, `✗` for a failure, nothing if it was not measured; `labels` are by name."""
    if cell.winner == TIE:
        return "="
    if cell.factor is None:
        return "✗" if cell.failed else ""
    return labels[cell.winner] + (f"{gap}{factor_text(cell.factor)}{sign}" if figure else "")


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to write the cells, as wide as the map has room for."""

    write: Callable[[Cell], str]
    least: int
    """The width that the columns of the given sizes keep, so that a map that fills up does not move; 0 without figures."""
    short: bool = True


def _forms(state: CrossoverState) -> list[_Form]:
    """Return the forms from the full name to its letters alone."""
    full = dict(zip(state.names, state.names, strict=True))
    short = dict(zip(state.names, short_names(state.entries), strict=True))
    longest, letters = (max(map(len, labels.values())) for labels in (full, short))
    return [
        _Form(lambda cell: cell_text(cell, full), longest + 5, short=False),
        _Form(lambda cell: cell_text(cell, short), letters + 5),
        _Form(lambda cell: cell_text(cell, short, sign="", gap=""), letters + 3),
        _Form(lambda cell: cell_text(cell, short, figure=False), 0),
    ]


def map_lines(state: CrossoverState, frame: Frame, has_cursor: bool = True) -> list[Line]:
    """Draw rows of widths and columns of batches; each cell names the faster entry and how many times as fast it is."""
    cells, cursor = state.cells, state.cursor if has_cursor else None
    if not cells:
        return job_lines(state.failure, state.is_waiting, "setting up the smallest network", frame.width)
    batches = sorted({size[1] for size in cells})
    label = max(5, *(len(units.count(size[0])) for size in cells))
    for form in _forms(state):
        wide = {batch: len(units.count(batch)) for batch in batches}
        for cell in cells.values():
            wide[cell.batch] = max(wide[cell.batch], len(form.write(cell)), 1 if cell.in_between else form.least)
        columns = list(wide.values())
        spare = frame.width - label - sum(columns) - len(columns) - 1
        if spare >= 0:
            break
    widths = sorted({size[0] for size in cells})
    at = widths.index(state.cursor[0]) if state.cursor else 0
    shown = visible_rows(len(widths), len(widths) if frame.zoomed else frame.height - 1, at)
    widths, hidden = widths[shown.start : shown.stop], len(widths) - len(shown)
    apart = 1 if frame.height == UNLIMITED else max(1, min(MAX_ROW_DISTANCE, (frame.height - 3) // len(widths)))
    gap = max(1, min(MAX_GAP, spare // len(columns) + 1))
    corner = (f"↕ +{hidden}" if hidden else "width").ljust(label)
    heads = [(" " * gap + units.count(batch).rjust(column), Tone.DIM) for batch, column in zip(batches, columns, strict=True)]
    lines: list[Line] = [((corner, Tone.DIM), *heads)]
    for i, width in enumerate(widths):
        lines += [BLANK] * (apart - 1) if i else []
        row = ((width, batch) for batch in batches)
        lines.append(((units.count(width).rjust(label), Tone.DIM), *_row(state, row, columns, gap, form, cursor)))
    legend = _legend(state, form, frame.width)
    return [*lines, BLANK, *legend] if len(lines) + 1 + len(legend) <= frame.height else lines


def _row(
    state: CrossoverState, sizes: Iterable[Size], columns: list[int], gap: int, form: _Form, cursor: Size | None
) -> Iterator[Span]:
    """Write the cells of a row, with brackets around the one under the cursor."""
    after, cells = False, state.cells
    for size, column in zip(sizes, columns, strict=True):
        cell, here = cells.get(size), size == cursor
        string = MEASURING if size == state.measuring else form.write(cell) if cell else ""
        string = string or " " * here
        space = [" "] * (gap + column - len(string))
        if after:
            space[0] = "]"
        if here:
            space[-1] = "["
        yield "".join(space), Tone.ACCENT
        tone = Tone.BAD if cell and cell.failed else Tone.DIM
        if size == state.measuring:
            tone = Tone.ACCENT
        elif cell and cell.winner in state.names:
            tone = TONES[state.names.index(cell.winner)]
        yield string, tone
        after = here
    yield "]" * after, Tone.ACCENT


def _legend(state: CrossoverState, form: _Form, width: int) -> list[Line]:
    pairs = zip(short_names(state.entries), state.names, strict=True)
    names = ", ".join(f"{short} {name}" for short, name in pairs)
    figure = ", how many times as fast" if form.least else ""
    words = f"columns: batch; cells: the faster backend{figure}{f' ({names})' if form.short else ''}; = tie, ✗ failed"
    return wrap(f"{words}, blank: not measured", width, Tone.DIM)


# ── one cell ──


def cell_lines(state: CrossoverState, frame: Frame) -> list[Line]:
    """Return both times of the cell under the cursor, their ratio and its spread."""
    cell = state.cells.get(state.cursor) if state.cursor else None
    if cell is None:
        return [] if state.failure else job_lines("", state.is_waiting, "nothing measured yet", frame.width)
    air = [BLANK] * (frame.height >= 7)
    width, batch, operations = units.count(cell.width), units.count(cell.batch), units.si(cell.operations)
    sizes = (f"width {width}, batch {batch}", f"{width} × {batch}")
    amounts = (f"{units.count(cell.operations)} operations", f"{operations} operations", f"{operations} ops")
    forms = list(product(sizes, amounts))
    size, amount = next((form for form in forms if len("  ".join(form)) <= frame.width), forms[-1])
    lines: list[Line] = [((size, Tone.STRONG), (f"  {amount}", Tone.DIM)), *air]
    if cell.seconds is None or cell.spreads is None:
        words = "being measured" if cell.size == state.measuring else cell.reason or "not measured"
        return [*lines, *wrap(printable(words, 300), frame.width, Tone.WARNING if cell.failed else Tone.DIM)]
    rows: list[list[Span]] = [
        [(name, tone), (units.duration(seconds), Tone.STRONG), (f"± {units.duration(reach)}", Tone.DIM)]
        for name, tone, seconds, reach in zip(state.names, TONES, cell.seconds, cell.spreads, strict=True)
    ]
    columns = [Column("backend", right=False), Column("per step", min_width=7), Column("spread", min_width=9)]
    times = table(columns, rows, min(frame.width, 40))
    return [*lines, *(times if air else times[1:]), *air, *_verdict(cell, frame.width)]


def _verdict(cell: Cell, width: int) -> list[Line]:
    assert cell.ratio is not None
    assert cell.ratio_spread is not None
    if cell.factor is None:
        words = f"tie: {cell.ratio:.2f} ± {cell.ratio_spread:.2f}"
    else:
        # The relative spread of an inverted ratio is the same.
        reach = cell.factor * cell.ratio_spread / cell.ratio
        words = f"{cell.winner} {factor_text(cell.factor)} × as fast ± {units.figure(reach, 2)}"
    pieces: list[Line] = [((word, Tone.STRONG),) for word in words.split()]
    return spread([*pieces, ((f"({cell.rounds} rounds)", Tone.DIM),)], width, gap=1)


# ── the rule ──


def rule_lines(state: CrossoverState, frame: Frame) -> list[Line]:
    """Return the progress of the sweep, and at the end the size at which the faster entry changes."""
    found, progress = state.crossover, state.progress
    if found is None:
        if progress is None or state.failure:
            return job_lines(state.failure, state.is_waiting, "setting up the smallest network", frame.width)
        drawn, empty = bar(progress.seconds / SECONDS, min(frame.width, 40), frame.chart_style)
        return [*wrap(progress_words(progress), frame.width, Tone.TEXT), ((drawn, Tone.ACCENT), (empty, Tone.FAINT))]
    first, *rest = found.rule.sentences
    lines = wrap(first, frame.width, Tone.STRONG)
    lines += [BLANK] if len(rest) + len(lines) + 2 <= frame.height < UNLIMITED else []
    for words in (*rest, *(f"note: {note}" for note in found.notes)):
        lines += wrap(words, frame.width, Tone.TEXT)
    if len(lines) > frame.height and not frame.zoomed:
        return [*lines[: frame.height - 1], (("… press 3 for the rest", Tone.DIM),)]
    return lines


def progress_words(progress: SweepProgress, budget: float = SECONDS) -> str:
    """Describe the progress in one line."""
    return f"{progress.measured} of {len(progress.cells)} cells, {progress.seconds:.0f} of {budget:g} s"
