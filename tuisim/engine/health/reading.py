"""A health reading: the figures of a run at one moment that the rules judge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tuisim.config import RunConfig
from tuisim.engine.events import Curves, Floats
from tuisim.engine.health.data_facts import DataFacts
from tuisim.measure.gradients import LayerGradients

WINDOWS = 10
"""Parts of equal length that the loss curve is judged by."""
MIN_POINTS = 3
"""Points of the curve in each window at least, so that the spread of a window is known."""
MIN_EXAMPLES = 200
"""Training examples in each window at least."""


@dataclass(frozen=True, slots=True)
class ThreadTrial:
    """Steps per second of the run with its threads, and of the same step with fewer."""

    threads: int
    steps_per_second: float
    fewer: int
    fewer_steps_per_second: float
    busy_cores: float
    """Cores that other processes used meanwhile."""


@dataclass(frozen=True, slots=True)
class Trend:
    """The loss curve since the learning rate was last changed, in WINDOWS parts of equal length."""

    means: Floats
    """Mean loss of each window."""
    errors: Floats
    """Standard error of each mean, from the spread of the points."""
    steps: int
    first: float
    """The loss of the run's first step."""

    @property
    def last(self) -> float:
        """The mean loss of the last window."""
        return float(self.means[-1])

    @property
    def low(self) -> float:
        """The lowest mean loss of a window."""
        return float(np.min(self.means))


@dataclass(frozen=True, kw_only=True)
class HealthReading:
    """The figures of a run after `step` steps."""

    config: RunConfig
    """The resolved configuration."""
    data: DataFacts
    step: int
    learning_rate: float
    """The configured learning rate, or the one last set by the user."""
    divergence: str | None = None
    """The place at which the run became non-finite; None if it is finite."""
    curves: Curves
    first_loss: float
    """The loss of the first step."""
    layers: tuple[LayerGradients, ...] = ()
    """The latest gradient sample, one entry per layer of weights; empty before the first."""
    validation_accuracy: float | None = None
    training_accuracy: float | None = None
    thread_trial: ThreadTrial | None = None
    """Measured step rates by threads; None if the threads do not wait."""

    @cached_property
    def trend(self) -> Trend | None:
        """The loss by windows; None while there are too few steps."""
        changed = self.curves.learning_rates[-1][0]
        chosen = self.curves.steps > changed
        steps, losses = self.curves.steps[chosen], self.curves.losses[chosen]
        if len(losses) < WINDOWS * MIN_POINTS or not np.isfinite(losses).all():
            return None
        parts = np.array_split(losses, WINDOWS)
        made = int(steps[-1]) - changed
        if made * self.config.full_batch < WINDOWS * MIN_EXAMPLES:
            return None
        errors = np.array([np.std(part, ddof=1) / np.sqrt(len(part)) for part in parts])
        return Trend(np.array([np.mean(part) for part in parts]), errors, made, self.first_loss)

    @property
    def hidden(self) -> tuple[LayerGradients, ...]:
        """The figures of the hidden layers."""
        return self.layers[:-1]

    @property
    def has_learned(self) -> bool:
        """True if the loss is below half of the best constant prediction's."""
        trend = self.trend
        return trend is not None and trend.last < self.data.constant_loss / 2
