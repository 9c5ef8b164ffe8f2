"""What the benchmark times: the same steps from the same parameters, by our backends, by plain code and by bare products.

A subject makes steps and shows its parameters; how often and against whom it is timed is the benchmark's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.engine import initializers as initial
from tuisim.engine import memory_check as room
from tuisim.engine.network import Network, Parameters
from tuisim.features.compare.bench.naive_step import PlainNetwork
from tuisim.units import layers_text

Array = NDArray[Any]

POOL = 1 << 21
"""Elements of the rows that the steps go through: enough of them that no step finds its own rows in the nearest cache."""
MOST_BATCHES = 256


@dataclass(frozen=True)
class Case:
    """One network with its rows and first parameters."""

    config: RunConfig
    X: Array
    y: Array
    parameters: Parameters

    @property
    def name(self) -> str:
        """The name: `numpy@2`."""
        return case_name(self.config)

    @property
    def batches(self) -> int:
        """The number of batches."""
        return len(self.X) // self.config.batch_size


def case_name(config: RunConfig) -> str:
    """Return `layers bBATCH`."""
    return f"{layers_text(config.layers)} b{config.batch_size}"


class Subject(Protocol):
    """Someone who makes the steps of a case."""

    def steps(self, count: int) -> None:
        """Make `count` steps, batch after batch, round again after the last."""

    def read(self) -> Array | None:
        """All parameters, flat, layer by layer with weights before biases; none where there are none."""


Make = Callable[[Case], Subject]


def case(config: RunConfig) -> Case:
    """Random rows of the loss's form, and parameters drawn as a run would. Raises MemoryNeeded."""
    config = config.resolved()
    room.check(config)
    rng, batch = np.random.default_rng(0), config.batch_size
    batches = max(1, min(MOST_BATCHES, POOL // (batch * max(config.layers[0], config.layers[-1]))))
    rows = batch * batches
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        y = rng.integers(0, config.layers[-1], rows)
    else:
        y = rng.standard_normal((rows, config.layers[-1])).astype(config.dtype)
    return Case(config, X, y, list(initial.parameters(config)))


def flat(parameters: Parameters) -> Array:
    """Weights and biases in the order of the flat buffer, in double precision."""
    return np.concatenate([part.ravel() for pair in parameters for part in pair]).astype(np.float64)


class Ours:
    """A backend's bound step."""

    def __init__(self, case: Case, backend: str) -> None:
        batch = case.config.batch_size
        self._network = Network(case.config, get_backend(backend), batch)
        self.device = self._network.device
        self._network.load(case.parameters)
        self._network.attach(case.X, case.y)
        self._order = np.arange(case.batches * batch)
        self._batch, self._at = batch, 0

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        while count > 0:
            end = min(len(self._order), self._at + count * self._batch)
            self._network.full.run(self._order[self._at : end])
            count -= (end - self._at) // self._batch
            self._at = end % len(self._order)

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat(self._network.parameters())


class Plain:
    """The obvious NumPy code."""

    def __init__(self, case: Case) -> None:
        self._case, self._network, self._at = case, PlainNetwork(case.config, case.parameters), 0

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        case, batch = self._case, self._case.config.batch_size
        for _ in range(count):
            first = self._at * batch
            self._network.step(case.X[first : first + batch], case.y[first : first + batch])
            self._at = (self._at + 1) % case.batches

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat(list(zip(self._network.weights, self._network.biases, strict=True)))


class Products:
    """The matrix products of the same steps and nothing else: the limit of any implementation over this BLAS."""

    def __init__(self, case: Case) -> None:
        config, rng = case.config, np.random.default_rng(1)
        pairs = list(pairwise(config.layers))
        self._a = [rng.standard_normal((config.batch_size, n)).astype(config.dtype) for n in config.layers]
        self._W = [rng.standard_normal(pair).astype(config.dtype) for pair in pairs]
        self._z = [np.empty((config.batch_size, m), config.dtype) for _, m in pairs]
        self._gW = [np.empty_like(w) for w in self._W]
        self._below = [np.empty_like(x) for x in self._a]

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        a, W, z, gW, below = self._a, self._W, self._z, self._gW, self._below
        for _ in range(count):
            for k in range(len(W)):
                np.dot(a[k], W[k], z[k])
            for k in reversed(range(len(W))):
                np.dot(a[k].T, z[k], gW[k])
                if k:
                    np.dot(z[k], W[k].T, below[k])

    def read(self) -> None:
        """Return all parameters, flat."""
        return None
