"""What a budget is asked about: a network made wider, deeper, longer or with more examples, each by one whole number.

It makes configurations; what they take is not its to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from tuisim import data, units
from tuisim.config import RunConfig
from tuisim.config.choices import MAX_WEIGHT_LAYERS
from tuisim.data.info import DEFAULT_EXAMPLES
from tuisim.errors import ConfigError
from tuisim.units import MAX_COUNT

MOST_CHARACTERS = 40
"""Of layer sizes in words."""
MOST_DIGITS = 19
"""Characters of a figure; a larger one has a prefix."""


class Question(StrEnum):
    """Of which there is to be as much as fits."""

    WIDEST = "widest"
    DEEPEST = "deepest"
    EPOCHS = "epochs"
    EXAMPLES = "examples"


@dataclass(frozen=True)
class Shape:
    """One question's way from a whole number to a configuration."""

    of: Callable[[RunConfig, int], RunConfig]
    """`config` with so much of it. Raises ConfigError where that cannot be."""
    own: Callable[[RunConfig], int]
    """How much the configuration has itself, or where to begin."""
    most: int
    """The vocabulary's maximum."""
    ahead: Callable[[RunConfig, int], Iterable[int]]
    """Larger numbers that may fit though the next one does not."""
    named: Callable[[RunConfig, int], str]
    """So much of it, in words."""
    hidden: bool = False
    """Whether it is about hidden layers, and does not apply where there are none."""

    def allowed(self, config: RunConfig, number: int) -> bool:
        """Whether a run can be described with so much."""
        try:
            self.of(config, number).resolved()
        except ConfigError:
            return False
        return True

    def range(self, config: RunConfig) -> tuple[int, int]:
        """The least and the most that can be described: a schedule can neither be of no steps nor of any number of them."""
        low, high = 1, self.most
        if self.allowed(config, low) and self.allowed(config, high):
            return low, high
        tried = sorted({self.own(config), *(min(1 << power, high) for power in range(high.bit_length() + 1))})
        right = [number for number in tried if self.allowed(config, number)]
        if not right:
            self.of(config, self.own(config)).resolved()  # which says what is wrong
        least = _edge(lambda number: self.allowed(config, number), right[0], max([n for n in tried if n < right[0]], default=0))
        most = _edge(
            lambda number: self.allowed(config, number), right[-1], min([n for n in tried if n > right[-1]], default=high + 1)
        )
        return least, most


def _edge(allowed: Callable[[int], bool], inside: int, outside: int) -> int:
    """The last number on the way from one that is allowed to one that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if allowed(middle) else (inside, middle)
    return inside


# ── wider ──


def _wide(config: RunConfig, number: int) -> RunConfig:
    """The widest hidden layer has `number` units, the others as many as keep their proportions to it."""
    hidden = config.layers[1:-1]
    widest = max(hidden)
    scaled = (max(1, (size * number + widest // 2) // widest) for size in hidden)
    return replace(config, layers=(config.layers[0], *scaled, config.layers[-1]))


def _wide_words(config: RunConfig, number: int) -> str:
    hidden = config.layers[1:-1]
    units_ = units.counted(number, "unit", MOST_DIGITS)
    if len(set(hidden)) > 1:
        return f"a widest hidden layer of {units_}"
    return f"{'a hidden layer' if len(hidden) == 1 else 'hidden layers'} of {units_}"


# ── deeper ──


def _deep(config: RunConfig, number: int) -> RunConfig:
    """The first `number` hidden layers, and then more like the last one."""
    hidden, activations = config.layers[1:-1], config.hidden_activation
    more = max(0, number - len(hidden))
    if not isinstance(activations, str):
        activations = (*activations[:number], *activations[-1:] * more)
    layers = (config.layers[0], *hidden[:number], *hidden[-1:] * more, config.layers[-1])
    return replace(config, layers=layers, hidden_activation=activations)


def _examples(config: RunConfig) -> int:
    return data.rows(config) or DEFAULT_EXAMPLES


SHAPES: dict[Question, Shape] = {
    Question.WIDEST: Shape(
        _wide,
        lambda config: max(config.layers[1:-1]),
        MAX_COUNT,
        # A processor's registers take so many numbers at a time: a whole number of them may cost less than a part.
        lambda _, number: sorted({number + 2, *((number // whole + 1) * whole for whole in (8, 16, 32, 64)), number * 9 // 8}),
        _wide_words,
        hidden=True,
    ),
    Question.DEEPEST: Shape(
        _deep,
        lambda config: len(config.layers) - 2,
        MAX_WEIGHT_LAYERS - 1,
        lambda _, number: (number + 2,),
        lambda _, number: units.counted(number, "hidden layer"),
        hidden=True,
    ),
    Question.EPOCHS: Shape(
        lambda config, number: replace(config, epochs=number),
        lambda config: config.epochs or 1,
        MAX_COUNT,
        lambda _, number: (number + 2,),
        lambda _, number: units.counted(number, "epoch", MOST_DIGITS),
    ),
    Question.EXAMPLES: Shape(
        lambda config, number: replace(config, examples=number),
        _examples,
        MAX_COUNT,
        # A full batch may cost less than one that is nearly full.
        lambda config, number: (number + 2, (number // config.batch_size + 1) * config.batch_size),
        lambda _, number: f"{units.counted(number, 'example', MOST_DIGITS)} an epoch",
    ),
}
