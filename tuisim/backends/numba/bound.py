"""A step program bound to compiled loops: flat arrays, a table of operations, and one call for many steps.

Python is in it once per call, not once per step, and the interpreter is free for others meanwhile.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.checks import check_batches, check_data
from tuisim.backends.numba import updates
from tuisim.backends.numba.clock import rate, ticking
from tuisim.backends.numba.compiler import machine
from tuisim.backends.numba.step import BEGIN, END, LOSS, MIDDLE, RUNS, SPAN, make
from tuisim.backends.numba.table import PHASE, PHASES, Memory, constants, table
from tuisim.backends.protocol import Array, PhaseSeconds, Rows
from tuisim.backends.subnormals import Flushing
from tuisim.config.choices import LEARNING_RATES
from tuisim.program import Phase, StepProgram

Span = NDArray[np.uint64]
_UNTIMED: Span = np.zeros(0, np.uint64)


class CompiledStep:
    """`program` ready to run; see BoundStep for what each method promises."""

    note: str | None = None
    """Where a step is not done by compiled loops it says so here."""

    def __init__(self, program: StepProgram, share: CompiledStep | None = None) -> None:
        self.program = program
        missing = {op.kind for op in program.ops} - RUNS
        if missing:
            raise TypeError(f"no compiled loop for {', '.join(sorted(missing))}")
        self._entry = machine.entry(program.dtype, make)
        rate.begin()
        self._memory: Memory = Memory(program, share._memory if share is not None else None)
        self._table, self._constants = table(program, self._memory), constants(program)
        self._scalars: NDArray[np.float64] = np.zeros(updates.SCALARS) if share is None else share._scalars
        if share is None:
            self._scalars[[updates.POWER1, updates.POWER2]] = 1.0
            self.set_learning_rate(LEARNING_RATES[program.optimizer])
        self._phases = {phase: self._phase(phase) for phase in Phase}
        self._whole = self._span(0, self._phases[Phase.LOSS][END].item(), len(program.ops))
        self._nothing = self._span(0, 0, 0)
        self._data: tuple[Array, Array, Array] | None = None
        self._flushing = Flushing(program.flushes)

    def _span(self, begin: int, middle: int, end: int) -> Span:
        span = np.zeros(SPAN, np.uint64)
        span[[BEGIN, MIDDLE, END, LOSS]] = begin, middle, end, self._memory.offsets["loss"]
        return span

    def _phase(self, phase: Phase) -> Span:
        """The operations of one phase, which lie together; the loss is looked at after them."""
        numbers = [number for number, op in enumerate(self.program.ops) if op.phase is phase]
        end = numbers[-1] + 1 if numbers else 0
        return self._span(end - len(numbers), end, end)

    def attach(self, inputs: Array, targets: Array) -> None:
        """As the protocol says; rows that do not lie one after another in memory are copied so that they do."""
        check_data(self.program, inputs, targets)
        x = self._memory.views["X"]
        if targets.ndim == 1:
            self._data = _fixed(inputs), _fixed(np.zeros((0, 0), x.dtype)), _fixed(targets)
        else:
            self._data = _fixed(inputs), _fixed(targets), _fixed(np.zeros(0, np.int64))

    def run(self, rows: Rows) -> list[float]:
        self._check_schedule(len(rows) // self.program.batch)
        return self._call(self._whole, rows)

    def _check_schedule(self, steps: int) -> None:
        """Raises ValueError where the schedule has no length to go by, as the schedule itself does."""
        if self.program.schedule.moves and steps:
            self.program.schedule.factor(int(self._scalars[updates.STEPS]) + steps - 1)

    def _call(self, span: Span, rows: Rows, times: Span = _UNTIMED, operations: Span | None = None) -> list[float]:
        check_batches(self.program, rows, self._data is not None)
        assert self._data is not None
        memory, losses = self._memory, np.empty(len(rows) // self.program.batch)
        order = _fixed(np.asarray(rows, np.int64))
        table = self._table if operations is None else operations
        with self._flushing:
            made = self._entry(
                table, span, memory.own, memory.shared, memory.integers, self._scalars, self._constants,
                *self._data, order, losses, times,
            )  # fmt: skip
        if made < 0:
            raise TypeError(f"no compiled loop for operation code {-1 - made}")
        found: list[float] = losses[:made].tolist()
        return found

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        self._check_schedule(1)
        if ticking:
            times = np.zeros(len(PHASES), np.uint64)
            (loss,) = self._call(self._whole, rows, times)
            tick = rate.seconds()
            seconds = {phase: ticks * tick for phase, ticks in zip(PHASES, times.tolist(), strict=True)}
        else:
            loss, seconds = self._timed_by_calls(rows)
        return loss, seconds if np.isfinite(loss) else {}

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        self._check_schedule(1)
        if not ticking:
            return self._operations_by_calls(rows)
        # Times are added up by the table's column of phases: here each operation is a phase of its own.
        table, times = self._table.copy(), np.zeros(len(self._table), np.uint64)
        table[:, PHASE] = np.arange(len(table))
        (loss,) = self._call(self._whole, rows, times, table)
        tick = rate.seconds()
        return loss, [ticks * tick for ticks in times.tolist()] if np.isfinite(loss) else []

    def _operations_by_calls(self, rows: Rows) -> tuple[float, list[float]]:
        """As `_timed_by_calls`, for each operation."""
        crossing = min(self._seconds(self._nothing, rows) for _ in range(3))
        seconds: list[float] = []
        for number, op in enumerate(self.program.ops):
            if op.phase is Phase.BACKWARD and not np.isfinite(self._loss):
                return self._loss, []
            seconds.append(max(self._seconds(self._span(number, number + 1, number + 1), rows) - crossing, 0.0))
        return self._loss, seconds

    def _timed_by_calls(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """A call per phase; since crossing into compiled code takes longer than a small phase, an empty one is taken off."""
        crossing = min(self._seconds(self._nothing, rows) for _ in range(3))
        seconds: PhaseSeconds = {}
        for phase, span in self._phases.items():
            if phase is Phase.BACKWARD and not np.isfinite(self._loss):
                break
            seconds[phase] = max(self._seconds(span, rows) - crossing, 0.0)
        return self._loss, seconds

    def _seconds(self, span: Span, rows: Rows) -> float:
        start = perf_counter()
        self._call(span, rows)
        return perf_counter() - start

    def evaluate(self, rows: Rows) -> tuple[float, int | None]:
        (loss,) = self._call(self._whole, rows)
        correct = self._memory.views.get("correct")
        return loss, None if correct is None else int(correct)

    def read(self, name: str) -> Array:
        return self._memory.views[name].copy()

    def write(self, name: str, values: Array) -> None:
        self._memory.views[name][...] = values

    def set_learning_rate(self, rate: float) -> None:
        self._scalars[[updates.GIVEN, updates.RATE]] = rate
        self._scalars[updates.DECAY_FACTOR] = 1.0 - rate * self.program.weight_decay

    @property
    def flushed(self) -> int:
        return int(self._scalars[updates.FLUSHED])

    @property
    def _loss(self) -> float:
        return float(self._memory.views["loss"])


def _fixed(values: Array) -> Array:
    """`values` in one piece and read-only, so that every call has the types that were compiled for."""
    fixed = np.require(values, requirements=["C", "A"]).view()
    fixed.flags.writeable = False
    return fixed
