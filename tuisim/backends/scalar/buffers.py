"""The buffers of a bound step as flat Python lists, and the tally of an operation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuisim.config.choices import LEARNING_RATES
from tuisim.program import SHARED_ROLES, Buffer, StepProgram


class ScalarTally:
    """Executed scalar operations by kind; the names are those of `accounting.Operations`."""

    __slots__ = ("activation", "add", "compare", "derivative", "divide", "exp", "log", "multiply", "sqrt")

    def __init__(self) -> None:
        self.multiply = self.add = self.divide = self.compare = 0
        self.exp = self.log = self.sqrt = self.activation = self.derivative = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by kind."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class BufferView:
    """A buffer in a flat list, row by row: its first element is `values[begin]`."""

    values: list[float]
    begin: int
    buffer: Buffer

    def get(self) -> list[float]:
        """Return a copy of the elements."""
        return self.values[self.begin : self.begin + self.buffer.size]

    def put(self, elements: list[float]) -> None:
        """Replace all elements."""
        if len(elements) != self.buffer.size:
            raise ValueError(f"{len(elements)} elements for {self.buffer.name}, which has {self.buffer.size}")
        self.values[self.begin : self.begin + self.buffer.size] = elements


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


class ScalarBuffers:
    """All buffers of one bound step."""

    def __init__(self, program: StepProgram, share: ScalarBuffers | None) -> None:
        self.program = program
        self.views: dict[str, BufferView] = {}
        for name, buffer in program.buffers.items():
            if buffer.part_of is not None:
                self.views[name] = BufferView(self.views[buffer.part_of].values, buffer.offset, buffer)
            elif share is not None and buffer.role in SHARED_ROLES:
                self.views[name] = share.views[name]
            else:
                self.views[name] = BufferView([0.0] * buffer.size, 0, buffer)
        rate, decay = LEARNING_RATES[program.optimizer], program.weight_decay
        self.scalars: ScalarState = ScalarState(rate, rate, 1 - rate * decay, decay) if share is None else share.scalars

    def get(self, name: str) -> list[float]:
        """Return a copy of the elements of a buffer."""
        return self.views[name].get()

    def put(self, name: str, elements: list[float]) -> None:
        """Replace all elements of a buffer."""
        self.views[name].put(elements)
