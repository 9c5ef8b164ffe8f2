"""Synthetic tasks (moons, spirals, xor, blobs, sine, teacher) and their rows, generated chunk by chunk from the seed.

The first rows of a random stream are the same whatever number of rows is generated: every kind of draw has a generator of its
own and is drawn row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from tuisim import stages
from tuisim.config import RunConfig
from tuisim.data import info, memory, rng, targets
from tuisim.errors import DataError

Array = NDArray[Any]
Floats = NDArray[np.float64]

NOISE = 0.05
"""Standard deviation of the noise added to the targets of sine and teacher, and to the inputs of xor."""

Make = Callable[[SeedSequence, int], tuple[Floats, Array]]
"""Takes a stream and a number of rows; returns inputs (rows, inputs) in float64 and targets as the loss takes them."""


def read_only(array: Array) -> Array:
    """Make `array` read-only and return it."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class SyntheticRows:
    """A synthetic task cut into chunks; chunk n has the same rows whatever else the run asks for."""

    config: RunConfig
    name: str
    make: Make
    chunk: int
    """Rows per chunk."""

    @property
    def kind(self) -> str:
        """The kind of the targets: classes, multi-label or regression."""
        if self.name not in ("sine", "teacher") or self.config.loss == "cross_entropy":
            return "classes"
        if self.config.loss == "mse":
            return "regression"
        return "multi-label" if self.config.layers[-1] > 1 else "classes"

    @classmethod
    def create(cls, config: RunConfig, name: str) -> SyntheticRows:
        """Return the rows of the task `name`. Raises DataError if it does not fit, MemoryNeeded if it is too wide."""
        check(config, name)
        width = config.layers[0] + config.layers[-1]
        size = info.task_bytes(config, name) + info.row_workspace(config, name)
        memory.require(size, f"{name} with {width:,} inputs and outputs", "use narrower layers")
        return cls(config, name, _task(config, name), info.chunk_rows(config))

    def require(self, count: int) -> None:
        """Raise MemoryNeeded if memory cannot hold `count` rows."""
        remedy = "ask for fewer examples, a smaller batch or narrower layers"
        memory.require(count * info.row_bytes(self.config), f"{self.name}: {count:,} examples at once", remedy)

    def empty(self, count: int) -> tuple[Array, Array]:
        """Return uninitialized arrays for `count` rows. Raises MemoryNeeded."""
        self.require(count)
        dtype, (inputs, *_, outputs) = self.config.dtype, self.config.layers
        is_class = self.config.loss == "cross_entropy"
        return np.empty((count, inputs), dtype), np.empty(count, np.int64) if is_class else np.empty((count, outputs), dtype)

    def fill(self, X: Array, Y: Array, number: int, kind: int = rng.DATA) -> None:
        """Write the first len(X) rows of chunk `number` into X and Y."""
        X[...], Y[...] = self.make(rng.stream(self.config.seed, kind, number), len(X))

    def sample(self, count: int, kind: int = rng.DATA) -> tuple[Array, Array]:
        """Return the first `count` rows, chunk after chunk, read-only. Raises MemoryNeeded."""
        X, Y = self.empty(count)
        for number in range(-(-count // self.chunk)):
            part = slice(number * self.chunk, (number + 1) * self.chunk)
            self.fill(X[part], Y[part], number, kind)
            stages.report(min(part.stop, count), count, "rows")
        return read_only(X), read_only(Y)


class _Draw:
    """The random numbers of one stream for `rows` rows; each method may be called once."""

    def __init__(self, sequence: SeedSequence, rows: int) -> None:
        # Children are named by key: spawn() would change the caller's sequence.
        key = sequence.spawn_key
        self._uniform, self._normal = (SeedSequence(sequence.entropy, spawn_key=(*key, which)) for which in (0, 1))
        self.rows = rows

    def uniform(self, columns: int) -> Floats:
        """Return (rows, columns) of U(0, 1)."""
        return default_rng(self._uniform).random((self.rows, columns))

    def normal(self, columns: int) -> Floats:
        """Return (rows, columns) of N(0, 1)."""
        return default_rng(self._normal).standard_normal((self.rows, columns))


def _pick(uniform: Floats, classes: int) -> NDArray[np.int64]:
    """Return class numbers, all equally likely, from U(0, 1)."""
    return (uniform * classes).astype(np.int64)


def moons(draw: _Draw) -> tuple[Floats, Array]:
    """Return two interleaved half circles: t in U(0, π); (cos t, sin t) and (1 - cos t, ½ - sin t); noise 0.1."""
    uniform = draw.uniform(2)
    label, angle = _pick(uniform[:, 0], 2), np.pi * uniform[:, 1]
    sign = 1 - 2 * label
    points = np.stack([label + sign * np.cos(angle), 0.5 * label + sign * np.sin(angle)], axis=1)
    return points - (0.5, 0.25) + 0.1 * draw.normal(2), label


def spirals(draw: _Draw, arms: int) -> tuple[Floats, Array]:
    """Return spiral arms of one turn each: r in U(0, 1), angle 2π(arm / arms + r), radius 2r, noise 0.24 / arms."""
    uniform = draw.uniform(2)
    label, radius = _pick(uniform[:, 0], arms), uniform[:, 1]
    angle = 2 * np.pi * (label / arms + radius)
    points = 2 * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + (0.24 / arms) * draw.normal(2), label


def xor(draw: _Draw) -> tuple[Floats, Array]:
    """Return points of four squares: U(-1, 1)², class 1 where the signs differ, then noise 0.05."""
    points = 2 * draw.uniform(2) - 1
    label = (points[:, 0] * points[:, 1] < 0).astype(np.int64)
    return points + NOISE * draw.normal(2), label


def blobs(draw: _Draw, centres: Floats) -> tuple[Floats, Array]:
    """Return a Gaussian cluster, N(0, 1), around the centre of each class."""
    label = _pick(draw.uniform(1)[:, 0], len(centres))
    return centres[label] + draw.normal(centres.shape[1]), label


def sine(draw: _Draw) -> tuple[Floats, Array]:
    """Return one period of a sine: x in U(-1, 1), y = sin(πx), noise 0.05."""
    inputs = 2 * draw.uniform(1) - 1
    return inputs, np.sin(np.pi * inputs) + NOISE * draw.normal(1)


_OUTPUT: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(0.5 * z),
    "tanh": np.tanh,
    "gelu": lambda z: 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "silu": lambda z: z * (0.5 + 0.5 * np.tanh(0.5 * z)),
    "softplus": lambda z: np.logaddexp(0, z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
}


def _teacher(config: RunConfig) -> Make:
    """Return the outputs of a random network: x in N(0, 1), z = tanh(1.5·x·V/√inputs)·W + noise 0.05, without biases.

    V (inputs, 32) is N(0, 1) and each column of W (32, outputs) has length 1.5, so that all outputs have the same variance
    around 0 and no class or sign is rare. The target for mse is f(z) with the network's own output activation f, so that every
    target can be reached; for cross_entropy the index of the largest z; for binary_cross_entropy 1 where z is above 0.
    """
    inputs, outputs = config.layers[0], config.layers[-1]
    generator = rng.generator(config.seed, rng.DATA)
    first = generator.standard_normal((inputs, info.TEACHER_HIDDEN)) * (1.5 / np.sqrt(inputs))
    second = generator.standard_normal((info.TEACHER_HIDDEN, outputs))
    second *= 1.5 / np.linalg.norm(second, axis=0)
    activation = _OUTPUT[config.output_activation]

    def make(sequence: SeedSequence, rows: int) -> tuple[Floats, Array]:
        drawn = _Draw(sequence, rows).normal(inputs + outputs)
        x = drawn[:, :inputs]
        z = np.tanh(x @ first) @ second + NOISE * drawn[:, inputs:]
        if config.loss == "cross_entropy":
            return x, z.argmax(axis=1)
        return x, (z > 0).astype(np.float64) if config.loss == "binary_cross_entropy" else activation(z)

    return make


def check(config: RunConfig, name: str) -> None:
    """Raise DataError if the task `name` does not fit layers, loss, scaling and validation."""
    if config.scaling in ("standard", "minmax"):
        raise DataError(f"{name} is generated, and generated inputs are not scaled: leave scaling out")
    if config.validation_data is not None:
        raise DataError(f"{name} is generated, and has its own validation rows: leave validation_data out")
    if config.loss == "cross_entropy" and config.layers[-1] == 1:
        raise DataError(f"{name}: {targets.ONE_OUTPUT}: end them with 2, or use binary_cross_entropy")
    if name in ("moons", "spirals", "xor", "sine"):
        targets.check_inputs(config, name, 1 if name == "sine" else 2)
    if name in ("moons", "xor"):
        targets.check_classes(config, name, 2)
    if name == "sine":
        targets.check_numbers(config, name, 1)


def _task(config: RunConfig, name: str) -> Make:
    """Return the task `name`, which must fit the run's layers and loss."""
    if name == "teacher":
        return _teacher(config)
    if name == "sine":
        return lambda sequence, rows: sine(_Draw(sequence, rows))
    inputs, classes = config.layers[0], targets.class_count(config)
    draw: Callable[[_Draw], tuple[Floats, Array]] = moons if name == "moons" else xor
    if name == "spirals":
        draw = partial(spirals, arms=classes)
    elif name == "blobs":  # the centres of two classes are about 5.7 apart at any width
        centres = rng.generator(config.seed, rng.DATA).standard_normal((classes, inputs)) * (4 / np.sqrt(inputs))
        draw = partial(blobs, centres=centres)

    def make(sequence: SeedSequence, rows: int) -> tuple[Floats, Array]:
        x, label = draw(_Draw(sequence, rows))
        return x, targets.encode(config, label)

    return make
