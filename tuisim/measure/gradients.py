"""Figures of a layer's gradient (norm, update ratio, histogram) and its health in one word, from host arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 65_536
"""Maximum values of a histogram, evenly strided over the layer."""
HISTOGRAM_LOW, HISTOGRAM_HIGH, HISTOGRAM_BINS = -12, 4, 32
"""Decades of |g| that the histogram covers, and its bins; values outside are counted in the first or last bin, zeros in none."""

VANISHING_SHARE = 1e-2
"""A layer whose gradient per parameter is smaller than this share of the largest layer's learns nothing while others learn."""
EXPLODING_RATIO = 0.1
"""An update of a tenth of the length of the parameters; about 1e-3 is usual in training that converges."""


class Health(StrEnum):
    """A layer's gradient in one word."""

    OK = "OK"
    DEAD = "dead"
    ZERO = "zero"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NON_FINITE = "non-finite"


@dataclass(frozen=True, slots=True)
class LayerGradients:
    """The gradient of one layer (weights and biases) in one sample."""

    layer: int
    """From 1, input side first."""
    norm: float
    """‖g‖₂ of the mean loss over the batch, before decay."""
    update_ratio: float | None
    """‖Δθ‖ / ‖θ‖ of the update just made; None if the parameters were all zero."""
    dead_units: float | None
    """Share of the layer's units whose activation is 0 for every row of a fixed training sample; None unless relu."""
    histogram: tuple[int, ...]
    """Counts of log10|g| in HISTOGRAM_BINS equal bins from HISTOGRAM_LOW to HISTOGRAM_HIGH."""
    sampled: int
    total: int
    health: Health
    has_identical_units: bool = False
    """True if all units of the layer have the same weights, so that they stay copies of each other."""

    @property
    def magnitude(self) -> float:
        """The root mean square of the gradient's values."""
        return self.norm / math.sqrt(self.total)


def layer_gradients(
    layer: int,
    gradient: NDArray[Any],
    before: NDArray[Any] | None,
    after: NDArray[Any],
    dead_units: float | None,
    outputs: int = 1,
) -> LayerGradients:
    """Return the figures of one layer from its flat gradient and its flat parameters `before` and `after` the update.

    Without `before` the update ratio is unknown. The parameters are the weights (inputs, `outputs`) and then the biases.
    """
    with np.errstate(all="ignore"):
        norm, ratio = euclidean_norm(gradient), None
        if before is not None and (length := euclidean_norm(before)) > 0:
            ratio = euclidean_norm(after - before) / length
        values = gradient[:: max(1, -(-gradient.size // SAMPLE))]
        magnitudes = np.abs(values[(values != 0) & np.isfinite(values)])
        places = (np.log10(magnitudes) - HISTOGRAM_LOW) * (HISTOGRAM_BINS / (HISTOGRAM_HIGH - HISTOGRAM_LOW))
        # Bins of equal width need no search for their edges: half the time of `np.histogram`.
        counts = np.bincount(np.clip(places, 0, HISTOGRAM_BINS - 1).astype(np.intp), minlength=HISTOGRAM_BINS)
    return LayerGradients(
        layer=layer,
        norm=norm,
        update_ratio=ratio,
        dead_units=dead_units,
        histogram=tuple(int(n) for n in counts),
        sampled=int(values.size),
        total=int(gradient.size),
        health=_health(norm, ratio, dead_units),
        has_identical_units=outputs > 1 and _has_equal_columns(after[: -outputs or None].reshape(-1, outputs)),
    )


def judged_together(layers: Sequence[LayerGradients]) -> tuple[LayerGradients, ...]:
    """Return the layers of one sample with those marked as vanishing whose gradient is far below the largest layer's.

    The gradient of a network that has converged is small in every layer, and no layer of it vanishes (Glorot & Bengio 2010
    compare the layers of one network for the same reason).
    """
    largest = max((layer.magnitude for layer in layers if math.isfinite(layer.norm)), default=0.0)
    return tuple(
        replace(layer, health=Health.VANISHING)
        if layer.health is Health.OK and layer.magnitude < VANISHING_SHARE * largest
        else layer
        for layer in layers
    )


def euclidean_norm(values: NDArray[Any]) -> float:
    """Return ‖values‖₂ of a flat array, also if the squares are beyond the range of its dtype."""
    limits = np.finfo(values.dtype)
    square = float(np.dot(values, values))
    # A square that underflows changes a sum of this size by less than the smallest normal number.
    if values.size * float(limits.tiny / limits.eps) < square < np.inf:
        return float(np.sqrt(square))
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    scaled = values.astype(np.float64) / largest
    return largest * float(np.sqrt(np.dot(scaled, scaled)))


def _has_equal_columns(weights: NDArray[Any]) -> bool:
    # The first row tells almost always.
    return all(bool(np.all(rows == rows[:, :1])) for rows in (weights[:1], weights))


def _health(norm: float, ratio: float | None, dead_units: float | None) -> Health:
    if not math.isfinite(norm) or (ratio is not None and not math.isfinite(ratio)):
        return Health.NON_FINITE
    if dead_units == 1:
        return Health.DEAD
    if ratio is not None and ratio > EXPLODING_RATIO:
        return Health.EXPLODING
    return Health.ZERO if norm == 0 else Health.OK
