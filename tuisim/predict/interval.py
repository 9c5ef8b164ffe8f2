"""A prediction interval: a likely value and its ends."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A likely value, and the ends between which the actual value is expected; all in one unit."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return all three times `factor`."""
        return Interval(factor * self.low, factor * self.likely, factor * self.high)

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values, None if one is not finite."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}
