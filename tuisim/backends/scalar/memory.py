"""Buffers as flat Python lists, the parts of a flat one as views that know where they begin.

Kernels index them; nothing here computes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuisim.config.choices import LEARNING_RATES
from tuisim.program import Buffer, Role, StepProgram

SHARED = (Role.PARAMETER, Role.GRADIENT, Role.OPTIMIZER)


@dataclass(frozen=True, slots=True)
class View:
    """A buffer's values: `values[begin + k]` is its k-th element, row by row."""

    values: list[float]
    begin: int
    buffer: Buffer

    def get(self) -> list[float]:
        """A copy of the elements."""
        return self.values[self.begin : self.begin + self.buffer.size]

    def put(self, elements: list[float]) -> None:
        if len(elements) != self.buffer.size:
            raise ValueError(f"{len(elements)} elements for {self.buffer.name}, which has {self.buffer.size}")
        self.values[self.begin : self.begin + self.buffer.size] = elements


@dataclass
class Scalars:
    """The few numbers an update carries from step to step."""

    given: float
    """The rate as set by whoever trains; the schedule, where there is one, makes `rate` of it."""
    rate: float
    decay_factor: float
    """1 − αλ, AdamW's."""
    weight_decay: float
    steps: int = 0
    """Updates made so far, where a schedule needs their number."""
    powers: list[float] = field(default_factory=lambda: [1.0, 1.0])
    adam_rate: float = math.nan
    adam_epsilon: float = math.nan
    flushed: int = 0
    """Numbers of the optimizer's buffers set to 0 so far because they were subnormal."""


class Memory:
    """All buffers of one bound step."""

    def __init__(self, program: StepProgram, share: Memory | None) -> None:
        self.program = program
        self.scalars: Scalars = share.scalars if share is not None else _scalars(program)
        self.views: dict[str, View] = {}
        for name, buffer in program.buffers.items():
            if buffer.part_of is not None:
                self.views[name] = View(self.views[buffer.part_of].values, buffer.offset, buffer)
            elif share is not None and buffer.role in SHARED:
                self.views[name] = share.views[name]
            else:
                self.views[name] = View([0.0] * buffer.size, 0, buffer)

    def get(self, name: str) -> list[float]:
        return self.views[name].get()

    def put(self, name: str, elements: list[float]) -> None:
        self.views[name].put(elements)


def _scalars(program: StepProgram) -> Scalars:
    rate = LEARNING_RATES[program.optimizer]
    return Scalars(rate, rate, 1 - rate * program.weight_decay, program.weight_decay)
