"""The initial state of a run (data, batches, first parameters), from which networks of any backend and dtype start alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim import data
from tuisim.backends import get_backend
from tuisim.backends.protocol import Backend
from tuisim.config import RunConfig
from tuisim.data import Dataset
from tuisim.engine import initializers, memory_check
from tuisim.engine.network import Network, Parameters

Array = NDArray[Any]
Batch = tuple[Array, Array]
"""X (rows, inputs) and Y as the loss takes it."""


@dataclass(frozen=True)
class InitialState:
    """A resolved run before its first step."""

    config: RunConfig
    dataset: Dataset
    parameters: Parameters

    @cached_property
    def batch(self) -> int:
        """Examples of a full step; a batch larger than the volume is one short batch."""
        return min(self.config.batch_size, self.dataset.examples)

    @cached_property
    def short_batch(self) -> int:
        """Examples of an epoch's short last batch; 0 if there is none."""
        return self.dataset.examples % self.batch

    def batches(self, steps: int) -> list[Batch]:
        """Return the run's first `steps` batches, in the run's order."""
        sampler = self.dataset.batch_sampler(self.batch)
        found: list[Batch] = []
        for _ in range(steps):
            block = sampler.block or sampler.fetch()
            rows = sampler.take(1).rows
            found.append((block.X[rows], block.Y[rows]))
        return found

    def network(self, backend: str, dtype: str | None = None) -> Network:
        """Return a network on `backend` with the run's first parameters."""
        config = replace(self.config, backend=backend, dtype=dtype or self.config.dtype)
        network = Network(config, get_backend(backend), self.batch)
        network.load(self.parameters)
        return network


def initial_state(config: RunConfig, backend: Backend | None = None) -> InitialState:
    """Load the data of a resolved `config` and draw its parameters. Raises DataError or MemoryNeeded.

    The memory is checked first: that of `backend`, else this machine's, where the rows and the first parameters are.
    """
    config = data.fitted(config)
    memory_check.check(replace(config, backend="numpy") if backend is None else config, backend)
    dataset = data.load(config)
    # The length of the schedule follows from the volume.
    config = replace(config, examples=dataset.examples).resolved()
    return InitialState(config, dataset, list(initializers.parameters(config)))


def train(
    network: Network,
    batches: Sequence[Batch],
    before: Callable[[Network], None] = lambda network: None,
    after: Callable[[int], None] = lambda step: None,
) -> list[float]:
    """Make one step on each of `batches`, with `before` and `after` called around each; return the losses.

    Stops at the first loss that is not finite, whose update is not made.
    """
    losses: list[float] = []
    for step, (X, Y) in enumerate(batches, 1):
        before(network)
        losses.append(one_step(network, X, Y))
        after(step)
        if not math.isfinite(losses[-1]):
            break
    return losses


def one_step(network: Network, X: Array, Y: Array) -> float:
    """Make one step on these rows and return its loss; infinite if Python's own functions overflow."""
    bound = network.step(len(X))
    network.attach(X.astype(network.full.program.dtype), Y if Y.dtype.kind == "i" else Y.astype(network.full.program.dtype))
    try:
        return bound.run(np.arange(len(X)))[0]
    except OverflowError:
        return math.inf


def parameter_name(layers: Sequence[int], index: int) -> str:
    """Return the name of the `index`-th parameter of the flat buffer: `layer 2, W[3,7]` (input, output) or `layer 2, b[7]`."""
    for layer, (inputs, outputs) in enumerate(pairwise(layers), 1):
        weights, size = inputs * outputs, (inputs + 1) * outputs
        if index < weights:
            return f"layer {layer}, W[{index // outputs},{index % outputs}]"
        if index < size:
            return f"layer {layer}, b[{index - weights}]"
        index -= size
    raise IndexError("beyond the last parameter")
