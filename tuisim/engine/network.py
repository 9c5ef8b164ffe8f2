"""The network of a run as bound steps: one for full batches, one per shorter batch, one per evaluation batch.

All share one set of parameters, gradients and optimizer state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.protocol import Backend, BoundStep, UpdateScalars
from tuisim.config import RunConfig
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.engine import memory_check
from tuisim.engine.memory_check import EVALUATION_BATCH
from tuisim.errors import ConfigError, Mistake
from tuisim.program import Role, build

Array = NDArray[Any]
Parameters = list[tuple[Array, Array]]


class Network:
    """Bound steps by batch size, bound when first needed. Raises MemoryNeeded before anything is allocated."""

    def __init__(self, config: RunConfig, backend: Backend, batch: int) -> None:
        self._config, self._backend = config, backend
        memory_check.check(replace(config, backend=backend.name, batch_size=batch), backend)
        self.full = backend.bind(build(config, batch))
        self.device = backend.device()
        """The libraries that compute this network; a backend may use several."""
        self._steps: dict[int, BoundStep] = {batch: self.full}
        self._evaluations: dict[int, BoundStep] = {}
        self._data: tuple[Array, Array] | None = None
        self._layers = range(1, len(config.layers))
        assert config.learning_rate is not None
        self.set_learning_rate(config.learning_rate)

    def attach(self, inputs: Array, targets: Array) -> None:
        """Set the rows that the next steps read."""
        if self._data is not None and self._data[0] is inputs and self._data[1] is targets:
            return
        self._data = inputs, targets
        for step in self._steps.values():
            step.attach(inputs, targets)

    def step(self, batch: int) -> BoundStep:
        """Return the training step of `batch` examples."""
        if batch not in self._steps:
            step = self._backend.bind(build(self._config, batch), share=self.full)
            if self._data is not None:
                step.attach(*self._data)
            self._steps[batch] = step
        return self._steps[batch]

    def evaluate(
        self,
        inputs: Array,
        targets: Array,
        is_cancelled: Callable[[], bool] = lambda: False,
        each: Callable[[slice, Array], None] | None = None,
    ) -> float | None:
        """Return the mean loss over all rows; None if `is_cancelled`, asked between batches.

        `each` is called for every batch with its rows and the network's outputs, (rows, outputs) on the host.
        """
        total = 0.0
        for first in range(0, len(inputs), EVALUATION_BATCH):
            if is_cancelled():
                return None
            rows = np.arange(first, min(first + EVALUATION_BATCH, len(inputs)))
            step = self.evaluation(inputs, targets, len(rows))
            total += step.evaluate(rows) * len(rows)
            if each is not None:
                each(slice(first, first + len(rows)), step.read(step.program.outputs[-1]))
        return total / len(inputs)

    def evaluation(self, inputs: Array, targets: Array, batch: int) -> BoundStep:
        """Return the evaluation program of `batch` rows, attached to these rows."""
        if batch not in self._evaluations:
            program = build(self._config, batch, learning=False)
            self._evaluations[batch] = self._backend.bind(program, share=self.full)
        step = self._evaluations[batch]
        step.attach(inputs, targets)
        return step

    def set_learning_rate(self, rate: float) -> None:
        """Use `rate` from the next step on."""
        self.full.set_learning_rate(rate)

    def parameters(self) -> Parameters:
        """Return [(W, b)] per layer, host copies."""
        return [(self.full.read(f"W{k}"), self.full.read(f"b{k}")) for k in self._layers]

    def gradients(self) -> Parameters:
        """Return [(gW, gb)] per layer of the latest step's mean loss, without decay; host copies."""
        return [(self.full.read(f"gW{k}"), self.full.read(f"gb{k}")) for k in self._layers]

    def state(self, *, gradients: bool = False) -> tuple[dict[str, Array], UpdateScalars]:
        """Return the parameters and the optimizer's buffers by name, host copies, and the scalars of the update.

        The next steps do not depend on the `gradients` of the latest one.
        """
        roles = (Role.PARAMETER, Role.OPTIMIZER, *([Role.GRADIENT] if gradients else []))
        return {name: self.full.read(name) for name in self._buffer_names(*roles)}, self.full.scalars()

    @property
    def state_bytes(self) -> int:
        """The memory of a state without gradients, in bytes."""
        return sum(map(self.full.program.nbytes, self._buffer_names(Role.PARAMETER, Role.OPTIMIZER)))

    def restore(self, arrays: dict[str, Array], scalars: UpdateScalars) -> None:
        """Set what `state` returned."""
        for name, values in arrays.items():
            self.full.write(name, values)
        self.full.restore_scalars(scalars)

    @property
    def flushed(self) -> int | None:
        """Numbers of the optimizer's buffers set to 0 so far because they became subnormal; None if none can be."""
        return self.full.flushed if self.full.program.flushes and self._buffer_names(Role.OPTIMIZER) else None

    def subnormal(self) -> int | None:
        """Return how many numbers of the optimizer's buffers are subnormal; None for an optimizer without buffers."""
        smallest = SMALLEST_NORMAL[self._config.dtype]
        found = [np.abs(self.full.read(name)) for name in self._buffer_names(Role.OPTIMIZER)]
        return sum(int(np.count_nonzero((one < smallest) & (one > 0))) for one in found) if found else None

    def _buffer_names(self, *roles: Role) -> list[str]:
        return [one.name for one in self.full.program.buffers.values() if one.role in roles and one.part_of is None]

    def load(self, parameters: Iterable[tuple[Array, Array]]) -> None:
        """Set the parameters, layer by layer, in the network's shapes."""
        for layer, (weights, biases) in enumerate(parameters, 1):
            self.full.write(f"W{layer}", weights)
            self.full.write(f"b{layer}", biases)

    def locate_divergence(self, step: BoundStep, number: int) -> str:
        """Return one line on the first non-finite value, given the step (the `number`th, from 1) whose loss was not finite.

        The stopped step has done its forward half; all other buffers are those of the step before. The search follows the
        order of computation: the gradients of the step before (from the last layer), its parameters, then the activations of
        this step (from the first layer), then the loss.
        """
        layers = self._layers
        found = f"the loss became non-finite at step {number:,}"
        outputs = (k for k in layers if not _is_finite(step, step.program.outputs[k]))
        gradients = (k for k in reversed(layers) if number > 1 and not _is_finite(step, f"g{k}"))
        parameters = (k for k in layers if number > 1 and not _is_finite(step, f"theta{k}"))
        if (layer := next(gradients, None)) is not None:
            found = f"the gradient of layer {layer} became non-finite at step {number - 1:,}"
        elif (layer := next(parameters, None)) is not None:
            found = f"the parameters of layer {layer} became non-finite at step {number - 1:,}"
        elif (layer := next(outputs, None)) is not None:
            found = f"the output of layer {layer} became non-finite at step {number:,}"
        return f"{found}; a smaller learning rate may help"


def _is_finite(step: BoundStep, buffer: str) -> bool:
    return bool(np.isfinite(step.read(buffer)).all())


def check_shapes(config: RunConfig, parameters: Parameters) -> None:
    """Raise ConfigError unless there is one (W, b) per layer, of the network's shapes, finite in the run's dtype."""
    expected = [((n, m), (m,)) for n, m in pairwise(config.layers)]
    given = [(np.shape(w), np.shape(b)) for w, b in parameters]
    for layer, shapes in enumerate(expected, 1):
        if layer > len(given) or given[layer - 1] != shapes:
            found = given[layer - 1] if layer <= len(given) else "nothing"
            raise ConfigError([Mistake("parameters", found, f"layer {layer} needs (W, b) of shapes {shapes[0]} and {shapes[1]}")])
    if len(given) > len(expected):
        raise ConfigError([Mistake("parameters", f"{len(given)} layers", f"give {len(expected)}, one (W, b) each")])
    limit = np.finfo(config.dtype).max
    for layer, pair in enumerate(parameters, 1):
        if not all(array.dtype.kind in "fiu" and np.all(np.abs(array) <= limit) for array in pair):
            raise ConfigError([Mistake("parameters", f"layer {layer}", f"numbers that are finite and fit {config.dtype}")])
