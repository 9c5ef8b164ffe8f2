"""The first parameters of a run: weights drawn by an initializer, biases zero.

They are drawn on the host in float64 from the seed's first stream, then cast, so every backend and dtype starts from the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import rng

NORMAL_DEVIATION = 0.05
"""The standard deviation of `normal` for any layer size, as in Keras's RandomNormal."""

DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "he": lambda n, m: math.sqrt(2 / n),  # He et al. 2015
    "glorot": lambda n, m: math.sqrt(2 / (n + m)),  # Glorot & Bengio 2010
    "lecun": lambda n, m: math.sqrt(1 / n),  # LeCun et al. 1998
}
"""Standard deviation of a weight from n inputs to m outputs."""


def parameters(config: RunConfig) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield (W, b) per layer: W (inputs, outputs), b (outputs,), in the config's dtype."""
    generator = rng.generator(config.seed, rng.WEIGHTS)
    for n, m in pairwise(config.layers):
        yield _weights(config.initializer, generator, n, m).astype(config.dtype, copy=False), np.zeros(m, config.dtype)


def _weights(initializer: str, generator: np.random.Generator, n: int, m: int) -> NDArray[np.float64]:
    if initializer == "zeros":
        return np.zeros((n, m))
    family, _, shape = initializer.rpartition("_")
    deviation = DEVIATIONS[family](n, m) if family else NORMAL_DEVIATION
    if shape == "uniform":
        limit = math.sqrt(3) * deviation  # a uniform draw from ±limit has the standard deviation limit/√3
        return generator.uniform(-limit, limit, (n, m))
    draws = generator.standard_normal((n, m))
    draws *= deviation  # in place: the draws of a large layer are the largest array before training
    return draws
