"""The parameters a run starts from: weights drawn by an initializer, biases zero.

Drawn on the host in float64 from the seed's first stream, then cast, so every backend and dtype starts alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import rng as chance

PLAIN_DEVIATION = 0.05
"""The standard deviation of `normal` whatever the layer's size, as Keras's RandomNormal has it."""

DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "he": lambda n, m: math.sqrt(2 / n),  # He et al. 2015
    "glorot": lambda n, m: math.sqrt(2 / (n + m)),  # Glorot & Bengio 2010
    "lecun": lambda n, m: math.sqrt(1 / n),  # LeCun et al. 1998
}
"""Standard deviation of a weight from n inputs to m outputs."""


def parameters(config: RunConfig) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """(W, b) per layer, one at a time: W (inputs, outputs), b (outputs,), in the config's dtype."""
    rng = chance.generator(config.seed, chance.WEIGHTS)
    for n, m in pairwise(config.layers):
        yield _weights(config.initializer, rng, n, m).astype(config.dtype, copy=False), np.zeros(m, config.dtype)


def _weights(initializer: str, rng: np.random.Generator, n: int, m: int) -> NDArray[np.float64]:
    if initializer == "zeros":
        return np.zeros((n, m))
    if initializer == "normal":
        return _scaled(rng.standard_normal((n, m)), PLAIN_DEVIATION)
    family, shape = initializer.rsplit("_", 1)
    deviation = DEVIATIONS[family](n, m)
    if shape == "uniform":
        limit = math.sqrt(3) * deviation  # a uniform draw from ±limit has deviation limit/√3
        return rng.uniform(-limit, limit, (n, m))
    return _scaled(rng.standard_normal((n, m)), deviation)


def _scaled(draws: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """In place: the draws of a large layer are the largest thing a run makes before it trains."""
    draws *= deviation
    return draws
