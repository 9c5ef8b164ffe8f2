"""The page Budget as lines: the largest that fits of each property, and details of the selected answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tuisim import units
from tuisim.accounting.formulas import FORMULAS
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.estimate.budget.budget import Answer, Limits
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification
from tuisim.features.estimate.times import figure, memory_parts
from tuisim.features.estimate.volume.estimate import ASSUMED_EPOCHS
from tuisim.predict.prediction import Prediction
from tuisim.provenance import Provenance, Provenances, Tagged
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, clip, fold, spread, width_of, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, drop_columns, table
from tuisim.terminal.text import duration_words, interval_words, network_subjects, page_header

ANSWERS_TAG: Provenances = (("", Provenance.PROJECTED),)
DETAILS_TAG: Provenances = (("", Provenance.PROJECTED), ("limits", Provenance.GIVEN))
NAMES = {
    Question.WIDEST: "widest", Question.DEEPEST: "deepest", Question.EPOCHS: "most epochs", Question.EXAMPLES: "most examples",
}  # fmt: skip
NOUNS = {
    Question.WIDEST: "units per hidden layer", Question.DEEPEST: "hidden layers", Question.EPOCHS: "epochs",
    Question.EXAMPLES: "examples per epoch",
}  # fmt: skip
TITLES = ("", "at most", "what", "estimate", "low to high", "memory", "limited by")
OPTIONAL = ("what", "low to high", "memory", "limited by")
"""Columns in the order in which they are left out."""
SPACING = 2
"""Lines for each row if there is room."""
MIN_BAR, MAX_BAR = 10, 60


@dataclass(frozen=True, slots=True)
class BudgetState:
    """The answers found so far, the selected one, and the verifications by short runs."""

    config: RunConfig
    limits: Limits | None = None
    answers: tuple[Answer, ...] = ()
    """In the order of the questions."""
    selected: int = 0
    failure: str = ""
    verifying: Question | None = None
    is_waiting: bool = False
    """True while the verification waits for the machine."""
    checks: dict[Question, Verification] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        """The selected question."""
        return tuple(Question)[self.selected]

    @property
    def answer(self) -> Answer | None:
        """The selected answer; None until it is found."""
        return self.answers[self.selected] if self.selected < len(self.answers) else None

    @property
    def prediction(self) -> Prediction | None:
        """The prediction of any answer: machine and backend are the same in all, unless `auto` chooses by the network."""
        return next((answer.prediction for answer in self.answers if answer.prediction), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim budget --json` prints."""
        assert self.limits is not None
        any_, checks = self.prediction, {question: check.to_dict() for question, check in self.checks.items()}
        return {
            "config": self.config.to_dict(),
            "limits": {"seconds": self.limits.seconds, "memory_bytes": self.limits.memory},
            "machine": any_ and any_.machine,
            "foreign": any_ and any_.foreign,
            "answers": [one.to_dict() | {"verification": checks.get(one.question)} for one in self.answers],
            "marks": {
                "config": Provenance.GIVEN,
                "limits": Provenance.GIVEN,
                "answers[]": Provenance.PROJECTED,
                "answers[].verification.steps": Provenance.COUNTED,
                "answers[].verification.measured_seconds": Provenance.MEASURED,
            },
        }


def page(state: BudgetState, frame: Frame) -> list[Line]:
    """Return the header, the answers, and the details of each."""
    lines = [*header(state, frame), BLANK, *answer_lines(state, frame)]
    for answer in state.answers:
        check = state.checks.get(answer.question)
        lines += [BLANK, ((NAMES[answer.question], Tone.STRONG),), *_details(answer, frame), *_check_lines(check, frame.width)]
    if state.prediction is not None:
        lines += [BLANK, ((f"by the machine profile of {printable(state.prediction.machine, 200)}", Tone.DIM),)]
    return lines


