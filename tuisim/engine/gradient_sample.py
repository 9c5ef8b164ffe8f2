"""Looking at the gradients: one ordinary step with the parameters compared before and after, at most so often.

The step is the step that was due anyway, so looking changes nothing of what is learned; the cost of looking is kept apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import BoundStep
from tuisim.config import RunConfig
from tuisim.engine.network import Network
from tuisim.measure.gradients import LayerGradients, layer_gradients

Array = NDArray[Any]

SHARE = 0.01
"""Of wall time that probing may take: half of what it is allowed, since whoever watches costs the run something as well."""
LEAST_INTERVAL = 0.25
"""Seconds between two looks: four a second is as often as a picture is drawn."""
SECOND_LOOK = 2.0
"""Seconds after the first, if that took long."""
SAMPLE_ROWS = 256
"""Training rows on which a unit must stay 0 to count as dead."""


class Probe:
    """When to look, and what was seen last."""

    def __init__(self, config: RunConfig, network: Network, sample: tuple[Array, Array]) -> None:
        self._config, self._network, self._sample = config, network, sample
        self.layers: tuple[LayerGradients, ...] = ()
        self.step: int | None = None
        self.subnormal: int | None = None
        self.seconds = 0.0
        self._next = 0.0
        self._cost = 0.0
        self._last: float | None = None

    def due(self, now: float) -> bool:
        return now >= self._next

    def before(self) -> list[Array]:
        """The parameters as they are, to compare with."""
        return [self._network.full.read(f"theta{layer}") for layer in self._layers()]

    def look(self, before: list[Array], step: int) -> None:
        """Keep the figures of the step just made, given the parameters before it."""
        full, dead = self._network.full, self._dead_units()
        self.layers = tuple(
            layer_gradients(layer, full.read(f"g{layer}"), old, full.read(f"theta{layer}"), dead[layer - 1])
            for layer, old in zip(self._layers(), before, strict=True)
        )
        self.step = step
        self.subnormal = self._network.subnormal()

    def cheap(self, every: float) -> bool:
        """Whether a look each `every` seconds stays within the share."""
        return self._cost <= SHARE * every

    def paid(self, now: float, cost: float) -> None:
        """Looking took `cost` seconds: the next look waits until that is a small share.

        The cheaper of the last two counts: the first look has everything in it that happens once, and on a busy machine any
        look may be held up; the picture of a whole run should not stand still for that.
        """
        self.seconds += cost
        self._cost = cost if self._last is None else min(cost, self._last)
        wait = self._cost / SHARE
        if self._last is None:  # soon enough to learn what a look really takes
            wait = min(wait, max(SECOND_LOOK, 10 * cost))
        self._last = cost
        self._next = now + max(LEAST_INTERVAL, wait)

    def _dead_units(self) -> list[float | None]:
        """Per layer, the share of ReLU units that are 0 on every row of the sample."""
        activations = self._config.activations
        if "relu" not in activations:
            return [None] * len(activations)
        inputs, targets = self._sample
        rows = np.arange(len(inputs))
        evaluation: BoundStep = self._network.evaluation(inputs, targets, len(rows))
        evaluation.evaluate(rows)
        shares: list[float | None] = []
        for layer, name in enumerate(activations, 1):
            dead = None if name != "relu" else float(np.mean(~(evaluation.read(f"a{layer}") > 0).any(axis=0)))
            shares.append(dead)
        return shares

    def _layers(self) -> range:
        return range(1, len(self._config.layers))
