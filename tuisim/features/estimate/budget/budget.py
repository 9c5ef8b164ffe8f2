"""Work backwards: the widest, the deepest, the most epochs and the most examples of a network that fit a time or a memory.

Solved from predictions alone, so nothing is run and nothing large is made, whatever the answer. It does not know where the
predictions come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from tuisim import data, units
from tuisim.config import RunConfig
from tuisim.config.field import is_number
from tuisim.engine.memory_check import free_bytes, largest
from tuisim.errors import ConfigError, Mistake
from tuisim.features.estimate.budget.shapes import MOST_DIGITS, SHAPES, Question, Shape
from tuisim.features.estimate.budget.verify import Verification
from tuisim.predict.interval import Interval
from tuisim.predict.prediction import Prediction
from tuisim.provenance import Provenance
from tuisim.units import MAX_COUNT

Load = Callable[[int], float]
"""The share of a limit that a number takes: it fits if this is at most 1."""


class LimitedBy(StrEnum):
    """Why there is no more of it."""

    SECONDS = "seconds"
    MEMORY = "memory"
    VOCABULARY = "vocabulary"
    """No run can be described with more."""

    @property
    def words(self) -> str:
        """As people are told."""
        return {"seconds": "time", "memory": "memory", "vocabulary": "tuisim's own limit"}[self.value]


class Predicts(Protocol):
    """Whoever says what a run will take: `predict.outlook.Predictor`, or one made up."""

    def predict(self, config: RunConfig) -> Prediction: ...


@dataclass(frozen=True, slots=True)
class Limit:
    """What there is: wall seconds, bytes of memory, or both. Raises ConfigError where it is neither, or not above 0."""

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.memory is None:
            raise ConfigError([Mistake("seconds", None, "say how many there are, or how much memory, or both")])
        mistakes = [
            Mistake(name, value, remedy)
            for name, value, remedy in (
                ("seconds", self.seconds, "more than 0 seconds, such as 600, 10min or 2h"),
                ("memory", self.memory, "more than 0 bytes, such as 500MB or 2GiB"),
            )
            if value is not None and not (is_number(value) and 0 < value <= float(MAX_COUNT))
        ]
        if mistakes:
            raise ConfigError(mistakes)

    def loads(self, prediction: Prediction) -> dict[LimitedBy, float]:
        """What a run takes over what there is, of each limit that is given: at most 1 just where it fits."""
        found: dict[LimitedBy, float] = {}
        if self.seconds is not None:
            taken = lasting(prediction).likely
            found[LimitedBy.SECONDS] = _load(taken / self.seconds, taken <= self.seconds)
        if self.memory is not None:
            bytes_ = prediction.memory_bytes
            found[LimitedBy.MEMORY] = _load(bytes_ / self.memory, bytes_ <= self.memory)
        return found


@dataclass(frozen=True)
class Answer:
    """As much of one thing as fits; `value` is none where nothing does, or where the question does not apply."""

    question: Question
    value: int | None
    """Units of the widest hidden layer, hidden layers, epochs or examples."""
    config: RunConfig | None
    """The configuration asked about with that much of it."""
    prediction: Prediction | None
    limited_by: LimitedBy | None
    words: str

    @property
    def outside_known(self) -> bool:
        """Whether its time is all of the wall's; else only that of the steps is known."""
        return self.prediction is None or self.prediction.wall_seconds is not None

    def to_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "question": self.question.value,
            "value": self.value,
            "limited_by": self.limited_by,
            "words": self.words,
            "config": self.config and self.config.to_dict(),
        }
        one = self.prediction
        return found | {
            "step_seconds": one and one.step.to_dict(),
            "seconds": one and one.seconds and one.seconds.to_dict(),
            "wall_seconds": one and one.wall_seconds and one.wall_seconds.to_dict(),
            "memory_bytes": one and one.memory_bytes,
            "parameters": one and one.ledger.parameters,
        }


