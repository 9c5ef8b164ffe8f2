"""What the law's screen shows: the law in large figures, every run against it, and the runs in a table.

It draws laws that are fitted; it fits and reads nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.runs.cost_fit import Coefficient, Law, Residual
from tuisim.features.runs.cost_fit_text import formula, no_runs, sentences, skipped_words
from tuisim.predict.machine import called
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.chart import Series, plot, x_axis
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, clip, ends, fold, width_of, wrap
from tuisim.terminal.plot import ChartStyle, Scale, large
from tuisim.terminal.scatter import Point, over

TONES = (Tone.LOSS, Tone.FORWARD, Tone.BACKWARD)
"""Of a step itself, its operations and its bytes."""
NAMES, SHORT_NAMES = ("the step itself", "operations", "bytes"), ("step", "ops", "bytes")
GLYPHS, ASCII_GLYPHS = ("○", "●", "◆"), ("o", "*", "#")
"""Of a run in which the one or the other takes most."""
LEAST_PLOT = 4
"""Lines below which there is nothing to see in a chart."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The laws as the runs are now, and the one that is looked at."""

    laws: tuple[Law, ...] = ()
    at: int = 0
    skipped: int = 0
    """Lines that were no run."""
    failure: str | None = None

    @property
    def law(self) -> Law | None:
        return self.laws[self.at] if self.laws else None


class ReadingView:
    """A panel about a law; the screen hands it each new state."""

    kinds: Provenances = (("", Provenance.MEASURED), ("runs", Provenance.COUNTED), ("error", Provenance.PROJECTED))

    def __init__(self) -> None:
        self.reading = Reading()

    def _waiting(self, width: int) -> list[Line]:
        if self.reading.failure is not None:
            return wrap(self.reading.failure, width, Tone.BAD)
        return wrap(no_runs(), width, Tone.DIM)


# ── the law itself ──


class FormulaView(ReadingView):
    """What a step, an operation and a byte take, and what follows from that."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        law, width = self.reading.law, frame.width
        if law is None:
            return self._waiting(width)
        first, *rest = sentences(law)
        big = _big(law, width)
        roomy = bool(big) and len(big) + 2 <= frame.height
        head = big if roomy else wrap(first, width, Tone.STRONG)
        said = [wrap(sentence, width, Tone.TEXT) for sentence in rest]
        # What it rests on is the last of them, and the first to be kept.
        blocks = [Block(0, head), Block(9, [BLANK] * roomy)]
        blocks += [Block(len(said) - i, lines) for i, lines in enumerate(said)]
        if words := skipped_words(self.reading.skipped):
            blocks.append(Block(8, wrap(words, width, Tone.WARNING)))
        return fold(blocks, frame.height)


def _big(law: Law, width: int) -> list[Line]:
    """What is known of the law in figures three lines high, with what each is below it; empty where that is too wide."""
    captions = ("each step at least", "each operation", "each byte")
    rates = ("", "/s", "B/s")
    columns = [_column(one, caption, rate, tone) for one, caption, rate, tone in
               zip(law.coefficients, captions, rates, TONES, strict=True) if one.seconds is not None]  # fmt: skip
    lines: list[Line] = [() for _ in range(5)]
    for i, column in enumerate(columns):
        wide = max(len(words) for words, _ in column)
        for row, (words, tone) in enumerate(column):
            between = "" if i == 0 else "   +   " if row == 1 else " " * 7
            lines[row] = (*lines[row], (between, Tone.STRONG), (words.ljust(wide), tone))
    return lines if columns and max(map(width_of, lines)) <= width else []


def _column(one: Coefficient, caption: str, rate: str, tone: Tone) -> list[Span]:
    """Its figure, its name, and how sure it is."""
    assert one.seconds is not None
    number, _, unit = (units.duration(one.seconds) if one.seconds else "0").partition(" ")
    top, middle, bottom = large(number)
    beside = [f"± {units.duration(one.error)}"] if one.error is not None else []
    beside += [units.si(one.per_second, rate)] if rate and one.per_second else []
    foot = ", ".join(beside) if one.seconds else "nothing that shows"
    return [(top, tone), (middle, tone), (f"{bottom} {unit}", tone), (caption, Tone.TEXT), (foot, Tone.DIM)]


# ── every run against it ──


class ScatterView(ReadingView):
    """One point for each run: to the right what the law says, upwards what it took; on the line they are the same."""

    kinds: Provenances = (("", Provenance.MEASURED), ("law", Provenance.PROJECTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        law, width = self.reading.law, frame.width
        if law is None:
            return []
        if not law.unknowns:
            return wrap("nothing to hold the runs against yet", width, Tone.DIM)
        points = [point for row in law.rows if (point := _point(row, frame.chart_style)) is not None]
        heads = _legend(frame)
        height = frame.height - len(heads) - 1
        if height < LEAST_PLOT:
            heads, height = [], frame.height - 1
        if height < LEAST_PLOT or not points:
            return wrap(formula(law), width, Tone.TEXT)[: frame.height]
        scale = _scale(points)
        diagonal = np.array([scale.low, scale.high])
        drawn = plot([Series(diagonal, diagonal, Tone.DIM)], width, height, frame.chart_style, scale, scale)
        unit = next(
            words for words in ("µs a step by the law", "µs by the law", "µs") if len(words) * 3 <= width or words == "µs"
        )
        return [*heads, *over(drawn, width, points, scale, scale), x_axis(width, scale, unit, frame.chart_style)]


def _point(row: Residual, chart_style: ChartStyle) -> Point | None:
    """In microseconds."""
    law = row.law_seconds
    if not law:
        return None
    most = max(range(len(row.parts)), key=lambda i: row.parts[i] or 0.0)
    glyphs = ASCII_GLYPHS if chart_style is ChartStyle.ASCII else GLYPHS
    return Point(law * 1e6, row.seconds * 1e6, glyphs[most], TONES[most])


def _scale(points: list[Point]) -> Scale:
    """Both axes': from one round number to another, with every point between them."""
    values = [value for point in points for value in (point.x, point.y)]
    low, high = _round(min(values), up=False), _round(max(values), up=True)
    return Scale(low, high if high > low else 2 * low, log=True)


