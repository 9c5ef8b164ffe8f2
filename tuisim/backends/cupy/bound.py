"""A step program bound to the GPU: launches are prepared once, and whole chunks of steps are launched without waiting.

The host waits once per chunk, to read the losses. After a loss that is not finite, kernels leave gradients and parameters
unchanged for the rest of the chunk; the losses tell which step it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.backends.cupy.buffers import CupyBuffers
from tuisim.backends.cupy.gpu import Gpu
from tuisim.backends.cupy.gpu_thread import gpu_thread
from tuisim.backends.cupy.launches import Launches
from tuisim.backends.cupy.scalars import CupyScalars
from tuisim.backends.op_timing import OpCall, seconds_by_op
from tuisim.backends.protocol import Array, BoundStep, PhaseSeconds, Rows, UpdateScalars, check_batches, check_data
from tuisim.program import Op, Phase, StepProgram

TIMED_LAUNCHES = 512
"""The queue of the driver holds more launches than these."""


class CupyStep(BoundStep):
    """A bound step; see BoundStep for its methods. Any thread may call them; they are executed on the GPU's thread."""

    def __init__(self, program: StepProgram, share: CupyStep | None = None) -> None:
        self.program = program
        self._thread = gpu_thread()
        self._scalars: CupyScalars = CupyScalars(program) if share is None else share._scalars
        self._uploaded = (-1, 0)
        """The scalars on the GPU: their version and number of steps."""
        self._loss = 0.0
        self._attached: tuple[Any, Any] | None = None
        self._thread.do(lambda gpu: self._bind(gpu, share))

    def _bind(self, gpu: Gpu, share: CupyStep | None) -> None:
        program = self.program
        self._buffers: CupyBuffers = CupyBuffers(gpu, program, None if share is None else share._buffers)
        self._launches = launches = Launches(gpu, program, self._buffers)
        self._phases: dict[Phase, list[OpCall]] = {
            Phase.DATA: [],
            Phase.FORWARD: launches.forward(),
            Phase.LOSS: launches.loss(),
            Phase.BACKWARD: launches.backward() if program.learning else [],
            Phase.UPDATE: launches.update() if program.learning else [],
        }

    def _calls(self, *phases: Phase) -> list[OpCall]:
        return [call for phase in phases for call in self._phases[phase]]

    # ── data ──

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the dataset. Writable arrays are copied to the GPU each time, others once."""
        check_data(self.program, inputs, targets)
        self._thread.do(lambda gpu: self._attach(gpu, inputs, targets))

    def _attach(self, gpu: Gpu, inputs: Array, targets: Array) -> None:
        uploads = self._buffers.common.uploads
        if not uploads.has(inputs, targets):
            self._phases[Phase.DATA], self._attached = [], None  # may free the previous rows
        arrays = uploads.upload(gpu, inputs), uploads.upload(gpu, targets)
        if self._attached is None or any(new is not old for new, old in zip(arrays, self._attached, strict=True)):
            self._phases[Phase.DATA], self._attached = self._launches.data(*arrays), arrays

    # ── running ──

    def run(self, rows: Rows) -> list[float]:
        """Run steps; see `BoundStep.run`."""
        check_batches(self.program, rows, self._attached is not None)
        return self._thread.do(lambda gpu: self._run(gpu, rows))

    def _run(self, gpu: Gpu, rows: Rows) -> list[float]:
        found: list[float] = []
        chunk = self._buffers.steps * self.program.batch
        for first in range(0, len(rows), chunk):
            found += self._run_chunk(gpu, rows[first : first + chunk])
            if not math.isfinite(found[-1]):
                break
        return found

    def _run_chunk(self, gpu: Gpu, rows: Rows) -> list[float]:
        steps = len(rows) // self.program.batch
        self._prepare(rows, steps)
        step = self._calls(*Phase)
        # Only the first steps are timed: once the queue is full, launching waits for the GPU.
        timed = max(1, min(steps, TIMED_LAUNCHES // len(step)))
        begin = perf_counter()
        _launch(step, timed)
        self._thread.add_launches(timed, perf_counter() - begin)
        _launch(step, steps - timed)
        losses: list[float] = self._buffers.losses[:steps].get().tolist()
        return self._settle(gpu, losses)

    def _prepare(self, rows: Rows, steps: int) -> None:
        """Copy the row order and the scalars of the next steps to the GPU."""
        buffers = self._buffers
        buffers.order[: len(rows)].set(np.ascontiguousarray(rows, np.int64))
        buffers.common.step.fill(0)
        if self.program.learning:
            version = self._scalars.version  # read first: another thread may set a new learning rate at any time
            if self._uploaded[0] != version or self._uploaded[1] < steps:
                with np.errstate(over="ignore"):  # beyond the dtype they become inf, and the run reports divergence
                    values = self._scalars.ahead(steps).astype(self.program.dtype)
                buffers.scalars[:steps].set(values)
                self._uploaded = version, steps

    def _settle(self, gpu: Gpu, losses: list[float]) -> list[float]:
        """Return the losses up to the first that is not finite; restore the activations of that step."""
        stop = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), None)
        self._scalars.advance(len(losses) if stop is None else stop)
        if stop is not None:
            losses = losses[: stop + 1]
            self._buffers.stopped.fill(0)
            gpu.put(self._buffers.common.step, stop)
            _launch(self._calls(Phase.DATA, Phase.FORWARD, Phase.LOSS), 1)
            self._buffers.stopped.fill(0)
            gpu.wait()
        self._loss = losses[-1]
        return losses

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """Run and time one step by the clock of the GPU; see `BoundStep.run_timed`."""
        check_batches(self.program, rows, self._attached is not None)
        loss, seconds = self._thread.do(lambda gpu: self._time(gpu, rows, list(self._phases.values())))
        return loss, dict(zip(self._phases, seconds, strict=bool(seconds)))

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """Run and time one step by the clock of the GPU; see `BoundStep.run_by_operation`."""
        check_batches(self.program, rows, self._attached is not None)
        step = self._calls(*Phase)
        loss, seconds = self._thread.do(lambda gpu: self._time(gpu, rows, [[call] for call in step]))
        if not seconds:
            return loss, []
        found: dict[Op, float] = {}
        for (op, _), spent in zip(step, seconds, strict=True):
            found[op] = found.get(op, 0.0) + spent
        return loss, seconds_by_op(self.program, found)

    def _time(self, gpu: Gpu, rows: Rows, groups: Sequence[Sequence[OpCall]]) -> tuple[float, list[float]]:
        """Run one step; return its loss and the seconds of each group of calls, empty if the loss is not finite."""
        self._prepare(rows, 1)
        events = gpu.events_for(len(groups) + 1)
        events[0].record()
        for group, event in zip(groups, events[1:], strict=True):
            _launch(group, 1)
            event.record()
        (loss,) = self._settle(gpu, self._buffers.losses[:1].get().tolist())
        return loss, [gpu.seconds_between(*ends) for ends in pairwise(events)] if math.isfinite(loss) else []

    def evaluate(self, rows: Rows) -> float:
        """Evaluate one batch; see `BoundStep.evaluate`."""
        check_batches(self.program, rows, self._attached is not None)
        return self._thread.do(lambda gpu: self._evaluate(rows))

    def _evaluate(self, rows: Rows) -> float:
        self._prepare(rows, 1)
        _launch(self._calls(Phase.DATA, Phase.FORWARD, Phase.LOSS), 1)
        (self._loss,) = self._buffers.losses[:1].get().tolist()
        self._buffers.stopped.fill(0)
        return self._loss

    # ── buffers ──

    def read(self, name: str, at: Any = ...) -> Array:
        """Return a host copy of a buffer, or of the part of it at the index `at`."""
        if name == "loss":
            return np.array(self._loss)

        def part(_: object) -> Array:
            array = self._buffers.arrays[name]
            found: Array = (array if at is ... else array[at]).get()
            return found

        return self._thread.do(part)

    def write(self, name: str, values: Array) -> None:
        """Copy host values into a buffer."""
        array = self._buffers.arrays[name]
        host = np.ascontiguousarray(np.broadcast_to(values, array.shape), array.dtype)
        self._thread.do(lambda gpu: array.set(host))

    def scalars(self) -> UpdateScalars:
        """Return the scalars of the update."""
        return UpdateScalars(*self._scalars.values(), self.flushed)

    def restore_scalars(self, scalars: UpdateScalars) -> None:
        """Set the scalars of the update."""
        self._scalars.restore(scalars)
        counts = np.zeros(self._buffers.common.flushed.shape, np.int64)
        counts[0] = scalars.flushed
        self._thread.do(lambda gpu: self._buffers.common.flushed.set(counts))

    @property
    def flushed(self) -> int:
        """The count of optimizer state numbers flushed to 0."""
        return self._thread.do(lambda gpu: int(self._buffers.common.flushed.get().sum()))


def _launch(step: Sequence[OpCall], times: int) -> None:
    for _ in range(times):
        for _, call in step:
            call()
