"""A step program bound to compiled loops: flat arrays, a table of operations, and one call for many steps.

The compiled code runs with the GIL released.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.numba import updates
from tuisim.backends.numba.clock import has_tick_counter, start_clock, tick_seconds
from tuisim.backends.numba.compiler import shared_compiler
from tuisim.backends.numba.step import BEGIN, END, LOSS, MIDDLE, SPAN, make
from tuisim.backends.numba.table import PHASE, PHASES, CompiledBuffers, constants, table
from tuisim.backends.numpy import NumpyStep
from tuisim.backends.protocol import Array, BoundStep, PhaseSeconds, Rows, UpdateScalars, check_batches, check_data
from tuisim.backends.subnormals import flushing
from tuisim.config.choices import LEARNING_RATES
from tuisim.program import Phase, Role, StepProgram

Span = NDArray[np.uint64]
_UNTIMED: Span = np.zeros(0, np.uint64)


class CompiledStep(BoundStep):
    """A bound step; see BoundStep for its methods."""

    def __init__(self, program: StepProgram, share: CompiledStep | None = None) -> None:
        self.program = program
        self._entry = shared_compiler.entry(program.dtype, make)
        start_clock()
        self._buffers: CompiledBuffers = CompiledBuffers(program, share._buffers if share is not None else None)
        self._arrays = self._buffers.views
        self._table, self._constants = table(program, self._buffers), constants(program)
        self._scalars: NDArray[np.float64] = np.zeros(updates.SCALARS) if share is None else share._scalars
        if share is None:
            self._scalars[[updates.POWER1, updates.POWER2]] = 1.0
            self.set_learning_rate(LEARNING_RATES[program.optimizer])
        phases = [op.phase for op in program.ops]
        # The operations of a phase are adjacent; the loss is checked after them.
        ends = {phase: (phases.index(phase), phases.index(phase) + phases.count(phase)) for phase in Phase if phase in phases}
        self._phases = {phase: self._span(*ends.get(phase, (0, 0))) for phase in Phase}
        self._whole = self._span(0, len(program.ops), ends[Phase.LOSS][1])
        self._data: tuple[Array, Array, Array] | None = None
        self._flushing = flushing(program.flushes)

    def _span(self, begin: int, end: int, middle: int | None = None) -> Span:
        """Return the span from operation `begin` to `end`; the loss is checked before `middle`, by default at the end."""
        span = np.zeros(SPAN, np.uint64)
        span[[BEGIN, MIDDLE, END, LOSS]] = begin, end if middle is None else middle, end, self._buffers.offsets["loss"]
        return span

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the dataset; rows that are not contiguous are copied."""
        check_data(self.program, inputs, targets)
        if targets.ndim == 1:
            self._data = _fixed(inputs), _fixed(np.zeros((0, 0), inputs.dtype)), _fixed(targets)
        else:
            self._data = _fixed(inputs), _fixed(targets), _fixed(np.zeros(0, np.int64))

    def run(self, rows: Rows) -> list[float]:
        """Run steps; see `BoundStep.run`."""
        self._check_schedule(len(rows) // self.program.batch)
        return self._call(self._whole, rows)

    def _check_schedule(self, steps: int) -> None:
        """Raise ValueError if the schedule needs a length and has none."""
        if self.program.schedule.varies and steps:
            self.program.schedule.factor(int(self._scalars[updates.STEPS]) + steps - 1)

    def _call(self, span: Span, rows: Rows, times: Span = _UNTIMED, operations: Span | None = None) -> list[float]:
        check_batches(self.program, rows, self._data is not None)
        assert self._data is not None
        buffers, losses = self._buffers, np.empty(len(rows) // self.program.batch)
        order = _fixed(np.asarray(rows, np.int64))
        table = self._table if operations is None else operations
        with self._flushing:
            made = self._entry(
                table, span, buffers.own, buffers.shared, buffers.integers, self._scalars, self._constants,
                *self._data, order, losses, times,
            )  # fmt: skip
        if made < 0:
            raise TypeError(f"no compiled loop for operation code {-1 - made}")
        found: list[float] = losses[:made].tolist()
        return found

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """Run and time one step; see `BoundStep.run_timed`."""
        self._check_schedule(1)
        if has_tick_counter:
            times = np.zeros(len(PHASES), np.uint64)
            (loss,) = self._call(self._whole, rows, times)
            seconds = [ticks * tick_seconds() for ticks in times.tolist()] if np.isfinite(loss) else []
        else:
            loss, seconds = self._time_calls(self._phases.items(), rows)
        return loss, dict(zip(PHASES, seconds, strict=bool(seconds)))

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """Run and time one step; see `BoundStep.run_by_operation`."""
        self._check_schedule(1)
        if not has_tick_counter:
            spans = [(op.phase, self._span(number, number + 1)) for number, op in enumerate(self.program.ops)]
            return self._time_calls(spans, rows)
        # Ticks are added up by the phase column of the table: here each operation is a phase of its own.
        table, times = self._table.copy(), np.zeros(len(self._table), np.uint64)
        table[:, PHASE] = np.arange(len(table))
        (loss,) = self._call(self._whole, rows, times, table)
        tick = tick_seconds()
        return loss, [ticks * tick for ticks in times.tolist()] if np.isfinite(loss) else []

    def _time_calls(self, spans: Iterable[tuple[Phase, Span]], rows: Rows) -> tuple[float, list[float]]:
        """Time one call per span, without the time of an empty call, which may exceed that of a small phase."""
        empty = self._span(0, 0)
        overhead = min(self._seconds(empty, rows) for _ in range(3))
        seconds: list[float] = []
        for phase, span in spans:
            if phase is Phase.BACKWARD and not np.isfinite(self._loss):
                return self._loss, []
            seconds.append(max(self._seconds(span, rows) - overhead, 0.0))
        return self._loss, seconds

    def _seconds(self, span: Span, rows: Rows) -> float:
        start = perf_counter()
        self._call(span, rows)
        return perf_counter() - start

    def evaluate(self, rows: Rows) -> float:
        """Evaluate one batch; see `BoundStep.evaluate`."""
        (loss,) = self._call(self._whole, rows)
        return loss

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of all steps that share these parameters."""
        self._scalars[[updates.GIVEN, updates.RATE]] = rate
        self._scalars[updates.DECAY_FACTOR] = 1.0 - rate * self.program.weight_decay

    def scalars(self) -> UpdateScalars:
        """Return the scalars of the update."""
        rate, first, second, steps = self._scalars[[updates.GIVEN, updates.POWER1, updates.POWER2, updates.STEPS]].tolist()
        return UpdateScalars(rate, (first, second), int(steps), self.flushed)

    def restore_scalars(self, scalars: UpdateScalars) -> None:
        """Set the scalars of the update."""
        self.set_learning_rate(scalars.learning_rate)
        places = [updates.POWER1, updates.POWER2, updates.STEPS, updates.FLUSHED]
        self._scalars[places] = *scalars.powers, scalars.steps, scalars.flushed

    @property
    def flushed(self) -> int:
        """The count of optimizer state numbers flushed to 0."""
        return int(self._scalars[updates.FLUSHED])

    @property
    def _loss(self) -> float:
        return float(self._arrays["loss"])


def _fixed(values: Array) -> Array:
    """Return `values` contiguous and read-only: the types that the step was compiled for."""
    fixed = np.require(values, requirements=["C", "A"]).view()
    fixed.flags.writeable = False
    return fixed


class BlasStep(NumpyStep):
    """A step of the NumPy backend, where compiled loops would take longer.

    A training step shares the arrays of other such steps; an evaluation of a compiled step copies its parameters each time.
    """

    def __init__(self, program: StepProgram, share: BlasStep | CompiledStep | None = None) -> None:
        self._compiled = share if isinstance(share, CompiledStep) else None
        if self._compiled is not None and program.learning:
            raise TypeError("a training step on BLAS cannot share a compiled step's arrays")
        super().__init__(program, share if isinstance(share, BlasStep) else None)

    def evaluate(self, rows: Rows) -> float:
        """Evaluate one batch; see `BoundStep.evaluate`."""
        if self._compiled is not None:
            super().write("parameters", self._compiled.read("parameters"))
        return super().evaluate(rows)

    def read(self, name: str, at: Any = ...) -> Array:
        """Return a copy of a buffer, or of the part of it at the index `at`."""
        found: Array = self._owner(name).read(name, at)
        return found

    def write(self, name: str, values: Array) -> None:
        """Copy values into a buffer."""
        self._owner(name).write(name, values)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of all steps that share these parameters."""
        owner: Any = self._compiled or super()
        owner.set_learning_rate(rate)

    def _owner(self, name: str) -> Any:
        """Return the compiled step that a buffer belongs to, or else this one as a NumPy step."""
        return (self._compiled if self.program.buffers[name].role is Role.PARAMETER else None) or super()
