"""What the crossover screen shows round its map: the figures of one cell, the rule, and which two are measured.

It draws a sweep as far as it has come; it measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.compare.crossover.cell import LEVEL, Cell, shorts, times
from tuisim.features.compare.crossover.found import Crossover
from tuisim.features.compare.crossover.pairs import Duel
from tuisim.features.compare.crossover.sweep import SECONDS, Size, Sweeping
from tuisim.features.compare.entries import BackendEntry
from tuisim.provenance import Provenance, Provenances, Tagged
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, clip, ends, width_of, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, table

TONES = (Tone.FORWARD, Tone.BACKWARD)
"""Of the first and the second."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A sweep as far as it has come, and the cell that is looked at."""

    entries: Duel = (BackendEntry("", None), BackendEntry("", None))
    sweeping: Sweeping | None = None
    crossover: Crossover | None = None
    failure: str | None = None
    waits: bool = False
    """Because a training runs that it would disturb."""
    chosen: Size | None = None
    """None: the one measured last."""

    @property
    def names(self) -> tuple[str, str]:
        return self.entries[0].name, self.entries[1].name

    @property
    def cells(self) -> dict[Size, Cell]:
        found = self.crossover.cells if self.crossover else self.sweeping.cells if self.sweeping else ()
        return {cell.size: cell for cell in found}

    @property
    def cursor(self) -> Size | None:
        """The cell that is looked at, where there is one."""
        latest = self.sweeping.latest if self.sweeping else None
        cells = self.cells
        return next((size for size in (self.chosen, latest, *cells) if size in cells), None)

    def moved(self, widths: int, batches: int) -> Size | None:
        """The cell so many rows down and columns to the right of the cursor, as far as there are any."""
        at = self.cursor
        if at is None:
            return None
        axis, by = (0, widths) if widths else (1, batches)
        along = sorted(size for size in self.cells if size[1 - axis] == at[1 - axis])
        return along[max(0, min(len(along) - 1, along.index(at) + by))]


class SurveyView:
    """A panel about a sweep; the screen hands it each new state."""

    kinds: Provenances = (("", Provenance.MEASURED),)

    def __init__(self) -> None:
        self.survey = Survey()

    def _waiting(self, frame: Frame) -> list[Line]:
        if self.survey.failure is not None:
            return wrap(self.survey.failure, frame.width, Tone.BAD)
        words = "a training runs: m pauses it and begins" if self.survey.waits else "setting up the smallest network"
        return wrap(words, frame.width, Tone.DIM)


# ── one cell ──


