"""Tasks made from a formula and chance: moons, spirals, xor, blobs, sine, and a random network's own answers.

A task makes rows from a stream of chance and knows neither chunks nor volumes, nor what is held out. The first rows of a
stream are the same however many are asked for: every kind of draw has a generator of its own and is drawn row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import rng as chance
from tuisim.data import target_encoding as fit
from tuisim.errors import DataError

Array = NDArray[Any]
Floats = NDArray[np.float64]

HIDDEN = 32
"""Units in the teacher's hidden layer."""
NOISE = 0.05
"""Standard deviation of what is added to the answers of sine and teacher, and to the inputs of xor."""


@dataclass(frozen=True, slots=True)
class Task:
    """Rows without end: `make(stream, rows)` gives inputs (rows, inputs) in float64 and answers as the loss takes them."""

    name: str
    kind: str
    inputs: int
    make: Callable[[SeedSequence, int], tuple[Floats, Array]]


class _Draw:
    """What one stream gives for `rows` rows; each method at most once."""

    def __init__(self, sequence: SeedSequence, rows: int) -> None:
        # Children by name, not by spawn(), which would count up inside the caller's sequence.
        key = sequence.spawn_key
        self._uniform, self._normal = (SeedSequence(sequence.entropy, spawn_key=(*key, which)) for which in (0, 1))
        self.rows = rows

    def uniform(self, columns: int) -> Floats:
        """(rows, columns) of U(0, 1)."""
        return default_rng(self._uniform).random((self.rows, columns))

    def normal(self, columns: int) -> Floats:
        """(rows, columns) of N(0, 1)."""
        return default_rng(self._normal).standard_normal((self.rows, columns))


def _pick(uniform: Floats, classes: int) -> NDArray[np.int64]:
    """Class numbers, all equally likely, from U(0, 1)."""
    return (uniform * classes).astype(np.int64)


def moons(draw: _Draw) -> tuple[Floats, Array]:
    """Two half circles that reach into each other: t in U(0, π); (cos t, sin t) and (1 - cos t, ½ - sin t); noise 0.1."""
    uniform = draw.uniform(2)
    label, angle = _pick(uniform[:, 0], 2), np.pi * uniform[:, 1]
    sign = 1 - 2 * label
    points = np.stack([label + sign * np.cos(angle), 0.5 * label + sign * np.sin(angle)], axis=1)
    return points - (0.5, 0.25) + 0.1 * draw.normal(2), label


def spirals(draw: _Draw, arms: int) -> tuple[Floats, Array]:
    """Arms wound once round the middle: r in U(0, 1), angle 2π(arm / arms + r), radius 2r, noise 0.24 / arms."""
    uniform = draw.uniform(2)
    label, radius = _pick(uniform[:, 0], arms), uniform[:, 1]
    angle = 2 * np.pi * (label / arms + radius)
    points = 2 * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points + (0.24 / arms) * draw.normal(2), label


def xor(draw: _Draw) -> tuple[Floats, Array]:
    """Four squares, opposite ones of a class: points in U(-1, 1)², class 1 where the signs differ, then noise 0.05."""
    points = 2 * draw.uniform(2) - 1
    label = (points[:, 0] * points[:, 1] < 0).astype(np.int64)
    return points + NOISE * draw.normal(2), label


def blobs(draw: _Draw, centres: Floats) -> tuple[Floats, Array]:
    """A round cloud, N(0, 1), about each class's centre."""
    label = _pick(draw.uniform(1)[:, 0], len(centres))
    return centres[label] + draw.normal(centres.shape[1]), label


def sine(draw: _Draw) -> tuple[Floats, Array]:
    """One period: x in U(-1, 1), y = sin(πx), noise 0.05."""
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


def _teacher(config: RunConfig) -> Task:
    """A random network's answers: x in N(0, 1), z = tanh(1.5·x·V/√inputs)·W + noise 0.05, without biases.

    V (inputs, 32) is N(0, 1) and each column of W (32, outputs) has length 1.5, so that all outputs vary alike about 0
    and no class or sign is rare. mse: f(z), f the network's own output activation, so that every target can be reached;
    cross_entropy: the place of the largest z; binary_cross_entropy: whether each z is above 0.
    """
    inputs, outputs = config.layers[0], config.layers[-1]
    generator = chance.generator(config.seed, chance.DATA)
    first = generator.standard_normal((inputs, HIDDEN)) * (1.5 / np.sqrt(inputs))
    second = generator.standard_normal((HIDDEN, outputs))
    second *= 1.5 / np.linalg.norm(second, axis=0)
    activation = _OUTPUT[config.output_activation]

    def make(sequence: SeedSequence, rows: int) -> tuple[Floats, Array]:
        drawn = _Draw(sequence, rows).normal(inputs + outputs)
        x = drawn[:, :inputs]
        z = np.tanh(x @ first) @ second + NOISE * drawn[:, inputs:]
        if config.loss == "cross_entropy":
            return x, z.argmax(axis=1)
        return x, (z > 0).astype(np.float64) if config.loss == "binary_cross_entropy" else activation(z)

    return Task("teacher", "regression" if config.loss == "mse" else "classes", inputs, make)


def _classes(config: RunConfig, name: str, inputs: int, make: Callable[[_Draw], tuple[Floats, Array]]) -> Task:
    def encoded(sequence: SeedSequence, rows: int) -> tuple[Floats, Array]:
        x, label = make(_Draw(sequence, rows))
        return x, fit.encode(config, label)

    return Task(name, "classes", inputs, encoded)


def _blobs(config: RunConfig) -> Task:
    """Centres from N(0, 16 / inputs), so that two are about 5.7 apart, whatever the width."""
    inputs, classes = config.layers[0], fit.classes_wanted(config)
    centres = chance.generator(config.seed, chance.DATA).standard_normal((classes, inputs)) * (4 / np.sqrt(inputs))
    return _classes(config, "blobs", inputs, lambda draw: blobs(draw, centres))


def check(config: RunConfig, name: str) -> None:
    """Raises DataError where the task `name` does not fit layers and loss."""
    if config.loss == "cross_entropy" and config.layers[-1] == 1:
        raise DataError(f"{name}: cross_entropy chooses among two outputs or more and the layers end with 1: "
                        "end them with 2, or use binary_cross_entropy")  # fmt: skip
    if name in ("moons", "spirals", "xor", "sine"):
        fit.check_inputs(config, name, 1 if name == "sine" else 2)
    if name in ("moons", "xor"):
        fit.check_classes(config, name, 2)
    if name == "sine":
        fit.check_numbers(config, name, 1)


def build(config: RunConfig, name: str) -> Task:
    """The task `name`, made to fit layers and loss. Raises DataError where it cannot be."""
    check(config, name)
    if name == "teacher":
        return _teacher(config)
    if name == "blobs":
        return _blobs(config)
    if name == "sine":
        return Task(name, "regression", 1, lambda sequence, rows: sine(_Draw(sequence, rows)))
    if name == "spirals":
        arms = fit.classes_wanted(config)
        return _classes(config, name, 2, lambda draw: spirals(draw, arms))
    return _classes(config, name, 2, moons if name == "moons" else xor)
