"""The map of a sweep: rows of widths, columns of batches, who is faster in each cell, and the cursor over them.

It draws what was measured; it measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.features.compare.crossover.cell import Cell, shorts, written
from tuisim.features.compare.crossover.view import TONES, SurveyView
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, wrap

MOST_GAP, MOST_APART = 6, 3
"""Cells between columns, and lines from one row to the next, where there is room."""
NOW = "…"

Form = tuple[Callable[[Cell], str], int]
"""How a cell is written, and the width its column keeps."""


class MapView(SurveyView):
    """Rows of widths, columns of batches; each cell names who is faster there, and how many times."""

    kinds: Provenances = (("", Provenance.MEASURED), ("sizes", Provenance.GIVEN))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        cells = self.survey.cells
        if not cells:
            return self._waiting(frame)
        batches = sorted({size[1] for size in cells})
        form = next(form for form in self._forms() if self._needed(form, batches) <= frame.width or not form[1])
        rows, hidden = self._rows(frame)
        apart = max(1, min(MOST_APART, (frame.height - 3) // len(rows)))
        columns = self._columns(form, batches)
        gap = max(1, min(MOST_GAP, (frame.width - self._needed(form, batches)) // len(columns) + 1))
        lines: list[Line] = [self._heading(batches, columns, gap, hidden)]
        for i, width in enumerate(rows):
            lines += [BLANK] * (apart - 1) if i else []
            lines.append(self._row(width, batches, columns, gap, form))
        legend = self._legend(form, frame.width)
        return [*lines, BLANK, *legend] if len(lines) + 1 + len(legend) <= frame.height else lines

    def _forms(self) -> list[Form]:
        """From the name in full to its letters alone."""
        names = self.survey.names
        full = dict(zip(names, names, strict=True))
        short = dict(zip(names, shorts(self.survey.entries), strict=True))
        longest, letters = (max(map(len, labels.values())) for labels in (full, short))
        return [
            (lambda cell: written(cell, full), longest + 5),
            (lambda cell: written(cell, short), letters + 5),
            (lambda cell: written(cell, short, sign="", gap=""), letters + 3),
            (lambda cell: written(cell, short, figure=False), 0),
        ]

    def _columns(self, form: Form, batches: list[int]) -> list[int]:
        """Their widths: those asked for keep theirs, so that a map that fills does not move."""
        write, least = form
        found = {batch: len(units.count(batch)) for batch in batches}
        for cell in self.survey.cells.values():
            kept = 1 if cell.in_between else least
            found[cell.batch] = max(found[cell.batch], len(write(cell)), kept)
        return [found[batch] for batch in batches]

    def _needed(self, form: Form, batches: list[int]) -> int:
        columns = self._columns(form, batches)
        return self._label_width + sum(columns) + len(columns) + 1

    @property
    def _label_width(self) -> int:
        return max(5, *(len(units.count(size[0])) for size in self.survey.cells))

    def _rows(self, frame: Frame) -> tuple[list[int], int]:
        """The widths there is room for, round the cursor's, and how many others there are."""
        widths = sorted({size[0] for size in self.survey.cells})
        room = max(1, frame.height - 1)
        if frame.zoomed or len(widths) <= room:
            return widths, 0
        at = widths.index(self.survey.cursor[0]) if self.survey.cursor else 0
        first = max(0, min(at - room // 2, len(widths) - room))
        return widths[first : first + room], len(widths) - room

    def _heading(self, batches: list[int], columns: list[int], gap: int, hidden: int) -> Line:
        corner = (f"↕ +{hidden}" if hidden else "width").ljust(self._label_width)
        parts = [(" " * gap + units.count(batch).rjust(column), Tone.DIM) for batch, column in zip(batches, columns, strict=True)]
        return ((corner, Tone.DIM), *parts)

    def _row(self, width: int, batches: list[int], columns: list[int], gap: int, form: Form) -> Line:
        survey, cells, after = self.survey, self.survey.cells, False
        now = survey.sweeping.now if survey.sweeping and not survey.crossover else None
        spans: list[Span] = [(units.count(width).rjust(self._label_width), Tone.DIM)]
        for batch, column in zip(batches, columns, strict=True):
            size = (width, batch)
            cell, here = cells.get(size), size == survey.cursor
            string = NOW if size == now else form[0](cell) if cell else ""
            string = string or " " * here
            space = [" "] * (gap + column - len(string))
            if after:
                space[0] = "]"
            if here:
                space[-1] = "["
            spans += [("".join(space), Tone.ACCENT), (string, Tone.ACCENT if size == now else self._tone(cell))]
            after = here
        return (*spans, ("]" * after, Tone.ACCENT))

    def _tone(self, cell: Cell | None) -> Tone:
        if cell is None or cell.winner not in self.survey.names:
            return Tone.BAD if cell is not None and cell.failed else Tone.DIM
        return TONES[self.survey.names.index(cell.winner)]

    def _legend(self, form: Form, width: int) -> list[Line]:
        letters = [f"{short} {name}," for short, name in zip(shorts(self.survey.entries), self.survey.names, strict=True)]
        figure = "how many times as fast, " if form[1] else ""
        names = "" if form[1] == self._forms()[0][1] else " ".join(letters) + " "
        return wrap(
            f"columns: batch; in a cell: the faster, {figure}{names}= level, ✗ failed, blank not measured", width, Tone.DIM
        )