@dataclass(frozen=True)
class Budget:
    """A limit, and for each question as much as fits."""

    config: RunConfig
    """As asked about."""
    limit: Limit
    answers: tuple[Answer, ...]

    @property
    def prediction(self) -> Prediction | None:
        """Of any answer: machine and backend are the same in all, but for a backend that is chosen by the network."""
        return next((one.prediction for one in self.answers if one.prediction is not None), None)

    def to_dict(self, verified: Mapping[Question, Verification] | None = None) -> dict[str, Any]:
        """The document `tuisim budget --json` prints."""
        any_, found = self.prediction, verified or {}
        answers = []
        for answer in self.answers:
            check = found.get(answer.question)
            answers.append(answer.to_dict() | {"verification": check and check.to_dict()})
        return {
            "config": self.config.to_dict(),
            "limits": {"seconds": self.limit.seconds, "memory_bytes": self.limit.memory},
            "machine": any_ and any_.machine,
            "foreign": any_ and any_.foreign,
            "answers": answers,
            "marks": {
                "config": Provenance.GIVEN,
                "limits": Provenance.GIVEN,
                "answers[]": Provenance.PROJECTED,
                "answers[].verification.steps": Provenance.COUNTED,
                "answers[].verification.measured_seconds": Provenance.MEASURED,
            },
        }


def budget(config: RunConfig, outlook: Predicts, limit: Limit, questions: Sequence[Question] = tuple(Question)) -> Budget:
    """As much as fits of everything asked.

    Raises ConfigError where a time cannot be told because `epochs` or `examples` is not known, and what `outlook` raises.
    """
    return Budget(config, limit, tuple(ask(question, config, outlook, limit) for question in questions))


def ask(question: Question, config: RunConfig, outlook: Predicts, limit: Limit) -> Answer:
    """As much as fits of one thing. Raises as `budget` does."""
    shape = SHAPES[question]
    _check(question, config, limit)
    if shape.hidden and len(config.layers) < 3:
        return Answer(question, None, None, None, None, "does not apply: there is no hidden layer")
    return _Search(question, shape, config, outlook, limit).answer()


def lasting(prediction: Prediction) -> Interval:
    """Seconds of all of a run from the first batch on; of its steps alone where only those are known."""
    band = prediction.wall_seconds or prediction.seconds
    if band is None:
        raise ConfigError([Mistake("examples", None, "say how many: only reading the file would tell")])
    return band


def _check(question: Question, config: RunConfig, limit: Limit) -> None:
    if limit.seconds is None:
        return
    mistakes = []
    if config.epochs is None and question is not Question.EPOCHS:
        mistakes.append(Mistake("epochs", "none", "say how many: a run without an end fits no time"))
    if data.rows(config) is None and question is not Question.EXAMPLES:
        mistakes.append(Mistake("examples", None, "say how many: only reading the file would tell"))
    if mistakes:
        raise ConfigError(mistakes)


def _load(ratio: float, fits: bool) -> float:
    """On its right side of 1, whatever dividing has rounded."""
    return min(ratio, 1.0) if fits else max(ratio, math.nextafter(1.0, 2.0))


MAX_DIPS = 8
"""Dips of the load that are passed, at most."""


def beyond(load: Load, found: int, most: int, ahead: Callable[[int], Iterable[int]]) -> int:
    """Return a larger number that fits if there is one among those `ahead` of `found`, past a dip of the load."""
    for _ in range(MAX_DIPS):
        better = [number for number in ahead(found) if found < number <= most and load(number) <= 1]
        if not better:
            return found
        found = largest(partial(_fits, load), max(better), most) or max(better)
    return found


def _fits(load: Load, number: int) -> bool:
    return load(number) <= 1


