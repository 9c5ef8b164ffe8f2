"""A step program bound to NumPy arrays: buffers are allocated and calls prepared once, and a step is a loop over the calls.

Parameters, gradients and optimizer state are one flat array each, so that an update is one pass; the buffers of the layers
are views of them. Nothing is allocated while steps run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuisim.backends.numpy import layers, losses, updates
from tuisim.backends.numpy.context import KernelContext, NumpyScalars, phase_calls
from tuisim.backends.op_timing import Call, seconds_by_op, time_calls, time_phases
from tuisim.backends.protocol import Array, BoundStep, PhaseSeconds, Rows, check_data
from tuisim.program import SHARED_ROLES, Kind, Phase, StepProgram


class NumpyStep(BoundStep):
    """A bound step; see BoundStep for its methods."""

    def __init__(self, program: StepProgram, share: NumpyStep | None = None) -> None:
        self.program = program
        self._arrays = {}
        for name, buffer in program.buffers.items():
            if buffer.part_of is not None:
                flat = self._arrays[buffer.part_of]
                self._arrays[name] = flat[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)
            elif share is not None and buffer.role in SHARED_ROLES:
                self._arrays[name] = share._arrays[name]
            else:  # zeros, not empty: a buffer can be read before it is written
                self._arrays[name] = np.zeros(buffer.shape, np.int64 if buffer.integer else program.dtype)
        self._scalars: NumpyScalars = share._scalars if share is not None else NumpyScalars(program)
        ctx = KernelContext(program, self._arrays, self._scalars)
        self._flushing = ctx.flushing
        self._total = ctx.total
        self._op_calls = {Phase.FORWARD: layers.forward(ctx), Phase.LOSS: phase_calls(ctx, Phase.LOSS, losses.KERNELS)}
        """All calls but those that load the batch, by phase."""
        if program.learning:
            self._op_calls[Phase.BACKWARD] = phase_calls(ctx, Phase.BACKWARD, layers.KERNELS)
            self._op_calls[Phase.UPDATE] = updates.calls(ctx)
        self._calls = {phase: [call for _, call in op_calls] for phase, op_calls in self._op_calls.items()}
        self._before = [*self._calls[Phase.FORWARD], *self._calls[Phase.LOSS]]
        self._after = [*self._calls[Phase.BACKWARD], *self._calls[Phase.UPDATE]] if program.learning else []
        # A loss kernel computes the sum over its terms in double precision; the mean is one multiplication.
        self._loss_scale = 1.0 / (program.batch * (1 if program.loss == "cross_entropy" else program.layers[-1]))
        self._gather = self._no_data

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the dataset."""
        check_data(self.program, inputs, targets)
        x, y = self._arrays["X"], self._arrays["Y"]
        take_inputs, take_targets = inputs.take, targets.take

        def gather(rows: Rows) -> None:
            # mode "clip" writes directly to the buffer; "raise" makes a copy first.
            take_inputs(rows, 0, x, "clip")
            take_targets(rows, 0, y, "clip")

        self._gather = gather

    @staticmethod
    def _no_data(rows: Rows) -> None:
        raise RuntimeError("attach the data before running steps")

    def run(self, rows: Rows) -> list[float]:
        """Run steps; see `BoundStep.run`."""
        batch, gather, before, after = self.program.batch, self._gather, self._before, self._after
        mean = self._mean
        found: list[float] = []
        with np.errstate(all="ignore"), self._flushing:
            for first in range(0, len(rows), batch):
                gather(rows[first : first + batch])
                for call in before:
                    call()
                loss = mean()
                found.append(loss)
                if loss - loss != 0.0:  # inf or nan, at the cost of one subtraction
                    break
                for call in after:
                    call()
        return found

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """Run and time one step; see `BoundStep.run_timed`."""

        def run(phase: Phase) -> None:
            if phase is Phase.DATA:
                self._gather(rows)
            else:
                for call in self._calls[phase]:
                    call()

        with np.errstate(all="ignore"), self._flushing:
            return time_phases(run, self._mean)

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """Run and time one step; see `BoundStep.run_by_operation`."""
        gather, calls = self.program.ops[0], self._op_calls
        with np.errstate(all="ignore"), self._flushing:
            seconds = time_calls([(gather, lambda: self._gather(rows)), *calls[Phase.FORWARD], *calls[Phase.LOSS]])
            loss = self._mean()
            if loss - loss != 0.0:
                return loss, []
            seconds |= time_calls([*calls[Phase.BACKWARD], *calls[Phase.UPDATE]])
        return loss, seconds_by_op(self.program, seconds)

    def evaluate(self, rows: Rows) -> float:
        """Evaluate one batch; see `BoundStep.evaluate`."""
        with np.errstate(all="ignore"), self._flushing:
            self._gather(rows)
            for call in self._before:
                call()
            return self._mean()

    def _mean(self) -> float:
        """Return the loss rounded to the program's dtype, so that values beyond it are inf and detected."""
        loss = self._arrays["loss"]
        loss[...] = self._total.item() * self._loss_scale
        mean: float = loss.item()
        return mean


KERNELS: dict[Kind, Callable[..., list[Call]]] = layers.KERNELS | losses.KERNELS | updates.KERNELS
"""The kernels of this backend, of all kinds but GATHER, which `attach` prepares."""
