"""The buffers of a bound step as flat Python lists, and the tally of an operation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuisim.backends.protocol import UpdateScalars
from tuisim.config.choices import LEARNING_RATES
from tuisim.program import SHARED_ROLES, StepProgram


class ScalarTally:
    """Executed scalar operations by kind; the names are those of `accounting.Operations`."""

    __slots__ = ("activation", "add", "compare", "derivative", "divide", "exp", "log", "multiply", "sqrt")

    def __init__(self) -> None:
        self.multiply = self.add = self.divide = self.compare = 0
        self.exp = self.log = self.sqrt = self.activation = self.derivative = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by kind."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass
class ScalarState:
    """The scalars that an update carries from step to step."""

    given: float
    """The learning rate as set; the schedule multiplies it to get `rate`."""
    rate: float
    decay_factor: float
    """1 − αλ of AdamW."""
    weight_decay: float
    steps: int = 0
    """Updates so far, counted only with a schedule."""
    powers: list[float] = field(default_factory=lambda: [1.0, 1.0])
    adam_rate: float = math.nan
    adam_epsilon: float = math.nan
    flushed: int = 0
    """Numbers of the optimizer state flushed to 0 so far because they were subnormal."""

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate that the schedule multiplies."""
        self.given = self.rate = rate
        self.decay_factor = 1 - rate * self.weight_decay

    def values(self) -> tuple[float, tuple[float, float], int, int]:
        """Return the values of `UpdateScalars`."""
        return self.given, (self.powers[0], self.powers[1]), self.steps, self.flushed

    def restore(self, scalars: UpdateScalars) -> None:
        """Set the scalars as they were after a step."""
        self.set_learning_rate(scalars.learning_rate)
        self.powers, self.steps, self.flushed = list(scalars.powers), scalars.steps, scalars.flushed


class ScalarBuffers:
    """All buffers of one bound step, each a slice of a flat list, row by row."""

    def __init__(self, program: StepProgram, share: ScalarBuffers | None) -> None:
        self.program = program
        self.slices: dict[str, tuple[list[float], slice]] = {}
        for name, buffer in program.buffers.items():
            if share is not None and buffer.role in SHARED_ROLES:
                self.slices[name] = share.slices[name]
            else:
                values = [0.0] * buffer.size if buffer.part_of is None else self.slices[buffer.part_of][0]
                self.slices[name] = values, slice(buffer.offset, buffer.offset + buffer.size)
        rate, decay = LEARNING_RATES[program.optimizer], program.weight_decay
        self.scalars: ScalarState = ScalarState(rate, rate, 1 - rate * decay, decay) if share is None else share.scalars

    def get(self, name: str) -> list[float]:
        """Return a copy of the elements of a buffer."""
        values, place = self.slices[name]
        return values[place]

    def put(self, name: str, elements: list[float]) -> None:
        """Replace all elements of a buffer."""
        values, place = self.slices[name]
        if len(elements) != place.stop - place.start:
            raise ValueError(f"{len(elements)} elements for {name}, which has {place.stop - place.start}")
        values[place] = elements
