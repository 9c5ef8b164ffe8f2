"""What the budget screen shows: as much as fits of each thing, and what the chosen one takes of what there is.

It draws answers; it finds none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuisim import units
from tuisim.accounting.formulas import FORMULAS
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.estimate.budget.budget import Answer, Limit
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification
from tuisim.features.estimate.volume.estimate import ASSUMED_EPOCHS
from tuisim.predict.interval import Interval
from tuisim.provenance import Provenance, Provenances, Tagged
from tuisim.terminal.lines import BLANK, Block, ChartStyle, Frame, Line, Tone, clip, ends, fold, spread, width_of, wrap
from tuisim.terminal.table import Column, Row, fits, table
from tuisim.terminal.text import network_words
from tuisim.tui.panel import Rowed

NAMES = {
    Question.WIDEST: "widest", Question.DEEPEST: "deepest", Question.EPOCHS: "most epochs", Question.EXAMPLES: "most examples",
}  # fmt: skip
NOUNS = {
    Question.WIDEST: "units a hidden layer", Question.DEEPEST: "hidden layers", Question.EPOCHS: "epochs",
    Question.EXAMPLES: "examples an epoch",
}  # fmt: skip
WORDS = {"optimizer": "optimizer state", "batch": "a batch", "aside": "evaluation and setting up", "held_out": "held out"}
"""Parts of the memory whose name alone does not say what they are."""
SPARED = ("what", "from and to", "memory", "limited by")
"""Columns, in the order in which they are left out."""
FIGURES = ("at most", "takes", "from and to", "memory")
AIRY = 2
"""Lines for each row where there is room."""
LEAST_BAR, MOST_BAR = 10, 60


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is known so far."""

    limit: Limit | None = None
    answers: tuple[Answer, ...] = ()
    """In the order of the questions, as far as they have been answered."""
    chosen: int = 0
    failure: str | None = None
    verifying: Question | None = None
    checks: dict[Question, Verification] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        return tuple(Question)[self.chosen]

    @property
    def answer(self) -> Answer | None:
        """The chosen one; none until it is found."""
        return self.answers[self.chosen] if self.chosen < len(self.answers) else None


class SheetView:
    """A panel about a sheet; the screen hands it each new one."""

    @property
    def kinds(self) -> Provenances:
        return (("", Provenance.PROJECTED),)

    def __init__(self) -> None:
        super().__init__()
        self.sheet = Sheet()


# ── the answers ──


