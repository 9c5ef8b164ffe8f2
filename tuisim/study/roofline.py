"""The roofline of a profile: this machine's measured roofs, and each operation of the step as a dot beneath them.

After Williams, Waterman & Patterson (2009), "Roofline: an insightful visual performance model". The memory's roof is a copy's, so
what stays in a cache may rise above it. It draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tuisim.marks import Mark
from tuisim.measure.peaks import Peaks
from tuisim.study.limits import SCALARS, Limit, help_words, limit
from tuisim.study.profile import OpTime, Profile


class Bound(StrEnum):
    """Which roof is above an operation."""

    MEMORY = "memory"
    COMPUTE = "compute"


@dataclass(frozen=True, slots=True)
class Roofs:
    """What the machine can do: FLOP/s of its products, and bytes/s of its copies times FLOPs per byte."""

    flops_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """FLOPs per byte from which on computing is the lower roof."""
        return self.flops_per_second / self.bytes_per_second

    def at(self, intensity: float) -> float:
        """FLOP/s of the lower roof at so many FLOPs per byte."""
        return min(self.flops_per_second, intensity * self.bytes_per_second)

    def bound(self, intensity: float) -> Bound:
        return Bound.COMPUTE if intensity >= self.ridge else Bound.MEMORY


@dataclass(frozen=True, slots=True)
class Dot:
    """One operation against the roofs. What computes no FLOPs, or a few in all, has no place beneath them."""

    time: OpTime
    share: float
    """Of the step."""
    bound: Bound | None
    """None where it is about a few numbers only."""
    of_roof: float | None
    """Share of that roof; above 1 where operands stay in a cache."""
    limit: Limit
    help: str

    @property
    def place(self) -> tuple[float, float] | None:
        """(FLOPs per byte, FLOP/s) where it has both."""
        intensity, rate = self.time.intensity, self.time.flops_per_second
        if self.time.op.kind in SCALARS:
            return None
        return (intensity, rate) if intensity and rate else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.time.row.layer,
            "phase": self.time.row.phase.value,
            "operation": self.time.row.kind.value,
            "intensity": self.time.intensity,
            "flops_per_second": self.time.flops_per_second,
            "bytes_per_second": self.time.bytes_per_second,
            "bound": self.bound.value if self.bound else None,
            "of_roof": self.of_roof,
            "limit": self.limit.value,
            "help": self.help,
        }


@dataclass(frozen=True, slots=True)
class Roofline:
    """All of them, in the step's order."""

    roofs: Roofs
    of: str
    """Whose roofs: the library, kernel, threads and dtype."""
    dots: tuple[Dot, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `marks` says what kind of number each is."""
        return {
            "roofs": {
                "flops_per_second": self.roofs.flops_per_second,
                "bytes_per_second": self.roofs.bytes_per_second,
                "ridge": self.roofs.ridge,
                "of": self.of,
            },
            "dots": [dot.to_dict() for dot in self.dots],
            "marks": {
                "roofs": Mark.MEASURED, "dots[].layer": Mark.COUNTED, "dots[].intensity": Mark.COUNTED,
                "dots[].flops_per_second": Mark.MEASURED, "dots[].bytes_per_second": Mark.MEASURED,
                "dots[].of_roof": Mark.MEASURED,
            },
        }  # fmt: skip


def roofline(profile: Profile) -> Roofline:
    """The roofs of the profile's peaks, and a dot for each operation."""
    roofs = Roofs(profile.peaks.flops_per_second, profile.peaks.bytes_per_second)
    backend = profile.config.backend
    dots = tuple(_dot(one, profile.share(one), roofs, profile.peaks, backend) for one in profile.operations)
    return Roofline(roofs, profile.denominator, dots)


def _dot(one: OpTime, share: float, roofs: Roofs, peaks: Peaks, backend: str) -> Dot:
    bound: Bound | None = None
    of_roof: float | None = None
    if one.op.kind not in SCALARS and one.bytes:
        bound = roofs.bound(one.intensity or 0.0)
        if one.intensity:
            of_roof = _ratio(one.flops_per_second, roofs.at(one.intensity))
        else:
            of_roof = _ratio(one.bytes_per_second, roofs.bytes_per_second)
    return Dot(one, share, bound, of_roof, limit(one, peaks, backend), help_words(one, peaks, backend))


def _ratio(rate: float | None, roof: float) -> float | None:
    return None if rate is None else rate / roof
