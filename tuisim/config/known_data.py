"""The shapes and row counts of datasets by name, and the decisions that follow from the shape of the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

SYNTHETIC = ("moons", "spirals", "xor", "blobs", "sine", "teacher")
FINITE = {"digits": 1_797, "fashion_mnist": 60_000}
"""Rows of each named dataset that is not generated; for Fashion-MNIST those of the training file."""
SHAPES = {"digits": (64, 10), "fashion_mnist": (784, 10)}
"""(inputs, classes) of each named dataset that is not generated."""
DEFAULT_EXAMPLES = 10_000
"""Training rows per epoch of a synthetic dataset if the run does not set `examples`."""
_ENDS = SHAPES | {"moons": (2, 2), "spirals": (2, 3), "xor": (2, 2), "blobs": (2, 3), "sine": (1, 1), "teacher": (30, 3)}
"""The numbers of inputs and outputs that `auto` stands for."""

FIXED_INPUTS = ("digits", "fashion_mnist", "moons", "spirals", "xor", "sine")
FIXED_OUTPUTS = {"digits": 10, "fashion_mnist": 10, "moons": 2, "xor": 2, "sine": 1}
"""Named datasets whose inputs, or outputs, are the same in every network."""


@dataclass(frozen=True, slots=True)
class DataShape:
    """The properties of a dataset that decide inputs, outputs, loss and output activation of a network."""

    inputs: int
    outputs: int
    """Classes, numbers or labels per row."""
    kind: str
    """`classes`, `numbers`, or `labels` (several of 0 and 1)."""
    numeric: bool = False
    """True if the classes are whole numbers, which a single output can learn by regression."""
    rows: int | None = None
    """All rows, before the split."""
    validation_rows: int | None = None
    """The rows that the data have for validation; None if they are split off."""


def known_shape(dataset: str, outputs: int | None) -> DataShape:
    """Return the shape of a named dataset, whose task may depend on the number of `outputs` that was given."""
    inputs, own = _ENDS[dataset]
    kind = "numbers" if dataset == "sine" or (dataset == "teacher" and outputs == 1) else "classes"
    return DataShape(inputs, own if outputs is None or dataset in FIXED_OUTPUTS else outputs, kind, rows=FINITE.get(dataset))


def loss_of(shape: DataShape, outputs: int) -> str:
    """Return the loss that `auto` stands for with this number of output units."""
    if shape.kind == "classes" and outputs == 1:  # two classes, or a regression on class indices
        return "mse" if shape.numeric and shape.outputs > 2 else "binary_cross_entropy"
    return {"classes": "cross_entropy", "numbers": "mse", "labels": "binary_cross_entropy"}[shape.kind]


MIN_STEPS, MIN_EPOCHS = 10_000, 10
"""The least steps and epochs of a run whose number of epochs is `auto`; early stopping ends most runs before."""


def epochs_of(rows: int, batch: int) -> int:
    """Return the epochs that `auto` stands for with this many training rows."""
    return max(MIN_EPOCHS, -(-MIN_STEPS // -(-rows // batch)))


def validation_rows(rows: int, fraction: float) -> int:
    """Return ⌊rows · fraction⌋ of the fraction as written: 0.29 of 100 is 29, although 100 · 0.29 is slightly less in floats."""
    return math.floor(rows * Fraction(repr(float(fraction))))