class AnswersView(SheetView, Rowed):
    """One row for each question."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        self.places = ()
        if self.sheet.failure is not None:
            return wrap(printable(self.sheet.failure, 500), frame.width, Tone.BAD)
        rows = [self._row(place) for place in range(len(Question))]
        names = list(rows[0])
        for name in (*SPARED, ""):
            columns = [Column("" if one == "what" else one, right=one in FIGURES) for one in names]
            cells: list[Row] = [[row[heading] for heading in names] for row in rows]
            if fits(columns, cells, frame.width):
                break
            names = [one for one in names if one != name]
        heading, *drawn = table(columns, cells, frame.width)
        drawn = [self._instead(place, line, frame.width) for place, line in enumerate(drawn)]
        numbers = range(len(drawn))
        if frame.height >= 1 + AIRY * len(drawn):
            self.places = [None, *(place for number in numbers for place in (None, number))]
            return [heading, *(one for line in drawn for one in (BLANK, line))]
        headed = frame.height > len(drawn)
        self.places = [*[None] * headed, *numbers]
        return [heading, *drawn] if headed else drawn

    def _row(self, place: int) -> dict[str, tuple[str, Tone]]:
        """Its cells by their headings."""
        question = tuple(Question)[place]
        answer = self.sheet.answers[place] if place < len(self.sheet.answers) else None
        chosen = place == self.sheet.chosen
        name = ("▸ " if chosen else "  ") + NAMES[question]
        found = answer.prediction if answer else None
        value = units.short_count(answer.value, 15) if answer else ""
        return {
            "": (name, Tone.ACCENT if chosen else Tone.TEXT),
            "at most": (value, Tone.STRONG),
            "what": (NOUNS[question] if value else "", Tone.DIM),
            "takes": (_duration(found.wall_seconds or found.seconds) if found else "", Tone.TEXT),
            "from and to": (_reach(found.wall_seconds or found.seconds) if found else "", Tone.DIM),
            "memory": (units.size(found.memory_bytes) if found else "", Tone.TEXT),
            "limited by": (answer.limited_by.words if answer and answer.limited_by and found else "", Tone.TEXT),
        }

    def _instead(self, place: int, line: Line, width: int) -> Line:
        """The row, or after its name why there is no value."""
        answer = self.sheet.answers[place] if place < len(self.sheet.answers) else None
        if answer is not None and answer.value is not None:
            return line
        name, gap = line[0], ("  ", Tone.TEXT)
        words = "…" if answer is None else printable(answer.words, 500)
        tone = Tone.WARNING if answer is not None and answer.limited_by else Tone.DIM
        return (name, gap, (clip(words, max(1, width - width_of((name, gap)))), tone))


# ── the chosen one ──


class AnswerView(SheetView):
    """What the chosen answer takes of what there is, and how its short run compared."""

    @property
    def kinds(self) -> Provenances:
        given = (("limits", Provenance.GIVEN),)
        return (*super().kinds, *given, ("steps run", Provenance.COUNTED)) if self._check else (*super().kinds, *given)

    @property
    def _check(self) -> Verification | None:
        return self.sheet.checks.get(self.sheet.question)

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        answer, limit = self.sheet.answer, self.sheet.limit
        if self.sheet.failure is not None:
            return []
        if answer is None or limit is None:
            return [(("solving …", Tone.DIM),)]
        words = printable(answer.words, 500)
        if answer.prediction is None:
            return wrap(words, frame.width, Tone.WARNING if answer.limited_by else Tone.DIM)
        return fold(
            [
                Block(0, wrap(words, frame.width, Tone.STRONG)),
                Block(5, [BLANK]),
                Block(1, _bars(answer, limit, frame)),
                Block(6, [BLANK]),
                Block(3, self._step(answer, frame.width)),
                Block(4, self._kept(answer, frame.width)),
                Block(8, [BLANK, *_parts(answer, frame.width)]),
                Block(7, [BLANK]),
                Block(2, self._verified(frame.width)),
            ],
            frame.height,
        )

    def _step(self, answer: Answer, width: int) -> list[Line]:
        assert answer.prediction is not None
        step = answer.prediction.step
        reach = f"({_end(step.low)} to {_end(step.high)})"
        pieces: list[Line] = [
            ((_end(step.likely), Tone.STRONG), (f" a step {reach}", Tone.DIM)),
            ((units.si(answer.prediction.ledger.parameters), Tone.STRONG), (" parameters", Tone.DIM)),
        ]
        return spread(pieces, width)

    def _kept(self, answer: Answer, width: int) -> list[Line]:
        assert answer.config is not None
        sizes = units.layers_text(answer.config.layers)
        return [((clip(sizes, width), Tone.DIM),)]

    def _verified(self, width: int) -> list[Line]:
        check = self._check
        if self.sheet.verifying is self.sheet.question:
            return [((clip("verifying: a real run of two seconds …", width), Tone.DIM),)]
        if check is None:
            return [((clip("v holds this against a short real run", width), Tone.DIM),)]
        if check.measured is None:
            return wrap(check.words, width, Tone.WARNING)
        pieces: list[Line] = [
            ((units.count(check.steps), Tone.STRONG), (" steps run", Tone.DIM)),
            ((Tagged(f"{units.duration(check.measured)} measured", Provenance.MEASURED), Tone.ACCENT),),
            ((f"{units.duration(check.predicted)} predicted", Tone.TEXT),),
            ((check.verdict, Tone.STRONG),),
        ]
        return spread(pieces, width, gap=2)


def _parts(answer: Answer, width: int) -> list[Line]:
    """Which operation takes longest, and what the memory is for."""
    found = answer.prediction
    assert found is not None
    op, share = found.most_expensive
    layer = "" if op.layer is None else f" of layer {op.layer}"
    what = FORMULAS[op.kind].what
    dearest = f"costliest operation: {what}{layer}, {op.phase.value}: {units.percent(share, 0)} of a step"
    memory = ((name, getattr(found.memory, name)) for name in found.memory.__slots__)
    pieces: list[Line] = [
        ((units.size(bytes_), Tone.STRONG), (f" {WORDS.get(name, name)}", Tone.DIM)) for name, bytes_ in memory if bytes_
    ]
    return [((clip(dearest, width), Tone.TEXT),), *spread(pieces, width)]


def _bars(answer: Answer, limit: Limit, frame: Frame) -> list[Line]:
    """Of each limit, how much is taken."""
    found = answer.prediction
    assert found is not None
    rows: list[tuple[str, float, str]] = []
    band = found.wall_seconds or found.seconds
    if limit.seconds is not None and band is not None:
        words = f"{_duration(band)} of {units.duration(limit.seconds)}"
        rows.append(("time", band.likely / limit.seconds, words))
    if limit.memory is not None:
        rows.append(
            ("memory", found.memory_bytes / limit.memory, f"{units.size(found.memory_bytes)} of {units.size(limit.memory)}")
        )
    longest = max(len(words) for *_, words in rows)
    room = min(MOST_BAR, frame.width - 8 - 1 - longest)
    lines: list[Line] = []
    for name, share, words in rows:
        bar: Line = ()
        if room >= LEAST_BAR:
            full = round(min(share, 1.0) * room)
            drawn, rest = ("#", "-") if frame.chart_style is ChartStyle.ASCII else ("━", "─")
            bar = ((drawn * full, Tone.AREA), (rest * (room - full), Tone.FAINT), (" ", Tone.TEXT))
        lines.append(((f"{name:<8}", Tone.DIM), *bar, (f"{words:>{longest}}", Tone.TEXT)))
    return lines


def _duration(band: Interval | None) -> str:
    return _end(band.likely) if band else ""


def _reach(band: Interval | None) -> str:
    return f"{_end(band.low)} to {_end(band.high)}" if band else ""


def _end(seconds: float) -> str:
    return units.duration(seconds) if math.isfinite(seconds) else "for ever"


# ── the line above ──


class BudgetHeader(SheetView):
    """Which network, and on which machine."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config.resolved()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        width = frame.width - 1
        found = next((one.prediction for one in self.sheet.answers if one.prediction), None)
        right: Line = ()
        if found is not None:
            right = (("as on another machine" if found.foreign else f"{found.backend}@{found.threads}", Tone.STRONG),)
        name: Line = ((" tuisim  ", Tone.ACCENT), ("work backwards  ", Tone.TEXT))
        room = max(1, width - width_of(name) - width_of(right) - 2)
        names = network_words(self.config)
        what = next((words for words in names[:2] if len(words) <= min(room, 48)), clip(names[2], room))
        left: Line = (*name, (what, Tone.STRONG))
        dtype = precision(self.config.backend if found is None else found.backend, self.config.dtype)
        more = f" · {self.config.optimizer} · batch {units.count(self.config.batch_size)} · {dtype}"
        epochs = self.config.epochs or ASSUMED_EPOCHS
        length = f" · {units.counted(epochs, 'epoch')}" + " assumed" * (self.config.epochs is None)
        room = width - width_of(left) - width_of(right) - 2
        added = next((words for words in (more + length, length) if len(words) < room), "")
        return [ends((*left, (added, Tone.TEXT)), right, width)]
