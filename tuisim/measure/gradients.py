"""What a layer's gradient looks like, and what a person should think of it.

Works on host arrays of one moment; it does not know where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 65_536
"""Histograms are of at most this many values, evenly strided over the layer."""
HISTOGRAM_LOW, HISTOGRAM_HIGH, HISTOGRAM_BINS = -12, 4, 32
"""Decades of |g| the histogram covers, and its bins; values outside fall into the end bins, zeros into none."""

VANISHING_RATIO = 1e-7
"""An update this small against its weights is lost in float32, whose spacing is 1.2e-7 of a value."""
EXPLODING_RATIO = 0.1
"""An update of a tenth of the weights' own length; about 1e-3 is usual for training that goes well."""


class Health(StrEnum):
    """A layer's gradient in one word."""

    FINE = "fine"
    VANISHING = "vanishing"
    EXPLODING = "exploding"
    NON_FINITE = "non-finite"


@dataclass(frozen=True, slots=True)
class LayerGradients:
    """One layer of weights (its biases included) at one probed step."""

    layer: int
    """From 1, input side first."""
    norm: float
    """‖g‖₂ of the mean loss over the batch, before decay."""
    update_ratio: float | None
    """‖Δθ‖ / ‖θ‖ of the update just made; none where the parameters were all zero."""
    dead_units: float | None
    """Share of the layer's units whose activation is 0 for every row of a fixed training sample; relu alone, else none."""
    histogram: tuple[int, ...]
    """Counts of log10|g| in HISTOGRAM_BINS equal bins from HISTOGRAM_LOW to HISTOGRAM_HIGH."""
    sampled: int
    """Values the histogram is of."""
    total: int
    """Values the layer has."""
    health: Health


def layer_gradients(
    layer: int, gradient: NDArray[Any], before: NDArray[Any], after: NDArray[Any], dead_units: float | None
) -> LayerGradients:
    """Figures of one layer from its flat gradient and its flat parameters `before` and `after` the update."""
    with np.errstate(all="ignore"):
        norm, length = euclidean_norm(gradient), euclidean_norm(before)
        ratio = euclidean_norm(after - before) / length if length > 0 else None
        values = gradient[:: max(1, -(-gradient.size // SAMPLE))]
        magnitudes = np.abs(values[(values != 0) & np.isfinite(values)])
        places = (np.log10(magnitudes) - HISTOGRAM_LOW) * (HISTOGRAM_BINS / (HISTOGRAM_HIGH - HISTOGRAM_LOW))
        # Bins of one width need no search for their edges: half the time of `np.histogram`.
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
    """Return ‖values‖₂ of a flat array, also where the squares lie beyond what its dtype holds."""
    limits = np.finfo(values.dtype)
    square = float(np.dot(values, values))
    # A square that underflows takes less than the smallest normal number from a sum of this size.
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
    return Health.FINE
