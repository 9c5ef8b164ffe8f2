"""Figures of a layer's gradient (norm, update ratio, histogram) and its health in one word, from host arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 65_536
"""Maximum values of a histogram, evenly strided over the layer."""
HISTOGRAM_LOW, HISTOGRAM_HIGH, HISTOGRAM_BINS = -12, 4, 32
"""Decades of |g| that the histogram covers, and its bins; values outside are counted in the first or last bin, zeros in none."""

VANISHING_RATIO = 1e-7
"""A smaller ratio of update to parameters is lost in float32, whose spacing is 1.2e-7 of a value."""
EXPLODING_RATIO = 0.1
"""An update of a tenth of the length of the parameters; about 1e-3 is usual in training that converges."""


class Health(StrEnum):
    """A layer's gradient in one word."""

    OK = "OK"
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


def layer_gradients(
    layer: int, gradient: NDArray[Any], before: NDArray[Any], after: NDArray[Any], dead_units: float | None
) -> LayerGradients:
    """Return the figures of one layer from its flat gradient and its flat parameters `before` and `after` the update."""
    with np.errstate(all="ignore"):
        norm, length = euclidean_norm(gradient), euclidean_norm(before)
        ratio = euclidean_norm(after - before) / length if length > 0 else None
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
        health=_health(norm, ratio),
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


def _health(norm: float, ratio: float | None) -> Health:
    if not np.isfinite(norm) or (ratio is not None and not np.isfinite(ratio)):
        return Health.NON_FINITE
    if ratio is not None and ratio > EXPLODING_RATIO:
        return Health.EXPLODING
    if norm == 0 or (ratio is not None and ratio < VANISHING_RATIO):
        return Health.VANISHING
    return Health.OK
