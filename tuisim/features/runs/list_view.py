"""The runs of a law, newest first: what each took, what the law says of it, and which part of that is whose.

It draws residuals; it fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from tuisim import units
from tuisim.backends import computed_dtype
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.runs.cost_fit import Residual
from tuisim.features.runs.fit_view import TONES, ReadingView
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import Frame, Line, Span, Tone, width_of
from tuisim.terminal.plot import ChartStyle
from tuisim.terminal.table import Column, fits, natural_widths, table

MOST_NETWORK = 18
GAP, FEW = 2, 5
"""Cells between columns, and how many columns may do with one."""
LEAST_BAR, MOST_BAR = 12, 40
FAR = 1.5
"""A run that took so many times the law, or the law so many times the run, is told from the others."""


class RunsView(ReadingView):
    """One row for each run; where room is short the columns that say least are left out, and the oldest rows."""

    kinds: Provenances = (("sizes", Provenance.GIVEN), ("ops", Provenance.COUNTED), ("law", Provenance.PROJECTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        law = self.reading.law
        if law is None:
            return []
        rows = law.rows[::-1]
        room = max(1, frame.height - 1)
        shown = rows if frame.zoomed or len(rows) <= room else rows[: room - 1]
        names = self._columns(shown, frame.width)
        columns = [_COLUMNS[name][0] for name in names]
        cells = [[_COLUMNS[name][1](row) for name in names] for row in shown]
        airy = sum(natural_widths(columns, cells)) + GAP * (len(columns) - 1)
        lines = table(columns, cells, min(frame.width, airy))
        lines = _barred(lines, shown, frame) if law.unknowns else lines
        if len(shown) < len(rows):
            words = next((one for one in (f"… and {len(rows) - len(shown):,} older: 3 shows them", "… 3: all")
                          if len(one) <= frame.width), "…")  # fmt: skip
            lines.append(((words, Tone.DIM),))
        return lines

    @staticmethod
    def _columns(rows: tuple[Residual, ...], width: int) -> list[str]:
        """Those there is room for."""
        kept = list(_COLUMNS)
        for name in ("", *_SPARED):
            kept = [one for one in kept if one != name]
            # Without air between them where that is the last there is to give.
            air = (GAP - 1) * (len(kept) - 1) if len(kept) > FEW else 0
            columns, cells = [_COLUMNS[one][0] for one in kept], [[_COLUMNS[one][1](row) for one in kept] for row in rows]
            if fits(columns, cells, width - air):
                break
        return kept


def _barred(lines: list[Line], rows: tuple[Residual, ...], frame: Frame) -> list[Line]:
    """With a bar at the end of each row, its parts as long as their shares of the law's time, where there is room."""
    wide = max(map(width_of, lines)) + 2
    room = min(MOST_BAR, frame.width - wide)
    if room < LEAST_BAR:
        return lines
    bars: list[Line] = [(("its parts", Tone.DIM),), *(_bar(row, room, frame.chart_style) for row in rows)]
    return [(*line, (" " * (wide - width_of(line)), Tone.TEXT), *bar) for line, bar in zip(lines, bars, strict=True)]


def _bar(row: Residual, width: int, chart_style: ChartStyle) -> Line:
    """Each part ends where the shares so far end, so that no rounding adds up."""
    spans: list[Span] = []
    done, cells = 0.0, 0
    for part, tone, drawn in zip(row.parts, TONES, "o*#" if chart_style is ChartStyle.ASCII else "━━━", strict=True):
        done += _share(row, part) or 0.0
        end = round(min(done, 1.0) * width)
        spans.append((drawn * (end - cells), tone))
        cells = end
    return tuple(spans)


def _share(row: Residual, part: float | None) -> float | None:
    return part / row.law_seconds if part is not None and row.law_seconds else None


def _percent(index: int) -> Callable[[Residual], Span]:
    return lambda row: (units.percent(_share(row, row.parts[index]), 0), TONES[index])


def _ratio(row: Residual) -> Span:
    if row.ratio is None:
        return "", Tone.TEXT
    far = max(row.ratio, 1 / row.ratio) >= FAR
    return f"{row.ratio:.2f}" if row.ratio < 1e4 else units.si(row.ratio), Tone.WARNING if far else Tone.STRONG


def _network(row: Residual) -> Span:
    return printable(units.layers_text(row.run.layers), MOST_NETWORK), Tone.TEXT


_COLUMNS: dict[str, tuple[Column, Callable[[Residual], Span]]] = {
    "network": (
        Column("network", right=False),
        lambda row: (printable(units.layers_text(row.run.layers), MOST_NETWORK), Tone.TEXT),
    ),
    "batch": (Column("batch"), lambda row: (units.short_count(row.run.batch, 7), Tone.TEXT)),
    "dtype": (Column("dtype"), lambda row: (printable(computed_dtype(row.run.backend, row.run.dtype), 8), Tone.DIM)),
    "optimizer": (Column("optimizer"), lambda row: (printable(row.run.optimizer, 9), Tone.DIM)),
    "operations": (Column("ops"), lambda row: (units.si(row.run.operations_per_step), Tone.TEXT)),
    "moved": (Column("moved"), lambda row: (units.si(row.run.bytes_per_step, "B"), Tone.TEXT)),
    "measured": (Column("measured"), lambda row: (units.duration(row.seconds), Tone.STRONG)),
    "law": (Column("law", least=7), lambda row: (units.duration(row.law_seconds), Tone.TEXT)),
    "ratio": (Column("÷", least=4), _ratio),
    "step": (Column("step"), _percent(0)),
    "operation": (Column("ops"), _percent(1)),
    "byte": (Column("bytes"), _percent(2)),
}
_SPARED = ("optimizer", "dtype", "moved", "operation", "byte", "step", "operations", "law", "batch")
"""In the order in which they are left out."""
