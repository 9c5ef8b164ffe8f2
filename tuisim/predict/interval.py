"""A number that is projected, and how far it may lie from that: low, likely, high.

It does not know what the number is of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """`likely`, and the ends between which it is expected; all of one unit."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Interval:
        """All three `factor` times as large; infinite where no float is large enough."""
        try:
            by = float(factor)
        except OverflowError:  # a whole number beyond every float
            by = math.inf
        # Nothing stays nothing, however often.
        low, likely, high = (value * by if value and by else 0.0 for value in (self.low, self.likely, self.high))
        return Interval(low, likely, high)

    def to_dict(self) -> dict[str, float | None]:
        """Null where a value is not finite."""
        ends = {"low": self.low, "likely": self.likely, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in ends.items()}
