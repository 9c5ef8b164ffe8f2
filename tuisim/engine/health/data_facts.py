"""Figures of the training rows that the rules compare a run with, from a fixed sample of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import Dataset

Array = NDArray[Any]

SAMPLE = 1_000
"""Training rows that the figures are computed from."""
RANGES = {
    "relu": (0.0, np.inf),
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "gelu": (-0.17005, np.inf),
    "silu": (-0.27847, np.inf),
    "softplus": (0.0, np.inf),
    "elu": (-1.0, np.inf),
}
"""The outputs that an activation can produce (minima rounded down); identity and leaky_relu produce any number."""
SLACK = 1e-6
"""Distance from the range within which a target counts as reached, for the rounding of scaled targets."""


@dataclass(frozen=True, slots=True)
class DataFacts:
    """Figures of the training rows of a run."""

    kind: str
    """classes (one per row), multi-label or regression."""
    constant_loss: float
    """The loss of the best prediction that is the same for every row."""
    largest_class: str | None
    """The name of the class of most rows; None unless each row has one class."""
    largest_share: float | None
    """Its share of the rows."""
    input_scale: float
    """The root mean square of the largest input column."""
    out_of_range: float
    """Share of the targets that the output activation cannot produce."""
    nonzero_outputs: int
    """Outputs whose target is not 0 on every row."""


def data_facts(data: Dataset) -> DataFacts:
    """Return the figures of the first SAMPLE training rows of the seeded order."""
    inputs, targets = data.sample(SAMPLE)
    config, outputs = data.config, data.config.layers[-1]
    shares = _class_shares(targets, outputs) if data.kind == "classes" else None
    values = targets.astype(np.float64, copy=False) if targets.ndim == 2 else None
    low, high = RANGES.get(config.output_activation, (-np.inf, np.inf))
    largest = None if shares is None else int(np.argmax(shares))
    return DataFacts(
        kind=data.kind,
        constant_loss=_constant_loss(config.loss, shares, values),
        largest_class=None if largest is None else data.names[largest] if data.names else str(largest),
        largest_share=None if shares is None else float(np.max(shares)),
        input_scale=float(np.sqrt(np.max(np.mean(np.square(inputs, dtype=np.float64), axis=0)))),
        out_of_range=0.0 if values is None else float(np.mean((values < low - SLACK) | (values > high + SLACK))),
        nonzero_outputs=outputs if values is None else int(np.count_nonzero(np.any(values != 0, axis=0))),
    )


def _class_shares(targets: Array, outputs: int) -> Array:
    """Return the share of the rows in each class; targets are class numbers, one-hot rows, or one column of 0 and 1."""
    if targets.ndim == 2:
        targets = np.argmax(targets, axis=1) if outputs > 1 else targets[:, 0] > 0.5
    return np.bincount(targets.astype(np.intp), minlength=outputs) / len(targets)


def _constant_loss(loss: str, shares: Array | None, values: Array | None) -> float:
    """Return the entropy of the classes, the mean entropy of the outputs' 0 and 1, or the mean variance of the outputs.

    The best constant output is the logarithm of the classes' shares, the logit of each output's mean, or the mean itself.
    """
    if loss == "cross_entropy":
        assert shares is not None
        return _entropy(shares)
    assert values is not None
    if loss == "binary_cross_entropy":
        return float(np.mean([_entropy(np.array([p, 1 - p])) for p in values.mean(axis=0)]))
    return float(np.mean(np.var(values, axis=0)))


def _entropy(shares: Array) -> float:
    """Return −Σ p·log p in nats; a share of 0 adds nothing."""
    present = shares[shares > 0]
    return float(-np.sum(present * np.log(present)))
