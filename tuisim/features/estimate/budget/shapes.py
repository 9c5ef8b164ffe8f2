"""The properties that a budget varies, each a whole number: width, depth, epochs and examples."""

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

MAX_DIGITS = 19
"""Characters of a number; a longer one is written with an SI prefix."""


class Question(StrEnum):
    """The property that is made as large as fits."""

    WIDEST = "widest"
    DEEPEST = "deepest"
    EPOCHS = "epochs"
    EXAMPLES = "examples"


@dataclass(frozen=True)
class Shape:
    """The configurations of one question, as a function of a whole number."""

    of: Callable[[RunConfig, int], RunConfig]
    """Return `config` with that number. Raises ConfigError if that is not possible."""
    own: Callable[[RunConfig], int]
    """Return the configuration's own number, or a first one to try."""
    max_number: int
    ahead: Callable[[RunConfig, int], Iterable[int]]
    """Return larger numbers that may fit though the next one does not."""
    named: Callable[[RunConfig, int], str]
    """Write a number with its noun."""
    hidden: bool = False
    """True if it is about hidden layers, and does not apply without them."""

    def range(self, config: RunConfig) -> tuple[int, int]:
        """Return the smallest and the largest number that a configuration accepts: a schedule restricts the number of steps."""

        def allowed(number: int) -> bool:
            try:
                self.of(config, number).resolved()
            except ConfigError:
                return False
            return True

        low, high = 1, self.max_number
        if allowed(low) and allowed(high):
            return low, high
        tried = sorted({self.own(config), *(min(1 << power, high) for power in range(high.bit_length() + 1))})
        right = [number for number in tried if allowed(number)]
        if not right:
            self.of(config, self.own(config)).resolved()  # raises ConfigError with the reason
        below = max([number for number in tried if number < right[0]], default=0)
        above = min([number for number in tried if number > right[-1]], default=high + 1)
        return _edge(allowed, right[0], below), _edge(allowed, right[-1], above)


def _edge(allowed: Callable[[int], bool], inside: int, outside: int) -> int:
    """Return the last allowed number between one that is allowed and one that is not."""
    while abs(outside - inside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if allowed(middle) else (inside, middle)
    return inside


# ── wider ──


def _wide(config: RunConfig, number: int) -> RunConfig:
    """Set the widest hidden layer to `number` units, the others in proportion."""
    hidden = config.layers[1:-1]
    widest = max(hidden)
    scaled = (max(1, (size * number + widest // 2) // widest) for size in hidden)
    return replace(config, layers=(config.layers[0], *scaled, config.layers[-1]))


def _wide_words(config: RunConfig, number: int) -> str:
    hidden = config.layers[1:-1]
    units_ = units.counted(number, "unit", MAX_DIGITS)
    if len(set(hidden)) > 1:
        return f"a widest hidden layer of {units_}"
    return f"{'a hidden layer' if len(hidden) == 1 else 'hidden layers'} of {units_}"


# ── deeper ──


def _deep(config: RunConfig, number: int) -> RunConfig:
    """Keep the first `number` hidden layers, and add more like the last one."""
    hidden, activations = config.layers[1:-1], config.hidden_activation
    more = max(0, number - len(hidden))
    if not isinstance(activations, str):
        activations = (*activations[:number], *activations[-1:] * more)
    layers = (config.layers[0], *hidden[:number], *hidden[-1:] * more, config.layers[-1])
    return replace(config, layers=layers, hidden_activation=activations)


SHAPES: dict[Question, Shape] = {
    Question.WIDEST: Shape(
        _wide,
        lambda config: max(config.layers[1:-1]),
        MAX_COUNT,
        # A multiple of the SIMD width or of a kernel's block may cost less than a smaller width that is not one.
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
        lambda config: config.known_epochs or 1,
        MAX_COUNT,
        lambda _, number: (number + 2,),
        lambda _, number: units.counted(number, "epoch", MAX_DIGITS),
    ),
    Question.EXAMPLES: Shape(
        lambda config, number: replace(config, examples=number),
        lambda config: data.rows(config) or DEFAULT_EXAMPLES,
        MAX_COUNT,
        # A full batch may cost less than one that is nearly full.
        lambda config, number: (number + 2, (number // config.batch_size + 1) * config.batch_size),
        lambda _, number: f"{units.counted(number, 'example', MAX_DIGITS)} per epoch",
    ),
}
