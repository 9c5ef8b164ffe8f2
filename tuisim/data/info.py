"""What is known of each dataset by its name: how many rows it has, and how many of them are trained on and held out.

It makes and reads no rows and needs no arrays, so that counting a run's operations does not wait for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from tuisim.config import RunConfig

SYNTHETIC = ("moons", "spirals", "xor", "blobs", "sine", "teacher")
FINITE = {"digits": 1_797, "fashion_mnist": 60_000}
"""Rows of each set that is read; of Fashion-MNIST the training file's."""
SHAPES = {"digits": (64, 10), "fashion_mnist": (784, 10)}
"""(inputs, classes) of each of them."""
DEFAULT_EXAMPLES = 10_000
"""Training rows per epoch of an endless source where the run does not say."""
VALIDATION_LIMIT = 10_000
"""Rows of an endless source that are held out, at most."""


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows of a finite dataset that a run keeps in memory."""

    training: int
    """Distinct ones: a volume beyond them repeats them."""
    validation: int


def held_out(rows: int, fraction: float) -> int:
    """⌊rows · fraction⌋ of the fraction as it is written: 0.29 of 100 is 29, though 100 · 0.29 is a little less as floats."""
    return math.floor(rows * Fraction(repr(float(fraction))))


def held_out_beside(examples: int, fraction: float) -> int:
    """Rows of an endless source that are held out, beside the `examples` trained on."""
    return min(VALIDATION_LIMIT, held_out(examples, fraction))


def rows(config: RunConfig) -> int | None:
    """Training rows per epoch, without reading or making any; None where only reading the file would tell."""
    if config.examples is not None:
        return config.examples
    name = config.resolved_dataset
    if name in SYNTHETIC:
        return DEFAULT_EXAMPLES
    return FINITE[name] - held_out(FINITE[name], config.validation) if name in FINITE else None


def kept_rows(config: RunConfig, examples: int) -> KeptRows | None:
    """Return the rows that a run of `examples` an epoch keeps of a named finite dataset; None for any other."""
    size = FINITE.get(config.resolved_dataset)
    if size is None:
        return None
    held = held_out(size, config.validation)
    return KeptRows(min(examples, size - held), held)


def is_file(config: RunConfig) -> bool:
    """Return True if the dataset is a path, so that only reading it tells how many rows it has."""
    return config.resolved_dataset not in SYNTHETIC and config.resolved_dataset not in FINITE
