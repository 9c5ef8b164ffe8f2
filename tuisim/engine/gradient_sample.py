"""Gradient samples: an ordinary step whose gradients and parameters are read before and after it, at a limited rate.

The step is the one that was due anyway, so what is learned does not change; the time for reading is counted apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.engine.network import Network
from tuisim.measure.gradients import LayerGradients, judged_together, layer_gradients

Array = NDArray[Any]

SHARE = 0.01
"""Share of wall time for gradient samples: half of what is allowed, because drawing them costs the run time as well."""
QUIET_SHARE = 0.002
"""The same for a run without a screen, whose samples serve the hints alone."""
MIN_INTERVAL = 0.25
"""Seconds between two samples; a screen does not show more than four per second."""
SECOND_SAMPLE = 2.0
"""Maximum seconds between the first sample and the second, even if the first took long."""
SAMPLE_ROWS = 256
"""Training rows on which the output of a dead unit is always 0."""


class GradientSampler:
    """The latest gradient sample, and when the next is due."""

    def __init__(self, config: RunConfig, network: Network, rows: tuple[Array, Array], share: float = SHARE) -> None:
        self._config, self._network, self._rows, self._share = config, network, rows, share
        self._layers = range(1, len(config.layers))
        self.layers: tuple[LayerGradients, ...] = ()
        self.step: int | None = None
        self.subnormal: int | None = None
        self.seconds = 0.0
        self._next = 0.0
        self._cost = 0.0
        self._last: float | None = None

    def is_due(self, now: float) -> bool:
        """Return True if the next sample may be taken."""
        return now >= self._next

    def is_cheap(self, interval: float) -> bool:
        """Return True if a sample every `interval` seconds stays within the share."""
        return self._cost <= self._share * interval

    def read_parameters(self) -> list[Array]:
        """Return a copy of the flat parameters of each layer, to compare with after the step."""
        return [self._network.full.read(f"theta{layer}") for layer in self._layers]

    def sample(self, before: list[Array] | None, step: int) -> None:
        """Keep the figures of the step just made, given the parameters before it; without them no update ratio."""
        full, dead, sizes = self._network.full, self._dead_units(), self._config.layers
        self.layers = judged_together(
            [
                layer_gradients(
                    layer,
                    full.read(f"g{layer}"),
                    None if before is None else before[layer - 1],
                    full.read(f"theta{layer}"),
                    dead[layer - 1],
                    sizes[layer],
                )
                for layer in self._layers
            ]
        )
        self.step = step
        self.subnormal = self._network.subnormal()

    def sample_standing(self, step: int) -> None:
        """Keep the figures of the latest step with the update ratios of the latest sample, unless it is that sample."""
        if self.step == step:
            return
        ratios = [layer.update_ratio for layer in self.layers] or [None] * len(self._layers)
        self.sample(None, step)
        self.layers = tuple(replace(layer, update_ratio=ratio) for layer, ratio in zip(self.layers, ratios, strict=True))

    def delay(self, now: float) -> None:
        """Take no sample within the shortest interval: a run as short as that is sampled at its end."""
        self._next = now + MIN_INTERVAL

    def add_cost(self, now: float, cost: float) -> None:
        """Delay the next sample until the `cost` seconds of this one are a small share of the time.

        The smaller of the last two costs counts: the first sample includes one-time costs, and on a busy machine any sample may
        be delayed; one slow sample should not delay all later ones.
        """
        self.seconds += cost
        self._cost = cost if self._last is None else min(cost, self._last)
        wait = self._cost / self._share
        if self._last is None and self._share == SHARE:  # a second sample soon shows the real cost
            wait = min(wait, max(SECOND_SAMPLE, 10 * cost))
        self._last = cost
        self._next = now + max(MIN_INTERVAL, wait)

    def _dead_units(self) -> list[float | None]:
        """Return for each layer the share of ReLU units that are 0 on every row of the sample."""
        activations = self._config.activations
        if "relu" not in activations:
            return [None] * len(activations)
        inputs, targets = self._rows
        rows = np.arange(len(inputs))
        evaluation = self._network.evaluation(inputs, targets, len(rows))
        evaluation.evaluate(rows)
        return [
            float(np.mean(~(evaluation.read(f"a{layer}") > 0).any(axis=0))) if name == "relu" else None
            for layer, name in enumerate(activations, 1)
        ]
