"""Figures of the validation rows from the network's outputs: accuracy, confusion matrix, errors in the target's own unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import Dataset

Array = NDArray[Any]

MAX_CLASSES = 100
"""Classes up to which a confusion matrix is made."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Numbers of validation rows by target class and predicted class."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """One row per target class, one column per predicted class."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"classes": list(self.classes), "counts": [list(row) for row in self.counts]}


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of some rows. None: the figure does not exist for this kind of target, or is not finite."""

    loss: float | None = None
    accuracy: float | None = None
    """The share of rows whose largest output is their class; for multi-label targets the share of correct outputs."""
    baseline: float | None = None
    """The accuracy of a network that says no everywhere; for multi-label targets only."""
    rmse: float | None = None
    """The root of the mean squared error in the target's own unit, the mean over the outputs."""
    r2: float | None = None
    """1 - squared errors / squared deviations from the mean, the mean over the outputs."""
    confusion: Confusion | None = None


def threshold_of(loss: str) -> float:
    """Return the output above which a single output, or one of several labels, says yes."""
    return 0.0 if loss == "binary_cross_entropy" else 0.5


def predicted_classes(outputs: Array, threshold: float) -> Array:
    """Return the class of each row: of the largest output, or whether a single one is above the threshold."""
    single: Array = (outputs[:, 0] > threshold).astype(np.intp)
    return outputs.argmax(axis=1) if outputs.shape[1] > 1 else single


def target_classes(targets: Array) -> Array:
    """Return the class of each row of targets as the loss takes them."""
    return targets if targets.dtype.kind == "i" else predicted_classes(targets, 0.5)


class FigureSums:
    """The sums over the rows (X, Y) of a dataset from which their figures are computed, batch by batch."""

    def __init__(self, data: Dataset, targets: Array) -> None:
        self._data, self._targets = data, targets
        self._outputs = 1 if targets.ndim == 1 else targets.shape[1]
        self._threshold = threshold_of(data.config.loss)
        self._labels: Array | None = target_classes(targets) if data.kind == "classes" else None
        self._classes = max(2, data.config.layers[-1])
        self._deviations = np.var(targets, axis=0, dtype=np.float64) * len(targets) if data.kind == "regression" else None
        self._baseline = float(np.mean(targets <= 0.5)) if data.kind == "multi-label" else None
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self._correct = 0
        self._squares = np.zeros(self._outputs)
        self._pairs = np.zeros(self._classes**2 if self._labels is not None and self._classes <= MAX_CLASSES else 0, np.int64)

    def add(self, rows: slice, outputs: Array) -> None:
        """Add a batch, given the network's outputs (rows, outputs)."""
        if self._labels is not None:
            labels, predicted = self._labels[rows], predicted_classes(outputs, self._threshold)
            self._correct += int(np.count_nonzero(labels == predicted))
            if self._pairs.size:
                self._pairs += np.bincount(labels * self._classes + predicted, minlength=self._pairs.size)
        elif self._deviations is None:
            self._correct += int(np.count_nonzero((outputs > self._threshold) == (self._targets[rows] > 0.5)))
        else:
            self._squares += np.square(outputs.astype(np.float64) - self._targets[rows]).sum(axis=0)

    def figures(self, loss: float) -> Figures:
        """Return the figures of all rows, given their mean loss."""
        if not math.isfinite(loss):  # the largest of outputs that are not finite is no prediction
            return Figures(loss)
        rows = len(self._targets)
        if self._deviations is None:
            count = rows if self._labels is not None else rows * self._outputs
            return Figures(loss, self._correct / count, self._baseline, confusion=self._confusion())
        with np.errstate(invalid="ignore"):  # 0 times the spread of a constant target
            rmse = float(np.mean(np.sqrt(self._squares / rows) * self._data.target_spread))
        r2 = float(np.mean(1 - self._squares / self._deviations)) if (self._deviations > 0).all() else None
        return Figures(loss, rmse=rmse if math.isfinite(rmse) else None, r2=r2)

    def _confusion(self) -> Confusion | None:
        if not self._pairs.size:
            return None
        counts = self._pairs.reshape(self._classes, self._classes).tolist()
        names = self._data.names or tuple(map(str, range(self._classes)))
        return Confusion(names, tuple(map(tuple, counts)))
