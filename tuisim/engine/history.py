"""The history of a run in bounded memory: when a curve is full, neighbours are merged and the stride doubles."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np

from tuisim.engine.events import Curves, Floats

POINTS = 512
"""Maximum points of a curve; a terminal 200 columns wide shows 400 braille dots."""
CHANGES = 64
"""Maximum learning rates that the curves show."""


class MeanCurve:
    """The mean of every `stride` values, over at most POINTS points."""

    def __init__(self) -> None:
        self.stride = 1
        self.first = np.nan
        """The first value."""
        self._steps: list[float] = []
        self._means: list[float] = []
        self._sum = 0.0
        self._count = 0
        self._step = 0

    def extend(self, values: Sequence[float]) -> None:
        """Add the values of consecutive steps."""
        at = 0
        if not self._step and values:
            self.first = float(values[0])
        while at < len(values):
            taken = values[at : at + self.stride - self._count]
            at += len(taken)
            self._sum += sum(taken)
            self._count += len(taken)
            self._step += len(taken)
            if self._count < self.stride:
                continue
            self._steps.append(float(self._step))
            self._means.append(self._sum / self._count)
            self._sum, self._count = 0.0, 0
            if len(self._means) == POINTS:
                self._means = [(a + b) / 2 for a, b in zip(self._means[::2], self._means[1::2], strict=True)]
                self._steps = self._steps[1::2]
                self.stride *= 2

    def arrays(self) -> tuple[Floats, Floats]:
        """Return steps and means, with the unfinished point."""
        steps, means = self._steps, self._means
        if self._count:
            steps, means = [*steps, float(self._step)], [*means, self._sum / self._count]
        return _frozen(steps), _frozen(means)


class SampledCurves:
    """Figures measured at the same steps; when full, every second sample is dropped, but not the latest."""

    def __init__(self, figures: int) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._figures = figures

    def append(self, step: int, *values: float | None) -> None:
        """Add the figures measured after `step`; None becomes nan."""
        row = (float(step), *(np.nan if value is None else value for value in values))
        if self._rows and self._rows[-1][0] == row[0]:  # measured again
            self._rows.pop()
        self._rows.append(row)
        if len(self._rows) == POINTS:
            self._rows = self._rows[1::2]

    def take(self, other: SampledCurves, step: int) -> None:
        """Take the samples of `other` up to `step` in place of the own ones."""
        self._rows = [row for row in other._rows if row[0] <= step]

    def arrays(self) -> list[Floats]:
        """Return the steps and one array per figure."""
        columns = zip(*self._rows, strict=True) if self._rows else [()] * (self._figures + 1)
        return [_frozen(column) for column in columns]


class History:
    """Losses, validation figures and learning rates of a run."""

    def __init__(self, learning_rate: float) -> None:
        self.losses = MeanCurve()
        self.validation = SampledCurves(3)
        self.clock = SampledCurves(1)
        """Training seconds after a step, at each snapshot."""
        self.learning_rates: list[tuple[int, float]] = [(0, learning_rate)]

    def copy(self) -> History:
        """Return a copy that further steps do not change."""
        return deepcopy(self)

    def take_samples(self, other: History, step: int) -> None:
        """Take the figures that `other` has measured up to `step`, which are not measured again when steps are replayed."""
        self.validation.take(other.validation, step)
        self.clock.take(other.clock, step)

    def curves(self) -> Curves:
        """Return the history as read-only arrays."""
        steps, losses = self.losses.arrays()
        measured, validation_losses, validation_accuracies, training_accuracies = self.validation.arrays()
        rates = tuple(self.learning_rates[-CHANGES:])
        return Curves(
            steps, losses, measured, validation_losses, validation_accuracies, training_accuracies, rates, *self.clock.arrays()
        )


def _frozen(values: Sequence[float]) -> Floats:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
