"""A measured ceiling: a rate, its spread, and the conditions it was measured under."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuisim import units


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The best rate of repeated measurements."""

    per_second: float
    """FLOPs or bytes."""
    spread: float
    """(best − upper quartile) / upper quartile of the repeats, so that slow repeats of a busy system do not count."""
    kernel: str
    threads: int | None
    """None on a GPU."""
    dtype: str
    level: str = ""
    """L1 to L3 or DRAM; empty for arithmetic, and if the caches are unknown."""
    holds: int | None = None
    """Bytes of that level for these threads; None if unlimited."""

    @property
    def conditions(self) -> str:
        """Kernel, threads, dtype and spread, in words."""
        threads = "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads != 1)}"
        return f"{self.kernel}{threads}, {self.dtype}, ± {100 * self.spread:.0f} %"

    def share(self, rate: float) -> float:
        """Return `rate` as a share of the ceiling."""
        return rate / self.per_second

    def exceeded_by(self, rate: float) -> bool:
        """Return True if a rate is above the ceiling by more than its spread."""
        return rate > self.per_second * (1 + self.spread)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of the ceiling."""
        return {
            "level": self.level or None,
            "holds_bytes": self.holds,
            "per_second": self.per_second,
            "spread": self.spread,
            "kernel": self.kernel,
            "threads": self.threads,
            "dtype": self.dtype,
        }


ABOVE = "▲"
"""Marks a share above its ceiling by more than the spread."""


def share_text(share: float | None, above: bool, digits: int = 1) -> str:
    """Format a share of a ceiling, marked if it is above."""
    return units.percent(share, digits) + (f" {ABOVE}" if above else "")


def above_words(ceiling: Ceiling, name: str) -> str:
    """Explain a rate above `ceiling`."""
    return (
        f"above {name}, which was measured at another moment ({ceiling.conditions}): "
        "the machine is faster now, or this kernel is faster than the measured one"
    )
