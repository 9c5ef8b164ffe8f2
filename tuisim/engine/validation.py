"""Validation loss and its other figures, measured so often that it takes a twentieth of the time, and always at the end of a run.

Training accuracy is measured at the same time, on a fixed sample no larger than the validation rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from tuisim.data import Dataset
from tuisim.engine.figures import Figures, FigureSums
from tuisim.engine.network import Network

SHARE = 0.05
"""Share of the training time that validation may take."""
TRAINING_SAMPLE = 1_000

Rows = tuple[NDArray[Any], NDArray[Any]]
"""X and Y."""


class Validation:
    """The latest figures, and when they are due again."""

    def __init__(self, network: Network, data: Dataset) -> None:
        self._network = network
        self._rows = data.validation
        self._sample = data.sample(TRAINING_SAMPLE if self._rows is None else min(TRAINING_SAMPLE, len(self._rows[0])))
        self._sums = None if self._rows is None else FigureSums(data, self._rows[1])
        self._sample_sums = FigureSums(data, self._sample[1])
        self.figures = Figures()
        self.training_accuracy: float | None = None
        self.step: int | None = None
        """The step whose parameters were measured last; None before the first measurement."""
        self.is_finite = True
        """False if the latest loss of the validation rows or of the sample is not finite."""
        self.seconds = 0.0
        self._cost = 0.0

    def is_due(self, training_seconds: float) -> bool:
        """Return True if one more measurement stays within the share; the first is always due."""
        return self.step is None or self.seconds + self._cost <= SHARE * training_seconds

    def measure(self, step: int, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Measure with the parameters after `step`; False if it was cancelled, which keeps the figures as they were."""
        figures = Figures()
        if self._rows is not None and self._sums is not None:
            measured = self._measure(self._rows, self._sums, is_cancelled)
            if measured is None:
                return False
            figures = measured
        sample = self._measure(self._sample, self._sample_sums, is_cancelled)
        if sample is None:
            return False
        self.figures, self.training_accuracy, self.step = figures, sample.accuracy, step
        self.is_finite = all(loss is None or math.isfinite(loss) for loss in (figures.loss, sample.loss))
        return True

    def _measure(self, rows: Rows, sums: FigureSums, is_cancelled: Callable[[], bool]) -> Figures | None:
        sums.clear()
        loss = self._network.evaluate(*rows, is_cancelled, sums.add)
        return None if loss is None else sums.figures(loss)

    def forget(self) -> None:
        """Forget the latest figures, which are not those of the present parameters."""
        self.figures, self.training_accuracy, self.step = Figures(), None, None

    def add_cost(self, cost: float) -> None:
        """Count the `cost` seconds of the latest measurement."""
        self.seconds += cost
        self._cost = cost
