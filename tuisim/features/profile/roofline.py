"""The roofline of a profile: this machine's measured roofs, and each operation of the step as a dot below them.

After Williams, Waterman & Patterson (2009), "Roofline: an insightful visual performance model", with a memory roof per cache
level as in Ilic, Pratas & Sousa (2014), "Cache-aware roofline model".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tuisim import units
from tuisim.features.profile.bottleneck import SCALARS, Bottleneck, advice, bottleneck
from tuisim.features.profile.step_profile import OperationTime, StepProfile
from tuisim.measure.ceiling import Ceiling, above_words
from tuisim.provenance import Provenance


class Bound(StrEnum):
    """The roof above an operation."""

    MEMORY = "memory"
    COMPUTE = "compute"


@dataclass(frozen=True, slots=True)
class Roofs:
    """The machine's limits: FLOP/s of its matrix products, and bytes/s of its copies times FLOP/byte."""

    flops_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """The FLOP/byte above which computing is the lower roof."""
        return self.flops_per_second / self.bytes_per_second

    def at(self, intensity: float) -> float:
        """Return the FLOP/s of the lower roof at an intensity in FLOP/byte."""
        return min(self.flops_per_second, intensity * self.bytes_per_second)

    def bound(self, intensity: float) -> Bound:
        """Return the lower roof at an intensity."""
        return Bound.COMPUTE if intensity >= self.ridge else Bound.MEMORY


@dataclass(frozen=True, slots=True)
class Dot:
    """One operation and its roof. An operation with no FLOPs, or only a few, has no place in the picture."""

    time: OperationTime
    share: float
    """The share of the step."""
    bound: Bound | None
    """None for an operation on a few numbers only."""
    of_roof: float | None
    """The rate as a share of that roof."""
    ceiling: Ceiling | None
    """The roof itself: FLOP/s, or bytes/s of the level that holds the operation's buffers."""
    memory: Ceiling
    """The memory roof of that level, whichever of the two is the lower one."""
    above: str | None
    """Explanation of a rate above its roof beyond the measured spread; None if it is not, or if the caches are not known."""
    bottleneck: Bottleneck
    advice: str

    @property
    def roof(self) -> str:
        """The roof's name: `L2`, `DRAM`, `compute`; `memory` if the caches are not known. Blank without a roof."""
        if self.bound is Bound.MEMORY and self.ceiling is not None and self.ceiling.level:
            return self.ceiling.level
        return self.bound.value if self.bound else ""

    @property
    def judged(self) -> bool:
        """True if the roof is measured for the level that holds the buffers, so that a rate above it means something."""
        return self.of_roof is not None and self.ceiling is not None and self.roof != Bound.MEMORY

    @property
    def place(self) -> tuple[float, float] | None:
        """(FLOP/byte, FLOP/s); None if it has not both."""
        intensity, rate = self.time.intensity, self.time.flops_per_second
        if self.time.op.kind in SCALARS:
            return None
        return (intensity, rate) if intensity and rate else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "layer": self.time.row.layer,
            "phase": self.time.row.phase.value,
            "operation": self.time.row.kind.value,
            "intensity": self.time.intensity,
            "flops_per_second": self.time.flops_per_second,
            "bytes_per_second": self.time.bytes_per_second,
            "bound": self.bound.value if self.bound else None,
            "level": self.memory.level or None if self.bound else None,
            "roof": self.ceiling.per_second if self.ceiling else None,
            "roof_spread": self.ceiling.spread if self.ceiling else None,
            "of_roof": self.of_roof,
            "above_roof": self.above is not None if self.judged else None,
            "above_roof_reason": self.above,
            "limit": self.bottleneck.value,
            "help": self.advice,
        }


