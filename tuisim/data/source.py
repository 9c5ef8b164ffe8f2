"""Where rows come from: held in memory whole, or made chunk by chunk from the seed, as often as they are needed.

A source knows neither batches nor epochs, nor how its rows are ordered for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import info as facts
from tuisim.data import memory, synthetic
from tuisim.data import rng as chance

Array = NDArray[Any]

CHUNK = 16_384
"""Rows of an endless source that one stream of chance makes; fewer where rows are wide."""
CHUNK_VALUES = 2**21
"""At most so many inputs and answers in a chunk, 16 MiB in float64, so that making one is no long wait."""
RESIDENT = 100_000
"""Up to so many rows of an endless source are kept; beyond, chunks are made again each epoch."""
RESIDENT_VALUES = 2**28
"""At most so many inputs and answers are kept: 1 GiB in float32."""


def row_bytes(config: RunConfig) -> int:
    """What one row takes, inputs and answer, as the step reads it."""
    size = np.dtype(config.dtype).itemsize
    return config.layers[0] * size + (8 if config.loss == "cross_entropy" else config.layers[-1] * size)


def read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class Held:
    """All training rows: X (rows, inputs), Y as the loss takes it, both read-only. `first` is the seeded order.

    Held in the seeded order already where the run shuffles (`first` is None), else in the source's own.
    """

    X: Array
    Y: Array
    first: NDArray[np.intp] | None = None

    @property
    def rows(self) -> int:
        return len(self.X)

    def sample(self, count: int) -> tuple[Array, Array]:
        """The first `count` rows of the seeded order, at most all."""
        chosen = slice(0, count) if self.first is None else self.first[:count]
        return self.X[chosen], self.Y[chosen]


@dataclass(frozen=True, slots=True)
class Endless:
    """A synthetic task cut into chunks; chunk n has the same rows whatever else the run asks for."""

    config: RunConfig
    task: synthetic.Task
    chunk: int
    """Rows in a chunk."""

    def need(self, count: int) -> None:
        """Raises MemoryNeeded where `count` rows are more than memory holds."""
        size = count * row_bytes(self.config)
        memory.need(
            size, f"{self.task.name}: {count:,} examples at once", "ask for fewer examples, a smaller batch or narrower layers"
        )

    def empty(self, count: int) -> tuple[Array, Array]:
        """Room for `count` rows. Raises MemoryNeeded."""
        self.need(count)
        dtype, outputs = self.config.dtype, self.config.layers[-1]
        X = np.empty((count, self.config.layers[0]), dtype=dtype)
        if self.config.loss == "cross_entropy":
            return X, np.empty(count, dtype=np.int64)
        return X, np.empty((count, outputs), dtype=dtype)

    def fill(self, X: Array, Y: Array, number: int, kind: int = chance.DATA) -> None:
        """The first len(X) rows of chunk `number`, written into X and Y."""
        X[...], Y[...] = self.task.make(chance.stream(self.config.seed, kind, number), len(X))

    def rows(self, count: int, kind: int = chance.DATA) -> tuple[Array, Array]:
        """The first `count` rows, chunk after chunk, read-only. Raises MemoryNeeded."""
        X, Y = self.empty(count)
        for number in range(-(-count // self.chunk)):
            part = slice(number * self.chunk, (number + 1) * self.chunk)
            self.fill(X[part], Y[part], number, kind)
        return read_only(X), read_only(Y)

    def sample(self, count: int) -> tuple[Array, Array]:
        return self.rows(count)


def endless(config: RunConfig, name: str) -> Endless:
    """The synthetic task `name` in chunks. Raises DataError where it does not fit, MemoryNeeded where it is too wide."""
    width = config.layers[0] + config.layers[-1]
    synthetic.check(config, name)
    # The task itself, and one row while it is made.
    memory.need(task_bytes(config, name) + _making_bytes(config, name), f"{name} with {width:,} inputs and outputs",
                "use narrower layers")  # fmt: skip
    return Endless(config, synthetic.build(config, name), chunk_rows(config))


def chunk_rows(config: RunConfig) -> int:
    """Rows of an endless source that are made together."""
    width, rows = config.layers[0] + config.layers[-1], CHUNK
    while rows > 1 and rows * width > CHUNK_VALUES:
        rows //= 2
    return rows


def task_bytes(config: RunConfig, name: str) -> int:
    """Centres or weights, in float64."""
    inputs, outputs = config.layers[0], config.layers[-1]
    return 8 * {"teacher": (inputs + outputs) * synthetic.HIDDEN, "blobs": inputs * outputs}.get(name, 0)


def _making_bytes(config: RunConfig, name: str) -> int:
    """Of one row, while it is made: what is drawn for it and what that becomes, in float64."""
    inputs, outputs = config.layers[0], config.layers[-1]
    if name == "teacher":
        return 8 * (inputs + outputs + 2 * synthetic.HIDDEN + 2 * outputs)
    return 8 * 2 * inputs if name == "blobs" else 8 * 12


def making_bytes(config: RunConfig, examples: int) -> int:
    """What making the rows of a run takes beside them: the task itself, and a chunk while it is made; 0 where none are made."""
    name = config.resolved_dataset
    if name not in facts.SYNTHETIC:
        return 0
    return task_bytes(config, name) + min(examples, chunk_rows(config)) * _making_bytes(config, name)


def kept_bytes(config: RunConfig, examples: int, rows: facts.KeptRows | None = None) -> tuple[int, int] | None:
    """What the rows trained on and those held out take while a run of `examples` an epoch goes on; none where only the file
    would tell and `rows` does not. Of an endless source that is not kept they are a block of chunks and the next one, which is
    made beside it.
    """
    name, row = config.resolved_dataset, row_bytes(config)
    if name in facts.SYNTHETIC:
        chunk = chunk_rows(config)
        block = examples if is_resident(config, examples) else 2 * min(examples, -(-config.batch_size // chunk) * chunk)
        return block * row, facts.held_out_beside(examples, config.validation) * row
    rows = rows or facts.kept_rows(config, examples)
    return None if rows is None else (rows.training * row, rows.validation * row)


def is_made_anew(config: RunConfig, examples: int) -> bool:
    """Whether the rows are made again each epoch: those of an endless source that are too many to keep."""
    return config.resolved_dataset in facts.SYNTHETIC and not is_resident(config, examples)


def is_resident(config: RunConfig, examples: int) -> bool:
    """Whether `examples` rows of an endless source are kept; a rule of the run's shape alone, not of this machine."""
    return examples <= RESIDENT and examples * (config.layers[0] + config.layers[-1]) <= RESIDENT_VALUES
