"""A step program bound to NumPy arrays: every buffer made once, every call ready, the step a loop over them.

Parameters, gradients and optimizer state are one flat array each, so an update is one pass, and the per-layer names are
views into them. Nothing is allocated while steps run.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.checks import check_data
from tuisim.backends.labels import Call, Labelled, by_operation, calls, timed
from tuisim.backends.numpy import layers, losses, updates
from tuisim.backends.numpy.site import Scalars, Site
from tuisim.backends.protocol import Array, PhaseSeconds, Rows
from tuisim.program import Kind, Phase, Role, StepProgram

_SHARED = (Role.PARAMETER, Role.GRADIENT, Role.OPTIMIZER)


class NumpyStep:
    """`program` ready to run; see BoundStep for what each method promises."""

    def __init__(self, program: StepProgram, share: NumpyStep | None = None) -> None:
        self.program = program
        self._arrays = _allocate(program, share)
        self._scalars: Scalars = share._scalars if share is not None else Scalars(program)
        site = Site(program, self._arrays, self._scalars)
        self._flushing = site.flushing
        self._total = site.total
        self._labelled: list[Labelled] = []
        """All but the gathering, in order."""
        self._forward = self._calls(layers.forward(site))
        self._loss = self._calls(losses.calls(site))
        self._backward = self._calls(layers.backward(site)) if program.learning else []
        self._update = self._calls(updates.calls(site)) if program.learning else []
        self._before = [*self._forward, *self._loss]
        self._after = [*self._backward, *self._update]
        # A loss kernel leaves the sum over its terms, in double precision; the mean is one multiplication on the way out.
        self._loss_scale = 1.0 / (program.batch * (1 if program.loss == "cross_entropy" else program.layers[-1]))
        self._gather = self._no_data

    def _calls(self, labelled: list[Labelled]) -> list[Call]:
        self._labelled += labelled
        return calls(labelled)

    def attach(self, inputs: Array, targets: Array) -> None:
        check_data(self.program, inputs, targets)
        x, y = self._arrays["X"], self._arrays["Y"]
        take_inputs, take_targets = inputs.take, targets.take

        def gather(rows: Rows) -> None:
            # mode "clip" writes straight into the buffer; "raise" would go through a copy of it.
            take_inputs(rows, 0, x, "clip")
            take_targets(rows, 0, y, "clip")

        self._gather = gather

    @staticmethod
    def _no_data(rows: Rows) -> None:
        raise RuntimeError("attach the data before running steps")

    def run(self, rows: Rows) -> list[float]:
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
                if loss - loss != 0.0:  # inf or nan, for the price of one subtraction
                    break
                for call in after:
                    call()
        return found

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        with np.errstate(all="ignore"), self._flushing:
            start = perf_counter()
            self._gather(rows)
            gathered = perf_counter()
            _all(self._forward)
            forward = perf_counter()
            _all(self._loss)
            loss = self._mean()
            lost = perf_counter()
            if loss - loss != 0.0:
                return loss, {}
            _all(self._backward)
            backward = perf_counter()
            _all(self._update)
            end = perf_counter()
        return loss, {
            Phase.DATA: gathered - start,
            Phase.FORWARD: forward - gathered,
            Phase.LOSS: lost - forward,
            Phase.BACKWARD: backward - lost,
            Phase.UPDATE: end - backward,
        }

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        gather, before = self.program.ops[0], len(self._before)
        with np.errstate(all="ignore"), self._flushing:
            seconds = timed([(gather, lambda: self._gather(rows)), *self._labelled[:before]])
            loss = self._mean()
            if loss - loss != 0.0:
                return loss, []
            seconds |= timed(self._labelled[before:])
        return loss, by_operation(self.program, seconds)

    def evaluate(self, rows: Rows) -> tuple[float, int | None]:
        with np.errstate(all="ignore"), self._flushing:
            self._gather(rows)
            _all(self._before)
            loss = self._mean()
        correct = self._arrays.get("correct")
        return loss, None if correct is None else int(correct)

    def _mean(self) -> float:
        """The loss, rounded to the program's dtype, so that what lies beyond it is inf and found."""
        loss = self._arrays["loss"]
        loss[...] = self._total.item() * self._loss_scale
        mean: float = loss.item()
        return mean

    def read(self, name: str) -> Array:
        return self._arrays[name].copy()

    def write(self, name: str, values: Array) -> None:
        self._arrays[name][...] = values

    def set_learning_rate(self, rate: float) -> None:
        self._scalars.set_learning_rate(rate)

    @property
    def flushed(self) -> int:
        return self._scalars.flushed


def _all(calls: list[Call]) -> None:
    for call in calls:
        call()


def _allocate(program: StepProgram, share: NumpyStep | None) -> dict[str, NDArray[Any]]:
    """Every buffer of the program; the parts of a flat one are views of it."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, buffer in program.buffers.items():
        if buffer.part_of is not None:
            flat = arrays[buffer.part_of]
            arrays[name] = flat[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)
        elif share is not None and buffer.role in _SHARED:
            arrays[name] = share._arrays[name]
        else:
            # Zeros, not empty: a buffer that nothing has written yet must not hold somebody's old numbers.
            arrays[name] = np.zeros(buffer.shape, np.int64 if buffer.integer else program.dtype)
    return arrays


KERNELS: dict[Kind, Callable[..., list[Call]]] = layers.KERNELS | losses.KERNELS | updates.KERNELS
"""Every kind of operation this backend can run, but gathering, which is `attach`'s."""
