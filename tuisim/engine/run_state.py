"""The state of a run between two steps: all that the next steps depend on, and all that was recorded up to here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tuisim.backends.protocol import UpdateScalars
from tuisim.data.batch_sampler import Position
from tuisim.engine.history import History
from tuisim.engine.tally import Tally


@dataclass(frozen=True, slots=True)
class RunState:
    """A captured state. Nothing in it changes when the run goes on."""

    arrays: dict[str, NDArray[Any]]
    """Parameters, optimizer buffers and perhaps gradients by name, host copies."""
    scalars: UpdateScalars
    position: Position
    tally: Tally
    history: History
    learning_rate: float
    threads: int
    divergence: str | None
    """The place at which the run became non-finite; None if it is finite."""

    @property
    def step(self) -> int:
        """The number of steps made."""
        return self.tally.steps

    @property
    def nbytes(self) -> int:
        """The memory of the arrays in bytes."""
        return sum(array.nbytes for array in self.arrays.values())
