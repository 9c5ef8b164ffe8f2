"""Validation loss and accuracy, measured so often that it takes a twentieth of the time, and always at the end of a run.

Training accuracy is measured at the same time, on a fixed sample no larger than the validation rows.
"""

from __future__ import annotations

from collections.abc import Callable

from tuisim.data import Dataset
from tuisim.engine.network import Network

SHARE = 0.05
"""Share of the training time that validation may take."""
TRAINING_SAMPLE = 1_000


class Validation:
    """The latest figures, and when they are due again."""

    def __init__(self, network: Network, data: Dataset) -> None:
        self._network = network
        self._rows = data.validation
        self._sample = data.sample(TRAINING_SAMPLE if self._rows is None else min(TRAINING_SAMPLE, len(self._rows[0])))
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.training_accuracy: float | None = None
        self.step: int | None = None
        self.seconds = 0.0
        self._cost = 0.0

    def is_due(self, training_seconds: float) -> bool:
        """Return True if one more measurement stays within the share; the first is always due."""
        return self.step is None or self.seconds + self._cost <= SHARE * training_seconds

    def measure(self, step: int, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Measure with the parameters after `step`; False if it was cancelled, which keeps the figures as they were."""
        figures = (None, None) if self._rows is None else self._network.evaluate(*self._rows, is_cancelled)
        sample = None if figures is None else self._network.evaluate(*self._sample, is_cancelled)
        if figures is None or sample is None:
            return False
        (self.loss, self.accuracy), (_, self.training_accuracy) = figures, sample
        self.step = step
        return True

    def add_cost(self, cost: float) -> None:
        """Count the `cost` seconds of the latest measurement."""
        self.seconds += cost
        self._cost = cost
