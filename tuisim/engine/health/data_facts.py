"""Figures of the training rows that the rules compare a run with, from a fixed sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig

Array = NDArray[Any]

SAMPLE = 1_000
"""Training rows that the figures are computed from."""
RANGES = {"relu": (0.0, np.inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softplus": (0.0, np.inf)}
"""The outputs that an activation can produce; the others reach negative and positive numbers of any size."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Figures of the training rows of a run."""

    kind: str
    """classes or regression."""
    exclusive: bool
    """True if each row has exactly one class."""
    constant_loss: float
    """The loss of the best prediction that is the same for every row."""
    largest_class: int | None
    """The class of most rows; None unless each row has one class."""
    largest_share: float | None
    """Its share of the rows."""
    input_scale: float
    """The root mean square of the largest input column."""
    out_of_range: float
    """Share of the targets that the output activation cannot produce."""
    nonzero_outputs: int
    """Outputs whose target is not 0 on every row."""


def data_facts(config: RunConfig, kind: str, inputs: Array, targets: Array) -> DataFacts:
    """Return the figures of these rows: inputs (rows, inputs), targets as the loss takes them."""
    outputs = config.layers[-1]
    labels = _labels(kind, targets)
    share = None if labels is None else np.bincount(labels, minlength=outputs) / len(labels)
    values = targets.astype(np.float64, copy=False) if targets.ndim == 2 else None
    low, high = RANGES.get(config.output_activation, (-np.inf, np.inf))
    slack = 1e-6
    return DataFacts(
        kind=kind,
        exclusive=labels is not None,
        constant_loss=_constant_loss(config.loss, share, values),
        largest_class=None if share is None else int(np.argmax(share)),
        largest_share=None if share is None else float(np.max(share)),
        input_scale=float(np.sqrt(np.max(np.mean(np.square(inputs, dtype=np.float64), axis=0)))),
        out_of_range=0.0 if values is None else float(np.mean((values < low - slack) | (values > high + slack))),
        nonzero_outputs=outputs if values is None else int(np.count_nonzero(np.any(values != 0, axis=0))),
    )


def _labels(kind: str, targets: Array) -> NDArray[np.intp] | None:
    """Return the class of each row; None unless each row has exactly one."""
    if targets.ndim == 1:
        return targets.astype(np.intp)
    if kind != "classes":
        return None
    if targets.shape[1] == 1:
        return (targets[:, 0] > 0.5).astype(np.intp)
    is_one = targets > 0.5
    return np.argmax(is_one, axis=1) if bool(np.all(is_one.sum(axis=1) == 1)) else None


def _constant_loss(loss: str, share: Array | None, values: Array | None) -> float:
    if loss == "cross_entropy":
        assert share is not None
        return _entropy(share)
    assert values is not None
    if loss == "binary_cross_entropy":
        means = values.mean(axis=0)
        return float(np.mean([_entropy(np.array([p, 1 - p])) for p in means]))
    return float(np.mean(np.var(values, axis=0)))


def _entropy(share: Array) -> float:
    present = share[share > 0]
    return float(-np.sum(present * np.log(present)))
