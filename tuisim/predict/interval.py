"""A prediction interval: a likely value and its ends."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A likely value, and the ends between which the actual value is expected; all in one unit."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return all three times `factor`; infinite if no float is large enough."""
        try:
            by = float(factor)
        except OverflowError:  # an integer beyond every float
            by = math.inf
        # 0 times infinity is 0 here.
        low, likely, high = (value * by if value and by else 0.0 for value in (self.low, self.likely, self.high))
        return Interval(low, likely, high)

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values, None if one is not finite."""
        ends = {"low": self.low, "likely": self.likely, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in ends.items()}
