"""The same training step as anybody would write it in NumPy first: operators, temporaries, no buffers.

It is the yardstick of the benchmark, and an independent check of its result; nothing else uses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig

Array = NDArray[Any]


class PlainNetwork:
    """A ReLU network trained by SGD; cross_entropy on class numbers, or mse."""

    def __init__(self, config: RunConfig, parameters: list[tuple[Array, Array]]) -> None:
        assert config.loss in ("cross_entropy", "mse")
        assert config.learning_rate is not None
        self.activations = config.activations
        self.loss = config.loss
        self.rate = np.dtype(config.dtype).type(config.learning_rate)
        self.weights = [w.copy() for w, _ in parameters]
        self.biases = [b.copy() for _, b in parameters]

    def step(self, X: Array, y: Array) -> float:
        """One step on X (batch, inputs); the loss before the update."""
        activations, sums = [X], []
        for W, b, name in zip(self.weights, self.biases, self.activations, strict=True):
            z = activations[-1] @ W + b
            sums.append(z)
            activations.append(np.maximum(z, 0) if name == "relu" else z)
        loss, delta = self._loss(activations[-1], y)
        gradients = []
        for layer in reversed(range(len(self.weights))):
            if self.activations[layer] == "relu":
                delta = delta * (sums[layer] > 0)
            gradients.append((activations[layer].T @ delta, delta.sum(axis=0)))
            if layer:
                delta = delta @ self.weights[layer].T
        for layer, (gW, gb) in zip(reversed(range(len(self.weights))), gradients, strict=True):
            self.weights[layer] -= self.rate * gW
            self.biases[layer] -= self.rate * gb
        return float(loss)

    def _loss(self, output: Array, y: Array) -> tuple[Any, Array]:
        if self.loss == "mse":
            difference = output - y
            return (difference**2).mean(), 2 * difference / difference.size
        rows = np.arange(len(y))
        exps = np.exp(output - output.max(axis=1, keepdims=True))
        p = exps / exps.sum(axis=1, keepdims=True)
        loss = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        return loss, p / len(y)
