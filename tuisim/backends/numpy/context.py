"""The context in which kernels are created: the arrays of a bound step, constants and scratch space.

Large elementwise work is split into tiles of rows that stay in a core's own cache over several passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from tuisim.backends.op_timing import Call, OpCall
from tuisim.backends.protocol import Array, UpdateScalars
from tuisim.backends.subnormals import flushing
from tuisim.config.choices import LEARNING_RATES
from tuisim.program import Kind, Op, Phase, StepProgram

TILE = 32_768
"""Elements of a tile: 128 KiB of float32. Measured: two passes over 1 MB take 0.14 ms in such tiles and 0.18 ms whole."""


class NumpyScalars:
    """The scalars of an update that change from step to step, as 0-d arrays that prepared calls refer to."""

    def __init__(self, program: StepProgram) -> None:
        self._hyper = program.hyperparameters
        self._weight_decay = program.weight_decay
        self.learning_rate = np.zeros((), program.dtype)
        self.decay_factor = np.zeros((), program.dtype)
        """1 − αλ of AdamW."""
        self.adam_rate = np.zeros((), program.dtype)
        self.adam_epsilon = np.zeros((), program.dtype)
        self._powers = [1.0, 1.0]
        self._schedule = program.schedule
        self._steps = 0
        self._given = self._rate = 0.0
        self.flushed = 0
        """Numbers of the optimizer state flushed to 0 so far because they became subnormal."""
        self.set_learning_rate(LEARNING_RATES[program.optimizer])

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate that the schedule multiplies."""
        self._given = rate
        self._set(rate)

    def values(self) -> tuple[float, tuple[float, float], int, int]:
        """Return the values of `UpdateScalars`."""
        return self._given, (self._powers[0], self._powers[1]), self._steps, self.flushed

    def restore(self, scalars: UpdateScalars) -> None:
        """Set the scalars as they were after a step."""
        self.set_learning_rate(scalars.learning_rate)
        self._powers, self._steps, self.flushed = list(scalars.powers), scalars.steps, scalars.flushed

    def follow_schedule(self) -> None:
        """Set the learning rate of the next step by the schedule."""
        self._set(self._given * self._schedule.factor(self._steps))
        self._steps += 1

    def _set(self, rate: float) -> None:
        self._rate = rate
        with np.errstate(over="ignore"):  # beyond the dtype it becomes inf, and the run reports divergence
            self.learning_rate[...] = rate
            self.decay_factor[...] = 1.0 - rate * self._weight_decay

    def correct_bias(self) -> None:
        """Compute Adam's scalars of the next step in double precision: αₜ = α√(1−β₂ᵗ)/(1−β₁ᵗ), εₜ = ε√(1−β₂ᵗ)."""
        powers, hyper = self._powers, self._hyper
        powers[0] *= hyper["beta1"]
        powers[1] *= hyper["beta2"]
        root = math.sqrt(1.0 - powers[1])
        self.adam_rate[...] = self._rate * root / (1.0 - powers[0])
        self.adam_epsilon[...] = hyper["epsilon"] * root


class KernelContext:
    """Arrays, scalars, constants and scratch space of one bound step."""

    def __init__(self, program: StepProgram, arrays: dict[str, Array], scalars: NumpyScalars) -> None:
        self.program = program
        self.flushing = flushing(program.flushes)
        self.arrays = arrays
        self.scalars = scalars
        self.squares: Array = np.zeros(())
        """The squared gradient norm, in double precision: in float32 that of 1e20 would be inf."""
        self.total: Array = np.zeros(())
        """The sum of the terms of the loss, in double precision."""
        self._constants: dict[float, Array] = {}
        self._scratch: dict[tuple[tuple[int, ...], str, int], Array] = {}
        self._filled: dict[tuple[tuple[int, ...], float], Array] = {}

    def ops(self, phase: Phase) -> tuple[Op, ...]:
        """Return the operations of one phase."""
        return tuple(op for op in self.program.ops if op.phase is phase)

    def operands(self, op: Op) -> list[Array]:
        """Return the arrays that an operation reads, then those that it writes."""
        return [self.arrays[name] for name in (*op.reads, *op.writes)]

    def calls(self, *steps: Call | tuple[Any, ...]) -> list[Call]:
        """Prepare calls given as (function, input…, output), where an input may be a number; other calls stay as they are."""
        made: list[Call] = []
        for step in steps:
            if isinstance(step, tuple):
                function, *inputs, out = step
                # These two take three times as long with a 0-d operand, and take their output as a keyword.
                is_limit = function is np.maximum or function is np.minimum
                for place, value in enumerate(inputs):
                    if not isinstance(value, np.ndarray):
                        inputs[place] = self.filled(out.shape, value) if is_limit else self.constant(value)
                made.append(partial(function, *inputs, out=out) if is_limit else partial(function, *inputs, out))
            else:
                made.append(step)
        return made

    def constant(self, value: float) -> Array:
        """Return `value` as a 0-d array of the program's dtype, which needs no conversion per call."""
        if value not in self._constants:
            self._constants[value] = np.array(value, self.program.dtype)
        return self._constants[value]

    def scratch(self, shape: tuple[int, ...], dtype: str | None = None, slot: int = 0) -> Array:
        """Return an array that any kernel may overwrite, one per shape, dtype and slot."""
        key = (shape, dtype or self.program.dtype, slot)
        if key not in self._scratch:
            self._scratch[key] = np.zeros(key[0], key[1])
        return self._scratch[key]

    def filled(self, shape: tuple[int, ...], value: float) -> Array:
        """Return an array filled with `value`."""
        if (shape, value) not in self._filled:
            self._filled[shape, value] = np.full(shape, value, self.program.dtype)
        return self._filled[shape, value]


Kernels = Mapping[Kind, Callable[[KernelContext, Op], list[Call]]]


def phase_calls(ctx: KernelContext, phase: Phase, kernels: Kernels) -> list[OpCall]:
    """Return the calls of one phase."""
    return [(op, call) for op in ctx.ops(phase) for call in kernels[op.kind](ctx, op)]


def tiles(rows: int, width: int) -> Iterator[slice]:
    """Yield slices of rows with at most TILE elements each, and at least one row."""
    step = max(1, TILE // width)
    for first in range(0, rows, step):
        yield slice(first, min(rows, first + step))


def sum_up(ctx: KernelContext, values: Array, out: Array, squared: bool = False) -> list[Call]:
    """Write Σ of the flat `values`, or of their squares, to `out`, in double precision.

    A dot product with ones takes half the time of `add.reduce`, including the conversion to float64.
    """
    parts = list(tiles(values.size, 1))
    sums = np.zeros(len(parts))
    made: list[Call] = []
    for place, part in enumerate(parts):
        into = out if len(parts) == 1 else sums[place, ...]
        wide, widening = widened(ctx, values[part])
        made += [*widening, partial(np.dot, wide, wide if squared else np.ones(wide.size), into)]
    if len(parts) > 1:
        made.append(partial(np.add.reduce, sums, 0, None, out))
    return made


def widened(ctx: KernelContext, values: Array) -> tuple[Array, list[Call]]:
    """Return `values` as float64, and the calls that convert them."""
    if values.dtype == np.float64:
        return values, []
    wide = ctx.scratch(values.shape, "float64")
    return wide, [partial(np.copyto, wide, values)]