def header(state: BudgetState, frame: Frame) -> list[Line]:
    """Return the network, its configuration and the limits."""
    config, found = state.config.resolved(), state.prediction
    right = "" if found is None else "as on another machine" if found.foreign else f"{found.backend}@{found.threads}"
    if frame.zoomed and state.limits is not None:
        limits = filter(None, (units.duration(state.limits.seconds), units.size(state.limits.memory)))
        right = f"{' and '.join(limits)} given" + f" · {right}" * bool(right)
    epochs = units.counted(config.known_epochs or ASSUMED_EPOCHS, "epoch") + " assumed" * (config.known_epochs is None)
    dtype = precision(config.backend if found is None else found.backend, config.dtype)
    details = [f"{config.optimizer} · batch {units.count(config.full_batch)} · {dtype} · {epochs}", epochs]
    return [page_header("budget", network_subjects(config), details, ((right, Tone.STRONG),), frame.width)]


# ── the answers ──


def answer_lines(state: BudgetState, frame: Frame) -> list[Line]:
    """Return one row for each question."""
    if state.failure:
        return wrap(printable(state.failure, 500), frame.width, Tone.BAD)
    rows = [_row(state, place) for place in range(len(Question))]
    columns = [Column(title, title not in ("", "what", "limited by")) for title in TITLES]
    kept, cells = drop_columns(columns, rows, (*OPTIONAL, ""), frame.width, 2)
    shown = [Column("" if column.title == "what" else column.title, column.right) for column in kept]
    heading, *drawn = table(shown, cells, frame.width)
    drawn = [_with_reason(state, place, line, frame.width) for place, line in enumerate(drawn)]
    places = answer_places(state, frame)
    first = [heading] if places[0] is None else []
    return [*first, *(BLANK if place is None else drawn[place] for place in places[len(first) :])]


def answer_places(state: BudgetState, frame: Frame) -> list[int | None]:
    """Return the question on each line."""
    if state.failure:
        return []
    places = range(len(Question))
    if not frame.zoomed and frame.height >= 1 + SPACING * len(places):
        return [None, *(one for place in places for one in (None, place))]
    return [*[None] * (frame.height > len(places)), *places]


def _row(state: BudgetState, place: int) -> list[Span]:
    question, is_selected = tuple(Question)[place], place == state.selected and len(state.answers) != 1
    answer = state.answers[place] if place < len(state.answers) else None
    found = answer.prediction if answer else None
    value = units.short_count(answer.value, 15) if answer else ""
    seconds = found.run_seconds if found else None
    return [
        (("▸ " if is_selected else "  ") + NAMES[question], Tone.ACCENT if is_selected else Tone.TEXT),
        (value, Tone.STRONG),
        (NOUNS[question] if value else "", Tone.DIM),
        (duration_words(seconds.likely) if seconds else "", Tone.TEXT),
        (interval_words(seconds), Tone.DIM),
        (units.size(found.memory_bytes) if found else "", Tone.TEXT),
        (answer.limited_by.words if answer and answer.limited_by and found else "", Tone.TEXT),
    ]


def _with_reason(state: BudgetState, place: int, line: Line, width: int) -> Line:
    """Return the row, or after its name the reason why there is no value."""
    answer = state.answers[place] if place < len(state.answers) else None
    if answer is not None and answer.value is not None:
        return line
    start: Line = (line[0], ("  ", Tone.TEXT))
    words = "…" if answer is None else printable(answer.words, 500)
    tone = Tone.WARNING if answer is not None and answer.limited_by else Tone.DIM
    return (*start, (clip(words, max(1, width - width_of(start))), tone))


# ── details ──


def detail_lines(state: BudgetState, frame: Frame) -> list[Line]:
    """Return the share of the limits that the selected answer takes, and the result of its verification."""
    answer, limits = state.answer, state.limits
    if state.failure:
        return []
    if answer is None or limits is None:
        return [(("computing …", Tone.DIM),)]
    if answer.prediction is None:
        return _details(answer, frame)
    layers = clip(units.layers_text(answer.prediction.config.layers), frame.width)
    blocks = [
        Block(0, wrap(printable(answer.words, 500), frame.width, Tone.STRONG)), Block(5, [BLANK]),
        Block(1, _bars(answer, limits, frame)), Block(6, [BLANK]),
        Block(3, _step(answer, frame.width)), Block(4, [((layers, Tone.DIM),)]),
        Block(8, [BLANK, *_parts(answer, frame.width)]), Block(7, [BLANK]), Block(2, _verification(state, frame.width)),
    ]  # fmt: skip
    return fold(blocks, frame.height)


