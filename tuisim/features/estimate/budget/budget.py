"""Budgets: the widest, the deepest, the most epochs and the most examples of a network that fit a time or a memory.

They are computed from predictions alone: nothing is run and nothing large is allocated, whatever the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import Any

from tuisim import data, units
from tuisim.config import RunConfig
from tuisim.config.field import is_number
from tuisim.engine.memory_check import free_bytes, largest
from tuisim.errors import ConfigError, Mistake
from tuisim.features.estimate.budget.shapes import MAX_DIGITS, SHAPES, Question
from tuisim.predict.prediction import Prediction
from tuisim.units import MAX_COUNT

Predict = Callable[[RunConfig], Prediction]


class LimitedBy(StrEnum):
    """The limit that a larger number would exceed."""

    SECONDS = "seconds"
    MEMORY = "memory"
    VOCABULARY = "vocabulary"
    """The maximum that a configuration accepts."""

    @property
    def words(self) -> str:
        """The name of the limit on screen."""
        return {"seconds": "time", "memory": "memory", "vocabulary": "tuisim's maximum"}[self.value]


@dataclass(frozen=True, slots=True)
class Limits:
    """Wall seconds, bytes of memory, or both. Raises ConfigError if neither is given, or one is not above 0."""

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.memory is None:
            raise ConfigError([Mistake("seconds", None, "give a time limit, a memory limit or both")])
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

    def loads(self, prediction: Prediction) -> dict[LimitedBy, tuple[float, float]]:
        """Return, for each given limit, what a run takes and the limit; the run fits if it takes no more than the limit."""
        found: dict[LimitedBy, tuple[float, float]] = {}
        if self.seconds is not None:
            taken = prediction.run_seconds
            assert taken is not None
            found[LimitedBy.SECONDS] = taken.likely, self.seconds
        if self.memory is not None:
            found[LimitedBy.MEMORY] = prediction.memory_bytes, self.memory
        return found


@dataclass(frozen=True)
class Answer:
    """The largest of one thing that fits; `value` is None if nothing fits or the question does not apply."""

    question: Question
    words: str
    value: int | None = None
    """Units of the widest hidden layer, hidden layers, epochs or examples."""
    config: RunConfig | None = None
    """The given configuration with that value."""
    prediction: Prediction | None = None
    limited_by: LimitedBy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        one = self.prediction
        return {
            "question": self.question.value, "value": self.value, "limited_by": self.limited_by, "words": self.words,
            "config": self.config and self.config.to_dict(), "step_seconds": one and one.step.to_dict(),
            "seconds": one and one.seconds and one.seconds.to_dict(),
            "wall_seconds": one and one.wall_seconds and one.wall_seconds.to_dict(),
            "memory_bytes": one and one.memory_bytes, "parameters": one and one.ledger.parameters,
        }  # fmt: skip


def budget(config: RunConfig, predict: Predict, limits: Limits) -> tuple[Answer, ...]:
    """Answer all questions. Raises as `ask` does."""
    return tuple(ask(question, config, predict, limits) for question in Question)


def ask(question: Question, config: RunConfig, predict: Predict, limits: Limits) -> Answer:
    """Answer one question.

    Raises ConfigError if a time limit is given and `epochs` or `examples` is not known, and what `predict` raises.
    """
    mistakes = []
    if limits.seconds is not None and config.known_epochs is None and question is not Question.EPOCHS:
        mistakes.append(Mistake("epochs", "none", "give the number: a run without an end exceeds any time limit"))
    if limits.seconds is not None and data.rows(config) is None and question is not Question.EXAMPLES:
        mistakes.append(Mistake("examples", None, "give the number: it is not known before the file is read"))
    if mistakes:
        raise ConfigError(mistakes)
    if SHAPES[question].hidden and len(config.layers) < 3:
        return Answer(question, "does not apply: there is no hidden layer")
    return _Search(question, config, predict, limits).answer()


MAX_JUMPS = 8
"""Maximum jumps over numbers that do not fit."""


def beyond(fits: Callable[[int], bool], found: int, limit: int, ahead: Callable[[int], Iterable[int]]) -> int:
    """Return the largest number found to fit, at least `found`: a larger one `ahead` may fit although the next does not."""
    for _ in range(MAX_JUMPS):
        better = [number for number in ahead(found) if found < number <= limit and fits(number)]
        if not better:
            return found
        found = largest(fits, max(better), limit) or max(better)
    return found


class _Search:
    """One question; each number is predicted once."""

    def __init__(self, question: Question, config: RunConfig, predict: Predict, limits: Limits) -> None:
        self._question, self._shape, self._config = question, SHAPES[question], config
        self._limits = limits
        self._predict = cache(lambda number: predict(self._shape.of(config, number)))

    def answer(self) -> Answer:
        shape, config = self._shape, self._config
        smallest, limit = shape.range(config)
        found: int | None = limit
        # One limit at a time: the time or the memory alone is nearly monotonic.
        for kinds in (*((kind,) for kind in LimitedBy if kind in self._loads(smallest)), tuple(LimitedBy)):
            if found is not None:
                found = largest(partial(self._fits, kinds=kinds), smallest, found)
        if found is None:
            taken = " and ".join(words for kind, words in self._takes(smallest).items() if kind in self._loads(smallest))
            words = f"nothing fits: the smallest, {shape.named(config, smallest)}, takes {taken}"
            return Answer(self._question, words, limited_by=self._limiting(smallest))
        found = beyond(self._fits, found, limit, lambda number: shape.ahead(config, number))
        by = LimitedBy.VOCABULARY if found == limit else self._limiting(found + 1)
        return Answer(self._question, self._words(found, by), found, shape.of(config, found), self._predict(found), by)

    def _loads(self, number: int) -> dict[LimitedBy, tuple[float, float]]:
        return self._limits.loads(self._predict(number))

    def _fits(self, number: int, kinds: Sequence[LimitedBy] = tuple(LimitedBy)) -> bool:
        return all(taken <= given for kind, (taken, given) in self._loads(number).items() if kind in kinds)

    def _limiting(self, number: int) -> LimitedBy:
        """Return the limit of which a number takes the largest share."""
        return max(self._loads(number).items(), key=lambda one: one[1][0] / one[1][1])[0]

    # ── in words ──

    def _takes(self, number: int) -> dict[LimitedBy, str]:
        """Write the time and memory that a run takes, as far as they are known."""
        found = self._predict(number)
        known = found.run_seconds
        seconds = {LimitedBy.SECONDS: units.duration(known.likely) or "∞"} if known else {}
        return seconds | {LimitedBy.MEMORY: units.size(found.memory_bytes)}

    def _words(self, found: int, by: LimitedBy) -> str:
        """Write the largest that fits, the time and memory it takes, and the reason for the limit."""
        named, taken = self._shape.named(self._config, found), self._takes(found)
        if self._question is Question.WIDEST and len(self._config.layers) > 3:
            layers = self._shape.of(self._config, found).layers
            sizes = units.layers_text(layers)
            named += f" ({sizes if len(sizes) <= 60 else f'{layers[0]}-{layers[1]}-…-{layers[-2]}-{layers[-1]}'})"
        words = f"{named}: {' and '.join(taken.values())}"
        given = units.duration(self._limits.seconds) if by is LimitedBy.SECONDS else units.size(self._limits.memory)
        if by is LimitedBy.VOCABULARY:
            words += "; the maximum that tuisim supports"
        elif (more := self._takes(found + 1)[by]) not in (taken[by], given):
            words += f"; {units.short_count(found + 1, MAX_DIGITS)} would take {more}"
        else:
            words += "; one more would not fit"
        one = self._predict(found)
        if self._limits.seconds is not None and one.wall_seconds is None:
            words += "; the time is for the steps alone"
        if one.beyond is not None:
            words += f"; outside the calibrated range: its largest GEMM is {units.figure(one.beyond)} × the largest measured"
        if self._limits.memory is not None and one.memory.data is None:
            words += "; without its data, whose size is known once the file is read"
        free = None if one.foreign else free_bytes(one.backend)
        if free is not None and one.memory_bytes > free:
            words += f"; needs more memory than the {units.size(free)} that are free"
        return words
