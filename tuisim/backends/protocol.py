"""The backend protocol: bind a program to arrays once, then run it.

A backend decides how an operation is computed and may fuse adjacent operations; the program determines which operations
there are and in what order.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass
from operator import add, sub
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tuisim.program import Phase, StepProgram

Array = NDArray[Any]
Rows = NDArray[np.intp]
PhaseSeconds = dict[Phase, float]


@dataclass(frozen=True, slots=True)
class PeakRates:
    """Measured peak rates of a device."""

    flops_per_second: float
    """Multiplications and additions per second of a square matrix product."""
    bytes_per_second: float
    """Bytes read and written per second by a large copy."""
    device: str
    flops_spread: float = 0.0
    bytes_spread: float = 0.0
    """(best rate − upper quartile) / upper quartile of the repeats, for each of the two."""


def best_of(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the minimum of repeated times, and how far its rate is above the upper quartile of the rates, as a share of it."""
    least = min(seconds)
    return least, float(np.quantile(seconds, 0.25) / least) - 1


@dataclass(frozen=True, slots=True)
class Costs:
    """Overheads of a device so far in this process: data transfers and kernel launches."""

    transfer_seconds: float
    """Copying data to the device."""
    transfer_bytes: int
    launch_seconds: float
    """Host time of launching steps."""
    launched_steps: int
    """Steps whose launches were timed."""

    def __add__(self, other: Costs) -> Costs:
        return Costs(*map(add, astuple(self), astuple(other)))

    def __sub__(self, other: Costs) -> Costs:
        return Costs(*map(sub, astuple(self), astuple(other)))

    @property
    def launch_microseconds(self) -> float | None:
        """Host time of launching one step; None before one was timed."""
        return self.launch_seconds / self.launched_steps * 1e6 if self.launched_steps else None


@dataclass(frozen=True, slots=True)
class UpdateScalars:
    """The scalars that the updates of a network carry from step to step."""

    learning_rate: float
    """As set; a schedule multiplies it."""
    powers: tuple[float, float]
    """β₁ᵗ and β₂ᵗ of Adam as running products; 1 for other optimizers."""
    steps: int
    """Updates so far, counted only where the learning rate follows a schedule."""
    flushed: int
    """Numbers of the optimizer state flushed to 0 so far."""


@runtime_checkable
class OnDevice(Protocol):
    """A backend whose arrays are in the memory of a device."""

    def free_bytes(self) -> int | None:
        """Return the bytes available for new arrays; None if unknown."""

    def peak_rates(self, dtype: str) -> PeakRates:
        """Measure the peak rates of the device."""

    @property
    def costs(self) -> Costs:
        """The overheads so far."""


class BoundStep(Protocol):
    """A program bound to arrays. Steps bound with `share` use the same parameters, gradients and optimizer state."""

    program: StepProgram
    _arrays: dict[str, Array]
    """The buffers, if they are NumPy arrays."""
    _scalars: Any
    """The scalars of the update that change from step to step."""

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the dataset: inputs (n, inputs) in the program's dtype, and their targets."""

    def run(self, rows: Rows) -> list[float]:
        """Run one training step per batch of `rows`, a whole number of batches; return each loss, taken before the update.

        A loss that is not finite ends the run before the backward pass of that step: the list is then shorter and ends with
        it, and the gradients are still those of the previous step.
        """

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        """Run one training step on one batch; return its loss and the seconds of each phase, empty if the loss is not finite."""

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        """Run one training step on one batch; return its loss and the seconds of each operation, in the program's order.

        An operation that is fused into another takes 0. The list is empty if the loss is not finite.
        """

    def evaluate(self, rows: Rows) -> float:
        """Return the mean loss of one batch. Parameters do not change."""

    def read(self, name: str, at: Any = ...) -> Array:
        """Return a host copy of a buffer, or of the part of it at the index `at`."""
        return np.array(self._arrays[name][at])

    def write(self, name: str, values: Array) -> None:
        """Copy host values into a buffer."""
        self._arrays[name][...] = values

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of all steps that share these parameters."""
        self._scalars.set_learning_rate(rate)

    def scalars(self) -> UpdateScalars:
        """Return the scalars of the update."""
        return UpdateScalars(*self._scalars.values())

    def restore_scalars(self, scalars: UpdateScalars) -> None:
        """Set the scalars of the update."""
        self._scalars.restore(scalars)

    @property
    def flushed(self) -> int:
        """The count of optimizer state numbers flushed to 0 so far because they decayed to subnormal ones.

        Not every backend counts a subnormal sum of two normal numbers, which is flushed too.
        """
        return int(self._scalars.flushed)


class Backend:
    """A backend: it binds programs to arrays and names the device it computes on."""

    name: str
    """Its name."""
    step: type[Any]
    """The class of its bound steps."""

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> BoundStep:
        """Allocate arrays for `program`, all zero; with `share`, use its parameters, gradients, state and learning rate.

        Raises TypeError if `share` is a step of another backend, MemoryNeeded if a device has too little memory.
        """
        if share is not None and not isinstance(share, self.step):
            raise TypeError(f"a step of {self.name} can only share the arrays of another one")
        bound: BoundStep = self.step(program, share)
        return bound

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Return a context that limits BLAS to `count` threads in the whole process, also where it helps to generate data.

        Without threadpoolctl the count does not change.
        """
        from tuisim.backends.numpy.blas import thread_limit

        return thread_limit.hold(count)

    def device(self) -> str:
        """Return the names of the library and hardware that compute, with their threads where known."""
        raise NotImplementedError


def check_data(program: StepProgram, inputs: Array, targets: Array) -> None:
    """Raise ValueError or TypeError unless inputs and targets have the shapes and dtypes of the program's X and Y."""
    x, y = program.buffers["X"], program.buffers["Y"]
    if inputs.shape[1:] != x.shape[1:] or targets.shape[1:] != y.shape[1:]:
        raise ValueError(f"rows of {inputs.shape[1:]} and {targets.shape[1:]} for buffers {x.shape} and {y.shape}")
    dtypes = np.dtype(program.dtype), np.dtype("int64" if y.integer else program.dtype)
    if (inputs.dtype, targets.dtype) != dtypes:
        raise TypeError(f"rows of {inputs.dtype} and {targets.dtype} for buffers of {dtypes[0]} and {dtypes[1]}")
    if len(inputs) != len(targets) or not len(inputs):
        raise ValueError(f"{len(inputs):,} rows of inputs and {len(targets):,} of targets")


def check_batches(program: StepProgram, rows: Rows, attached: bool) -> None:
    """Raise RuntimeError without data, ValueError unless `rows` are a whole number of batches."""
    if not attached:
        raise RuntimeError("attach the data before running steps")
    if len(rows) % program.batch:
        raise ValueError(f"{len(rows)} rows are not a multiple of the batch size {program.batch}")