def _details(answer: Answer, frame: Frame) -> list[Line]:
    """Return an answer in words, with the parts of its time and memory."""
    words = printable(answer.words, 500)
    if answer.prediction is None:
        return wrap(words, frame.width, Tone.WARNING if answer.limited_by else Tone.DIM)
    return [*wrap(words, frame.width, Tone.TEXT), *_step(answer, frame.width), *_parts(answer, frame.width)]


def _step(answer: Answer, width: int) -> list[Line]:
    assert answer.prediction is not None
    step = answer.prediction.step
    parameters = figure(units.si(answer.prediction.ledger.parameters), "parameters")
    return spread([figure(duration_words(step.likely), f"per step ({interval_words(step)})"), parameters], width)


def _parts(answer: Answer, width: int) -> list[Line]:
    """Return the most expensive operation, and the parts of the memory."""
    found = answer.prediction
    assert found is not None
    op, share = found.most_expensive
    layer = "" if op.layer is None else f" of layer {op.layer}"
    most = f"most expensive operation: {FORMULAS[op.kind].what}{layer} ({op.phase.value}), {units.percent(share, 0)} of a step"
    pieces = [figure(units.size(size), name) for name, size in memory_parts(found.memory)]
    return [((clip(most, width), Tone.TEXT),), *spread(pieces, width)]


def _verification(state: BudgetState, width: int) -> list[Line]:
    if state.verifying is state.question:
        words = "a run is in progress: the verification waits" if state.is_waiting else "verifying by a run of two seconds …"
        return [((clip(words, width), Tone.DIM),)]
    check = state.checks.get(state.question)
    return _check_lines(check, width) if check else [((clip("v verifies it by a short run", width), Tone.DIM),)]


def _check_lines(check: Verification | None, width: int) -> list[Line]:
    if check is None:
        return []
    if check.measured is None:
        return wrap(check.words, width, Tone.WARNING)
    pieces: list[Line] = [
        figure(units.count(check.steps), "steps run"),
        ((Tagged(f"{units.duration(check.measured)} measured", Provenance.MEASURED), Tone.ACCENT),),
        ((f"{units.duration(check.predicted)} predicted", Tone.TEXT),),
        ((check.verdict, Tone.STRONG),),
    ]
    return spread(pieces, width, gap=2)


def _bars(answer: Answer, limits: Limits, frame: Frame) -> list[Line]:
    """Return the used share of each limit."""
    found = answer.prediction
    assert found is not None
    rows: list[tuple[str, float, str]] = []
    seconds = found.run_seconds
    if limits.seconds is not None and seconds is not None:
        words = f"{duration_words(seconds.likely)} of {units.duration(limits.seconds)}"
        rows.append(("time", seconds.likely / limits.seconds, words))
    if limits.memory is not None:
        words = f"{units.size(found.memory_bytes)} of {units.size(limits.memory)}"
        rows.append(("memory", found.memory_bytes / limits.memory, words))
    longest = max(len(words) for *_, words in rows)
    room = min(MAX_BAR, frame.width - 8 - 1 - longest)
    lines: list[Line] = []
    for name, share, words in rows:
        full, rest = bar(share, room, frame.chart_style) if room >= MIN_BAR else ("", "")
        drawn: Line = ((full, Tone.AREA), (rest, Tone.FAINT), (" ", Tone.TEXT)) if room >= MIN_BAR else ()
        lines.append(((f"{name:<8}", Tone.DIM), *drawn, (f"{words:>{longest}}", Tone.TEXT)))
    return lines