def _round(value: float, up: bool) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    decade = 10.0 ** math.floor(math.log10(value))
    steps = (1, 2, 5, 10) if up else (5, 2, 1)
    return next((m * decade for m in steps if (m * decade >= value if up else m * decade <= value)), value)


def _legend(frame: Frame) -> list[Line]:
    """Which part of the law a run's time is mostly of, in full where that is one line; none where it is not at all."""
    glyphs = ASCII_GLYPHS if frame.chart_style is ChartStyle.ASCII else GLYPHS
    for head, names, gap in (("mostly ", NAMES, 2), ("mostly ", SHORT_NAMES, 2), ("", SHORT_NAMES, 1)):
        spans: list[Span] = [(head, Tone.DIM)]
        for i, (glyph, tone, name) in enumerate(zip(glyphs, TONES, names, strict=True)):
            spans += [(" " * gap * (i > 0) + glyph, tone), (f" {name}", Tone.DIM)]
        if width_of(tuple(spans)) <= frame.width:
            return [tuple(spans)]
    return []


# ── round them ──


class LawHeader(ReadingView):
    """Whose law it is, and how many there are."""

    kinds: Provenances = (("", Provenance.COUNTED),)

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        reading, width = self.reading, frame.width - 1
        law = reading.law
        state: Line = (
            ((units.counted(len(law.rows), "run") + " counted", Tone.ACCENT),) if law else (("no runs yet", Tone.WARNING),)
        )
        if reading.failure is not None:
            state = (("✕ unreadable", Tone.BAD),)
        if len(reading.laws) > 1:
            state = ((f"backend {reading.at + 1} of {len(reading.laws)}   ", Tone.DIM), *state)
        left: Line = ((" tuisim  ", Tone.ACCENT), ("cost law  ", Tone.TEXT))
        room = max(1, width - width_of(left) - width_of(state) - 1)
        if law is not None:
            names = (f"{law.backend} on {called(law.machine)}", law.backend)
            chosen = next((name for name in map(printable, names) if len(name) <= room), clip(printable(law.backend), room))
            left = (*left, (chosen, Tone.STRONG))
        return [ends(left, state, width)]
