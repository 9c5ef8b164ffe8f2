"""A step program bound to Python lists and executed operation by operation, with a tally for each.

Nothing is fused and nothing is skipped.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.backends.op_timing import time_phases
from tuisim.backends.protocol import Array, BoundStep, PhaseSeconds, Rows
from tuisim.backends.scalar import kernels, updates
from tuisim.backends.scalar.buffers import ScalarBuffers, ScalarTally
from tuisim.program import Kind, Op, Phase, StepProgram

KERNELS = kernels.KERNELS | updates.KERNELS
"""The kernels of this backend, of all kinds but GATHER, which computes nothing."""


class ScalarStep(BoundStep):
    """A bound step; see BoundStep for its methods. Values are doubles whatever the dtype."""

    def __init__(self, program: StepProgram, share: ScalarStep | None = None) -> None:
        self.program = program
        self._buffers: ScalarBuffers = ScalarBuffers(program, share._buffers if share is not None else None)
        self._scalars = self._buffers.scalars
        self._data: tuple[Array, Array] | None = None
        self.tallies: tuple[ScalarTally, ...] = tuple(ScalarTally() for _ in program.ops)
        """The operations executed so far, for each operation of the program in its order."""

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the dataset."""
        self._data = inputs, targets

    def run(self, rows: Rows) -> list[float]:
        """Run steps; see `BoundStep.run`."""
        losses: list[float] = []
        for first in range(0, len(rows), self.program.batch):
            self._do(rows[first : first + self.program.batch], Phase.DATA, Phase.FORWARD, Phase.LOSS)
            losses.append(self._loss)
            if not math.isfinite(losses[-1]):
                break
            self._do(rows, Phase.BACKWARD, Phase.UPDATE)
        return losses

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """Run and time one step; see `BoundStep.run_timed`."""
        return time_phases(lambda phase: self._do(rows, phase), lambda: self._loss)

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """Run and time one step; see `BoundStep.run_by_operation`."""
        seconds: list[float] = []
        for op, tally in zip(self.program.ops, self.tallies, strict=True):
            if op.phase is Phase.BACKWARD and not math.isfinite(self._loss):
                return self._loss, []
            start = perf_counter()
            self._execute(op, rows, tally)
            seconds.append(perf_counter() - start)
        return self._loss, seconds

    def evaluate(self, rows: Rows) -> float:
        """Evaluate one batch; see `BoundStep.evaluate`."""
        self._do(rows, Phase.DATA, Phase.FORWARD, Phase.LOSS)
        return self._loss

    def read(self, name: str, at: Any = ...) -> Array:
        """Return a copy of a buffer, or of the part of it at the index `at`."""
        buffer = self.program.buffers[name]
        values = np.array(self._buffers.get(name), np.int64 if buffer.integer else np.float64).reshape(buffer.shape)
        return np.array(values[at])

    def write(self, name: str, values: Array) -> None:
        """Copy values into a buffer."""
        self._buffers.put(name, [float(value) for value in np.ravel(values)])

    @property
    def _loss(self) -> float:
        return self._buffers.get("loss")[0]

    def _do(self, rows: Rows, *phases: Phase) -> None:
        for op, tally in zip(self.program.ops, self.tallies, strict=True):
            if op.phase in phases:
                self._execute(op, rows, tally)

    def _execute(self, op: Op, rows: Rows, tally: ScalarTally) -> None:
        if op.kind is not Kind.GATHER:
            KERNELS[op.kind](op, self._buffers, tally)
        elif self._data is None:
            raise RuntimeError("attach the data before running steps")
        else:
            for name, values in zip(op.writes, self._data, strict=True):
                self.write(name, values[rows])