class _Search:
    """One question; each number is predicted once."""

    def __init__(self, question: Question, shape: Shape, config: RunConfig, outlook: Predicts, limit: Limit) -> None:
        self._question, self._shape, self._config = question, shape, config
        self._outlook, self._limit = outlook, limit
        self._known: dict[int, Prediction] = {}

    def answer(self) -> Answer:
        shape, config = self._shape, self._config
        least, most = shape.range(config)
        found: int | None = most
        # One limit after the other: each alone grows with the number, or falls once and stays.
        loads = [self._by(kind) for kind in LimitedBy if kind in self._limit.loads(self._predict(least))]
        for load in (*loads, self._whole):
            if found is not None:
                found = largest(partial(_fits, load), least, found)
        if found is None:
            return Answer(self._question, None, None, None, self._over(least), self._nothing(least))
        found = beyond(self._whole, found, most, lambda number: shape.ahead(config, number))
        by = LimitedBy.VOCABULARY if found == most else self._over(found + 1)
        return Answer(self._question, found, shape.of(config, found), self._predict(found), by, self._words(found, by))

    def _predict(self, number: int) -> Prediction:
        if number not in self._known:
            self._known[number] = self._outlook.predict(self._shape.of(self._config, number))
        return self._known[number]

    def _by(self, kind: LimitedBy) -> Callable[[int], float]:
        return lambda number: self._limit.loads(self._predict(number))[kind]

    def _whole(self, number: int) -> float:
        return max(self._limit.loads(self._predict(number)).values())

    def _over(self, number: int) -> LimitedBy:
        """Of which limit it takes most."""
        loads = self._limit.loads(self._predict(number))
        return max(loads, key=lambda kind: loads[kind])

    # ── in words ──

    def _takes(self, number: int) -> dict[LimitedBy, str]:
        """What a run takes, in words, of each kind that is known."""
        found = self._predict(number)
        known = found.wall_seconds or found.seconds
        seconds = {LimitedBy.SECONDS: units.duration(known.likely) or "for ever"} if known else {}
        return seconds | {LimitedBy.MEMORY: units.size(found.memory_bytes)}

    def _given(self, by: LimitedBy) -> str:
        """The limit, in the same words as what is taken of it."""
        given = self._limit.seconds if by is LimitedBy.SECONDS else self._limit.memory
        return units.duration(given) if by is LimitedBy.SECONDS else units.size(given)

    def _nothing(self, least: int) -> str:
        asked = self._limit.loads(self._predict(least))
        taken = " and ".join(words for kind, words in self._takes(least).items() if kind in asked)
        return f"nothing fits: the least, {self._shape.named(self._config, least)}, takes {taken}"

    def _words(self, found: int, by: LimitedBy) -> str:
        """What fits, what it takes, and why there is no more."""
        named, taken = self._shape.named(self._config, found), self._takes(found)
        if self._question is Question.WIDEST and len(self._config.layers) > 3:
            named += f" ({_layers(self._shape.of(self._config, found))})"
        words = f"{named}: {' and '.join(taken.values())}"
        if by is LimitedBy.VOCABULARY:
            words += "; no run can be described with more"
        elif (more := self._takes(found + 1)[by]) not in (taken[by], self._given(by)):
            words += f"; {units.short_count(found + 1, MOST_DIGITS)} would take {more}"
        else:
            words += "; one more would be too much"
        one = self._predict(found)
        if self._limit.seconds is not None and one.wall_seconds is None:
            words += "; of its time only that of the steps is known"
        if one.beyond is not None:
            words += f"; its largest product is {units.figure(one.beyond)} × any that was measured, and no band knows of that"
        if self._limit.memory is not None and one.memory.data is None:
            words += "; without its data, which only the file would tell"
        free = None if one.foreign else free_bytes(one.backend)
        if free is not None and one.memory_bytes > free:
            words += f"; more memory than the {units.size(free)} that are free"
        return words


def _layers(config: RunConfig) -> str:
    """The sizes, those in the middle left out where there are many."""
    text = units.layers_text(config.layers)
    return text if len(text) <= 60 else f"{config.layers[0]}-{config.layers[1]}-…-{config.layers[-2]}-{config.layers[-1]}"
