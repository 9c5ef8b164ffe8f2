"""Held-out loss and accuracy: measured so often that it takes a twentieth of the time, and always at the end.

Training accuracy is measured at the same moments, on a fixed sample no larger than the held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from tuisim.data import Dataset
from tuisim.engine.network import Network

SHARE = 0.05
"""Of the training time that validation may take."""
TRAINING_SAMPLE = 1_000


class Validation:
    """The latest figures, and when they are due again."""

    def __init__(self, network: Network, data: Dataset) -> None:
        self._network = network
        self._held_out = data.validation
        size = TRAINING_SAMPLE if data.validation is None else min(TRAINING_SAMPLE, len(data.validation[0]))
        self._sample: tuple[NDArray[Any], NDArray[Any]] = data.sample(size)
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.training_accuracy: float | None = None
        self.step: int | None = None
        self.seconds = 0.0
        self._cost = 0.0

    def due(self, training_seconds: float) -> bool:
        """Whether one more would keep within the share; the first is always due."""
        return self.step is None or self.seconds + self._cost <= SHARE * training_seconds

    def measure(self, step: int, give_way: Callable[[], bool] = lambda: False) -> bool:
        """Measure with the parameters as they are after `step`; false, and nothing kept, where it gave way."""
        held_out = (None, None) if self._held_out is None else self._network.evaluate(*self._held_out, give_way)
        sample = None if held_out is None else self._network.evaluate(*self._sample, give_way)
        if held_out is None or sample is None:
            return False
        (self.loss, self.accuracy), (_, self.training_accuracy) = held_out, sample
        self.step = step
        return True

    def paid(self, cost: float) -> None:
        self.seconds += cost
        self._cost = cost