class CellView(SurveyView):
    """Both times of the cell under the cursor, the ratio and its spread."""

    kinds: Provenances = (("", Provenance.MEASURED), ("ops", Provenance.COUNTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        survey = self.survey
        cell = survey.cells.get(survey.cursor) if survey.cursor else None
        if cell is None:
            return [] if survey.failure is not None else self._waiting(frame)
        roomy = frame.height >= 7
        lines = [self._head(cell, frame.width), *([BLANK] * roomy)]
        if cell.seconds is None or cell.spreads is None:
            now = survey.sweeping is not None and survey.sweeping.now == cell.size and survey.crossover is None
            words = "being measured" if now else cell.reason or "not measured"
            return [*lines, *wrap(printable(words, 300), frame.width, Tone.WARNING if cell.failed else Tone.DIM)]
        rows: list[list[Span]] = [
            [(name, tone), (units.duration(seconds), Tone.STRONG), (f"± {units.duration(reach)}", Tone.DIM)]
            for name, tone, seconds, reach in zip(survey.names, TONES, cell.seconds, cell.spreads, strict=True)
        ]
        columns = [Column("a step", right=False), Column("time", min_width=7), Column("spread", min_width=9)]
        lines += table(columns, rows, min(frame.width, 40))[0 if roomy else 1 :]
        return [*lines, *([BLANK] * roomy), *self._verdict(cell, frame.width)]

    @staticmethod
    def _head(cell: Cell, width: int) -> Line:
        size = f"{units.count(cell.width)} × {units.count(cell.batch)}"
        exact, rounded = units.count(cell.operations), units.si(cell.operations)
        room = width - len(size) - len(" given ")
        count, word = next(
            (one for one in ((exact, " operations"), (rounded, " operations")) if len(one[0]) + len(one[1]) + 2 <= room),
            (rounded, " ops"),
        )
        gap = " " * max(1, min(3, room - len(count) - len(word) + 1))
        tail: Line = ((Tagged(count, Provenance.COUNTED), Tone.STRONG), (word, Tone.DIM))
        return ((Tagged(size, Provenance.GIVEN), Tone.STRONG), (" given" + gap, Tone.DIM), *tail)

    @staticmethod
    def _verdict(cell: Cell, width: int) -> list[Line]:
        assert cell.ratio is not None
        assert cell.ratio_spread is not None
        if cell.winner == LEVEL or cell.factor is None:
            words = f"level: {cell.ratio:.2f} ± {cell.ratio_spread:.2f}"
        else:
            # Of a ratio turned over, the relative spread is the same.
            reach = cell.factor * cell.ratio_spread / cell.ratio
            words = f"{cell.winner} {times(cell.factor)} × as fast ± {units.figure(reach, 2)}"
        tail = f", {cell.rounds} rounds"
        lines = wrap(words, width, Tone.STRONG)
        if len(lines) == 1 and len(words) + len(tail) <= width:
            return [((words, Tone.STRONG), (tail, Tone.DIM))]
        return [*lines, ((tail[2:], Tone.DIM),)]


# ── the rule ──


class RuleView(SurveyView):
    """How far it has come, and at the end from which size on the other one wins."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        found, sweeping = self.survey.crossover, self.survey.sweeping
        if found is None:
            return self._progress(sweeping, frame) if sweeping and self.survey.failure is None else self._waiting(frame)
        first, *rest = found.rule.sentences
        lines = wrap(first, frame.width, Tone.STRONG)
        lines += [BLANK] if len(rest) + len(lines) + 2 <= frame.height else []
        for words in (*rest, *found.notes):
            lines += wrap(words, frame.width, Tone.TEXT)
        if len(lines) > frame.height and not frame.zoomed:
            return [*lines[: frame.height - 1], (("… 3 shows all of it", Tone.DIM),)]
        return lines

    @staticmethod
    def _progress(sweeping: Sweeping, frame: Frame) -> list[Line]:
        drawn, empty = bar(sweeping.seconds / SECONDS, min(frame.width, 40), frame.chart_style)
        words = f"{sweeping.measured} of {len(sweeping.cells)} cells, {sweeping.seconds:.0f} of {SECONDS:g} s"
        return [*wrap(words, frame.width, Tone.TEXT), ((drawn, Tone.ACCENT), (empty, Tone.FAINT))]


class CrossoverHeader:
    """Which two are held against each other, on what, and how far it is."""

    kinds: Provenances = (("", Provenance.GIVEN),)

    def __init__(self, config: RunConfig) -> None:
        self.config, self.survey = config.resolved(), Survey()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        survey, config, width = self.survey, self.config, frame.width - 1
        state: Span = ("◌ measuring", Tone.ACCENT)
        if survey.failure is not None:
            state = ("✕ failed", Tone.BAD)
        elif survey.crossover is not None:
            state = ("■ finished", Tone.GOOD)
        elif survey.waits:
            state = ("‖ waits", Tone.WARNING)
        room = max(1, width - width_of((state,)) - 22)
        names = next((words for words in self._names() if len(words) <= room), clip(self._names()[-1], room))
        left: Line = ((" tuisim  ", Tone.ACCENT), ("crossover  ", Tone.TEXT), (names, Tone.STRONG))
        activations = " ".join(dict.fromkeys(config.activations))
        more = f" · {len(config.layers)} layers · {activations} · {config.loss} · {config.optimizer} · {config.dtype}"
        if width_of(left) + len(more) + width_of((state,)) < width:
            left = (*left, (more, Tone.TEXT))
        return [ends(left, (state,), width)]

    def _names(self) -> list[str]:
        """Both in words, with their letters in the map where the names do not end in them."""
        named = [name if name.endswith(short) else f"{name} ({short})"
                 for name, short in zip(self.survey.names, shorts(self.survey.entries), strict=True)]  # fmt: skip
        return [" against ".join(named), " · ".join(named)]
