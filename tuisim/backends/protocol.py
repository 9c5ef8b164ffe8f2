"""What a backend promises: bind a program to arrays once, then run it.

A backend decides how an operation is computed and may fuse neighbours; which operations there are, how many and in what
order is the program's.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tuisim.program import Phase, StepProgram

Array = NDArray[Any]
Rows = NDArray[np.intp]
PhaseSeconds = dict[Phase, float]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device can do, measured on it."""

    flops_per_second: float
    """Multiplications and additions per second of a square matrix product."""
    bytes_per_second: float
    """Bytes read and written per second by a large copy."""
    device: str
    flops_spread: float = 0.0
    bytes_spread: float = 0.0
    """(best rate − upper quartile) / upper quartile of the repeats, for each of the two."""


def best_of(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the least of repeated times, and how far its rate is above the upper quartile of the rates, relative to that."""
    least = min(seconds)
    return least, float(np.quantile(seconds, 0.25) / least) - 1


@dataclass(frozen=True, slots=True)
class Costs:
    """What handing work to a device of its own has taken so far in this process, beside the steps themselves."""

    transfer_seconds: float
    """Copying rows of data there."""
    transfer_bytes: int
    launch_seconds: float
    """Of the host's time, handing over the steps' operations."""
    launched_steps: int
    """Those whose handing over was timed."""

    def __add__(self, other: Costs) -> Costs:
        return self._each(other, 1)

    def __sub__(self, other: Costs) -> Costs:
        return self._each(other, -1)

    def _each(self, other: Costs, sign: int) -> Costs:
        return Costs(
            self.transfer_seconds + sign * other.transfer_seconds,
            self.transfer_bytes + sign * other.transfer_bytes,
            self.launch_seconds + sign * other.launch_seconds,
            self.launched_steps + sign * other.launched_steps,
        )

    @property
    def launch_microseconds(self) -> float | None:
        """Of the host's time, handing over one step; none before one was timed."""
        return self.launch_seconds / self.launched_steps * 1e6 if self.launched_steps else None


@runtime_checkable
class OnDevice(Protocol):
    """A backend whose arrays are in a memory of their own, beside the host's."""

    def free_bytes(self) -> int | None:
        """Of that memory, what new arrays could take; none where it cannot be told."""

    def ceilings(self, dtype: str) -> Ceilings:
        """What the device can do, measured on it."""

    @property
    def costs(self) -> Costs:
        """What handing things to it has taken so far."""


class BoundStep(Protocol):
    """A program with its arrays: parameters, gradients and optimizer state, shared with the steps bound to them."""

    @property
    def program(self) -> StepProgram: ...

    def attach(self, inputs: Array, targets: Array) -> None:
        """Take the rows of the steps to come from these: (n, inputs) of the program's dtype, and their targets."""

    def run(self, rows: Rows) -> list[float]:
        """One training step per batch of `rows` (a whole number of batches); the loss of each, before its update.

        At a loss that is not finite it stops before that step's backward half: the list is then shorter and ends with it,
        and the gradients are still those of the step before.
        """

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """One training step on one batch, phase by phase, with the seconds of each."""

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """One training step on one batch, and the seconds of each operation of the program, in its order.

        An operation that another's kernel does on the way takes 0. Where the loss is not finite there are no seconds.
        """

    def evaluate(self, rows: Rows) -> tuple[float, int | None]:
        """Mean loss and number right of one batch (none for mse), the parameters left as they are."""

    def read(self, name: str) -> Array:
        """A host copy of a buffer as it is now."""

    def write(self, name: str, values: Array) -> None:
        """Put host values of the buffer's shape into it."""

    def set_learning_rate(self, rate: float) -> None:
        """The rate of the steps to come, of every step that shares these parameters."""

    @property
    def flushed(self) -> int:
        """Numbers of the optimizer's buffers set to 0 so far, by all steps that share them, since they decayed to subnormal ones.

        Two normal numbers whose sum is subnormal are flushed too, but not counted by every backend.
        """


class Backend(Protocol):
    """A way to compute: makes bound steps, and says what it runs on."""

    @property
    def name(self) -> str: ...

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> BoundStep:
        """Arrays for `program`, parameters zero; with `share`, its parameters, gradients, state and rate."""

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Keep the backend to `count` threads inside."""

    def device(self) -> str:
        """The library and hardware that do the work now, with the threads they really use where that is known."""