@dataclass(frozen=True, slots=True)
class Roofline:
    """The roofs and a dot for each operation, in the step's order."""

    roofs: Roofs
    of: str
    """The source of the roofs: library, kernel, threads and dtype."""
    dots: tuple[Dot, ...]
    levels: tuple[Ceiling, ...] = ()
    """Memory roofs by level; empty if the caches are not known."""

    def levels_for(self, dot: Dot) -> tuple[Ceiling, ...]:
        """Return the memory roofs measured with the threads that an operation uses."""
        return tuple(level for level in self.levels if level.threads == dot.memory.threads)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `marks` gives their provenance."""
        return {
            "roofs": {
                "flops_per_second": self.roofs.flops_per_second,
                "bytes_per_second": self.roofs.bytes_per_second,
                "ridge": self.roofs.ridge,
                "of": self.of,
                "levels": [level.to_dict() | {"ridge": self.roofs.flops_per_second / level.per_second} for level in self.levels],
            },
            "dots": [dot.to_dict() for dot in self.dots],
            "marks": {
                "roofs": Provenance.MEASURED, "dots[].layer": Provenance.COUNTED, "dots[].intensity": Provenance.COUNTED,
                "dots[].flops_per_second": Provenance.MEASURED, "dots[].bytes_per_second": Provenance.MEASURED,
                "dots[].of_roof": Provenance.MEASURED,
                "dots[].roof": Provenance.MEASURED, "dots[].roof_spread": Provenance.MEASURED,
                "roofs.levels[].holds_bytes": Provenance.MEASURED, "roofs.levels[].threads": Provenance.GIVEN,
            },
        }  # fmt: skip


def roofline(profile: StepProfile) -> Roofline:
    """Return the roofs of the profile's peaks, and a dot for each operation."""
    roofs = Roofs(profile.peaks.flops_per_second, profile.peaks.bytes_per_second)
    dots = tuple(_dot(one, profile) for one in profile.operations)
    return Roofline(roofs, profile.denominator, dots, profile.roofs)


def _dot(one: OperationTime, profile: StepProfile) -> Dot:
    memory = profile.memory_roof(one)
    bound: Bound | None = None
    ceiling: Ceiling | None = None
    of_roof: float | None = None
    if one.op.kind not in SCALARS and one.bytes:
        bound = Roofs(profile.peaks.flops_per_second, memory.per_second).bound(one.intensity or 0.0)
        ceiling = memory if bound is Bound.MEMORY else profile.peaks.products
        rate = one.bytes_per_second if bound is Bound.MEMORY else one.flops_per_second
        of_roof = None if rate is None else ceiling.share(rate)
    limits = profile.step_peaks, profile.config.backend
    dot = Dot(one, profile.share(one), bound, of_roof, ceiling, memory, None, bottleneck(one, *limits), advice(one, *limits))
    return replace(dot, above=_above(dot, profile)) if dot.judged else dot


def _above(dot: Dot, profile: StepProfile) -> str | None:
    """Explain a rate above its roof; None if it is below, or within the roof's measured spread."""
    one, ceiling = dot.time, dot.ceiling
    assert ceiling is not None
    assert dot.of_roof is not None
    rate = dot.of_roof * ceiling.per_second
    if not ceiling.exceeded_by(rate):
        return None
    name = f"the {dot.roof} roof"
    if not ceiling.exceeded_by(rate * one.seconds / (one.seconds + one.spread)):
        own, roofs = units.duration(one.spread), units.percent(ceiling.spread, 0)
        return f"above {name}, within the spreads of its own time (± {own}) and of the roof (± {roofs}) together"
    faster = [level for level in profile.roofs if level.threads == ceiling.threads and 0 < (level.holds or 0) < one.working_set]
    if dot.bound is Bound.MEMORY and faster:
        inner, holds = faster[-1], faster[-1].holds or 0
        share = holds / one.working_set
        if not ceiling.exceeded_by(rate * (1 - share) + ceiling.per_second * rate * share / inner.per_second):
            held = f"{units.size(holds)} of its {units.size(one.working_set)}"
            return f"above {name}: up to {held} can still be in {inner.level} from the operation before"
    return above_words(ceiling, name) + (" or leaves out operands that are counted" if dot.bound is Bound.MEMORY else "")
