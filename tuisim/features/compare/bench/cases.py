"""The benchmark's cases, and implementations of their steps: tuisim's, naive NumPy, and matrix products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.engine import initializers, memory_check
from tuisim.engine.network import Network, Parameters
from tuisim.units import layers_text

Array = NDArray[Any]

POOL = 1 << 21
"""Elements of the rows that the steps go through: too many for a step's rows to stay in the nearest cache."""
MAX_BATCHES = 256


@dataclass(frozen=True)
class Case:
    """One network with its rows and initial parameters."""

    config: RunConfig
    X: Array
    y: Array
    parameters: Parameters

    @property
    def name(self) -> str:
        """Layers and batch: `784-128-10 b32`."""
        return case_name(self.config)


def case_name(config: RunConfig) -> str:
    """Return the layers and the batch of a case: `784-128-10 b32`."""
    return f"{layers_text(config.layers)} b{config.batch_size}"


class Implementation(Protocol):
    """An implementation of a case's training step."""

    def steps(self, count: int) -> None:
        """Make `count` steps, batch after batch, from the first again after the last."""

    def read(self) -> Array | None:
        """Return all parameters, flat, layer by layer with weights before biases; None if it has none."""


class BatchSteps:
    """An implementation with one call per step, `_one`."""

    _batches: list[tuple[Any, Any]]
    _at = 0

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        for _ in range(count):
            self._one(*self._batches[self._at])
            self._at = (self._at + 1) % len(self._batches)

    def _one(self, x: Any, y: Any) -> None:
        raise NotImplementedError


def batches(X: Any, y: Any, size: int) -> list[tuple[Any, Any]]:
    """Return the rows in batches of `size`."""
    return [(X[first : first + size], y[first : first + size]) for first in range(0, len(X), size)]


Make = Callable[[Case], Implementation]


def case(config: RunConfig) -> Case:
    """Draw random rows of the loss's form, and parameters as a run would. Raises MemoryNeeded."""
    config = config.resolved()
    memory_check.check(config)
    rng, batch = np.random.default_rng(0), config.batch_size
    batches = max(1, min(MAX_BATCHES, POOL // (batch * max(config.layers[0], config.layers[-1]))))
    rows = batch * batches
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        y = rng.integers(0, config.layers[-1], rows)
    else:
        y = rng.standard_normal((rows, config.layers[-1])).astype(config.dtype)
    return Case(config, X, y, list(initializers.parameters(config)))


def flat(parameters: Parameters) -> Array:
    """Return weights and biases in the order of the flat buffer, in double precision."""
    return np.concatenate([part.ravel() for pair in parameters for part in pair]).astype(np.float64)


class TuisimStep:
    """The bound step of one of tuisim's backends."""

    def __init__(self, case: Case, backend: str) -> None:
        batch = case.config.batch_size
        self._network = Network(case.config, get_backend(backend), batch)
        self.device = self._network.device
        self._network.load(case.parameters)
        self._network.attach(case.X, case.y)
        self._order = np.arange(len(case.X))
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


class NaiveStep(BatchSteps):
    """The step as one would first write it in NumPy: operators and temporaries, no buffers. ReLU, SGD, cross_entropy or mse.

    It is also an independent check of the other implementations' results.
    """

    def __init__(self, case: Case) -> None:
        config = case.config
        assert config.loss in ("cross_entropy", "mse")
        assert config.learning_rate is not None
        self._config, self._batches = config, batches(case.X, case.y, config.batch_size)
        self._rate = np.dtype(config.dtype).type(config.learning_rate)
        self._weights = [w.copy() for w, _ in case.parameters]
        self._biases = [b.copy() for _, b in case.parameters]

    def _one(self, x: Array, y: Array) -> None:
        names = self._config.activations
        activations, sums = [x], []
        for W, b, name in zip(self._weights, self._biases, names, strict=True):
            z = activations[-1] @ W + b
            sums.append(z)
            activations.append(np.maximum(z, 0) if name == "relu" else z)
        delta = self._loss_gradient(activations[-1], y)
        gradients = []
        for layer in reversed(range(len(self._weights))):
            if names[layer] == "relu":
                delta = delta * (sums[layer] > 0)
            gradients.append((activations[layer].T @ delta, delta.sum(axis=0)))
            if layer:
                delta = delta @ self._weights[layer].T
        for layer, (gW, gb) in zip(reversed(range(len(self._weights))), gradients, strict=True):
            self._weights[layer] -= self._rate * gW
            self._biases[layer] -= self._rate * gb

    def _loss_gradient(self, output: Array, y: Array) -> Array:
        if self._config.loss == "mse":
            gradient: Array = 2 * (output - y) / output.size
            return gradient
        rows = np.arange(len(y))
        exps = np.exp(output - output.max(axis=1, keepdims=True))
        p: Array = exps / exps.sum(axis=1, keepdims=True)
        p[rows, y] -= 1
        return p / len(y)

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat(list(zip(self._weights, self._biases, strict=True)))


class MatrixProducts:
    """The matrix products (GEMM) of the same steps and nothing else: the limit of any implementation with this BLAS."""

    def __init__(self, case: Case) -> None:
        config, rng = case.config, np.random.default_rng(1)
        pairs = list(pairwise(config.layers))
        self._a = [rng.standard_normal((config.batch_size, n)).astype(config.dtype) for n in config.layers]
        self._W = [rng.standard_normal(pair).astype(config.dtype) for pair in pairs]
        self._z = [np.empty((config.batch_size, m), config.dtype) for _, m in pairs]
        self._gW = [np.empty_like(w) for w in self._W]
        self._below = [np.empty_like(x) for x in self._a]

    def steps(self, count: int) -> None:
        """Compute the products of `count` steps."""
        a, W, z, gW, below = self._a, self._W, self._z, self._gW, self._below
        for _ in range(count):
            for k in range(len(W)):
                np.dot(a[k], W[k], z[k])
            for k in reversed(range(len(W))):
                np.dot(a[k].T, z[k], gW[k])
                if k:
                    np.dot(z[k], W[k].T, below[k])

    def read(self) -> None:
        """Return None: there are no parameters."""
