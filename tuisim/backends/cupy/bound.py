"""A step program bound to the GPU: launches made once, handed over step after step with no look at what came of them.

The host waits once for each chunk, to read the losses. At a loss that is not finite the device itself leaves gradients and
parameters as they are for the rest of the chunk; which step that was is seen in the losses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.backends.checks import check_batches, check_data
from tuisim.backends.cupy.card import Card
from tuisim.backends.cupy.device import Device
from tuisim.backends.cupy.launches import Launches
from tuisim.backends.cupy.memory import Memory
from tuisim.backends.cupy.scalars import Scalars
from tuisim.backends.labels import Labelled, by_operation
from tuisim.backends.protocol import Array, PhaseSeconds, Rows
from tuisim.program import Op, Phase, StepProgram

FEW_LAUNCHES = 512
"""So many fit into the driver's queue with room to spare."""


class CupyStep:
    """`program` ready to run; see BoundStep for what each method promises. Any thread may call; the device's own does it."""

    def __init__(self, program: StepProgram, device: Device, share: CupyStep | None = None) -> None:
        self.program = program
        self._device = device
        self._scalars: Scalars = Scalars(program) if share is None else share._scalars
        self._uploaded = (-1, 0)
        """Which of the scalars lie on the device: their version and how many."""
        self._loss = 0.0
        self._data: list[Labelled] = []
        self._attached: tuple[Any, Any] | None = None
        device.do(lambda card: self._bind(card, share))

    def _bind(self, card: Card, share: CupyStep | None) -> None:
        program = self.program
        self._memory: Memory = Memory(card, program, None if share is None else share._memory)
        self._launches = launches = Launches(card, program, self._memory)
        self._forward, self._loss_calls = launches.forward(), launches.loss()
        self._backward = launches.backward() if program.learning else []
        self._update = launches.update() if program.learning else []

    # ── data ──

    def attach(self, inputs: Array, targets: Array) -> None:
        """As the protocol says; rows that may be written to are copied to the device each time, others once."""
        check_data(self.program, inputs, targets)
        self._device.do(lambda card: self._attach(card, inputs, targets))

    def _attach(self, card: Card, inputs: Array, targets: Array) -> None:
        placed = self._memory.common.placed
        if not placed.has(inputs, targets):
            self._data, self._attached = [], None  # the rows of before may have to make room
        arrays = placed.place(card, inputs), placed.place(card, targets)
        if self._attached is None or any(new is not old for new, old in zip(arrays, self._attached, strict=True)):
            self._data, self._attached = self._launches.data(*arrays), arrays

    # ── running ──

    def run(self, rows: Rows) -> list[float]:
        self._check(rows)
        return self._device.do(lambda card: self._run(card, rows))

    def _check(self, rows: Rows) -> None:
        check_batches(self.program, rows, self._attached is not None)

    def _run(self, card: Card, rows: Rows) -> list[float]:
        found: list[float] = []
        piece = self._memory.steps * self.program.batch
        for first in range(0, len(rows), piece):
            found += self._run_piece(card, rows[first : first + piece])
            if not math.isfinite(found[-1]):
                break
        return found

    def _run_piece(self, card: Card, rows: Rows) -> list[float]:
        """At most so many steps as there is room for on the device."""
        steps = len(rows) // self.program.batch
        self._prepare(rows, steps)
        step = [*self._data, *self._forward, *self._loss_calls, *self._backward, *self._update]
        # The first ones alone are timed: once so much is waiting, handing more over is waiting for the device.
        timed = max(1, min(steps, FEW_LAUNCHES // len(step)))
        begun = perf_counter()
        _hand_over(step, timed)
        self._device.launched(timed, perf_counter() - begun)
        _hand_over(step, steps - timed)
        losses: list[float] = self._memory.results[:steps].get()[:, 0].tolist()
        return self._settle(card, losses)

    def _prepare(self, rows: Rows, steps: int) -> None:
        """Everything the device needs to know of the steps to come."""
        memory = self._memory
        memory.order[: len(rows)].set(np.ascontiguousarray(rows, np.int64))
        memory.common.step.fill(0)
        if self.program.learning:
            version = self._scalars.version  # before the numbers: another thread may set a new rate any time
            if self._uploaded[0] != version or self._uploaded[1] < steps:
                with np.errstate(over="ignore"):  # what is beyond the dtype becomes inf, and the run says that it diverged
                    values = self._scalars.ahead(steps).astype(self.program.dtype)
                memory.scalars[:steps].set(values)
                self._uploaded = version, steps

    def _settle(self, card: Card, losses: list[float]) -> list[float]:
        """The losses up to the first that is no number, with the activations of that step as they were."""
        made = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), None)
        self._scalars.made(len(losses) if made is None else made)
        if made is not None:
            losses = losses[: made + 1]
            stopped, step = self._memory.stopped, self._memory.common.step
            stopped.fill(0)
            card.put(step, made)
            _hand_over([*self._data, *self._forward, *self._loss_calls], 1)
            stopped.fill(0)
            card.wait()
        self._loss = losses[-1]
        return losses

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """As the protocol says; the seconds are by the device's clock."""
        self._check(rows)
        return self._device.do(lambda card: self._run_timed(card, rows))

    def _run_timed(self, card: Card, rows: Rows) -> tuple[float, PhaseSeconds]:
        phases = {
            Phase.DATA: self._data,
            Phase.FORWARD: self._forward,
            Phase.LOSS: self._loss_calls,
            Phase.BACKWARD: self._backward,
            Phase.UPDATE: self._update,
        }
        loss, seconds = self._marked(card, rows, list(phases.values()))
        return loss, dict(zip(phases, seconds, strict=bool(seconds)))

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """As the protocol says; the seconds are by the device's clock."""
        self._check(rows)
        return self._device.do(lambda card: self._run_by_operation(card, rows))

    def _run_by_operation(self, card: Card, rows: Rows) -> tuple[float, list[float]]:
        step = [*self._data, *self._forward, *self._loss_calls, *self._backward, *self._update]
        loss, seconds = self._marked(card, rows, [[one] for one in step])
        if not seconds:
            return loss, []
        found: dict[Op, float] = {}
        for (op, _), spent in zip(step, seconds, strict=True):
            found[op] = found.get(op, 0.0) + spent
        return loss, by_operation(self.program, found)

    def _marked(self, card: Card, rows: Rows, groups: Sequence[Sequence[Labelled]]) -> tuple[float, list[float]]:
        """One step handed over group by group: its loss, and the seconds of each group, none where the loss is not finite."""
        self._prepare(rows, 1)
        marks = card.marks_for(len(groups) + 1)
        marks[0].record()
        for group, mark in zip(groups, marks[1:], strict=True):
            _hand_over(group, 1)
            mark.record()
        (loss,) = self._settle(card, self._memory.results[:1].get()[:, 0].tolist())
        return loss, [card.seconds_between(*ends) for ends in pairwise(marks)] if math.isfinite(loss) else []

    def evaluate(self, rows: Rows) -> tuple[float, int | None]:
        self._check(rows)
        return self._device.do(lambda card: self._evaluate(rows))

    def _evaluate(self, rows: Rows) -> tuple[float, int | None]:
        self._prepare(rows, 1)
        _hand_over([*self._data, *self._forward, *self._loss_calls], 1)
        loss, right = self._memory.results[0].get().tolist()
        self._memory.stopped.fill(0)
        self._loss = loss
        return loss, None if self.program.loss == "mse" else int(right)

    # ── buffers ──

    def read(self, name: str) -> Array:
        if name == "loss":
            return np.array(self._loss)
        found: Array = self._device.do(lambda card: self._memory.arrays[name].get())
        return found

    def write(self, name: str, values: Array) -> None:
        array = self._memory.arrays[name]
        host = np.ascontiguousarray(np.broadcast_to(values, array.shape), array.dtype)
        self._device.do(lambda card: array.set(host))

    def set_learning_rate(self, rate: float) -> None:
        self._scalars.set_learning_rate(rate)

    @property
    def flushed(self) -> int:
        return self._device.do(lambda card: int(self._memory.common.lost.get().sum()))


def _hand_over(step: Sequence[Labelled], times: int) -> None:
    for _ in range(times):
        for _, call in step:
            call()
