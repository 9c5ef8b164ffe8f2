"""The waterfall from the machine's peak to the achieved rate: the wall time of a run, or of one step, divided into parts.

The parts add up to the wall time, and each has advice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.errors import RunError
from tuisim.features.profile.bottleneck import advice, beyond_call, call_seconds
from tuisim.features.profile.step_profile import OperationTime, StepProfile
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance

OUTSIDE_STEPS = (
    ("validation", "validation", "fewer validation rows, or fewer epochs with validation, would take less"),
    ("probe", "instrumentation", "gradient samples and histograms for the panels; a run without the app takes none"),
    ("paused", "paused", "paused by the user"),
    ("making", "data generation", "rows generated or loaded during the run; rows that are kept are generated once"),
)
"""(key, label, advice) of the parts that a run may have recorded outside its steps, as `<key>_seconds`."""
MIN_DIFFERENCE = 0.005
"""The share of the time above which a difference of two sums is more than their measuring error."""
ROUNDING = 1e-12
"""The rounding error of shares that add up to 1."""


@dataclass(frozen=True, slots=True)
class TimeBreakdown:
    """Seconds since the first batch, and their recorded parts; None for what was not recorded."""

    wall_seconds: float
    """All of it, with pauses."""
    step_seconds: float
    """Seconds in steps: batch loading, shuffling, forward, loss, backward, update."""
    steps: float
    """The number of full batches: examples over the batch size."""
    validation_seconds: float | None = None
    probe_seconds: float | None = None
    paused_seconds: float | None = None
    making_seconds: float | None = None
    """Seconds of generating or loading rows during the run."""
    data_seconds: float | None = None
    """Seconds of batch loading and shuffling, which are part of the steps."""

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> TimeBreakdown:
        """Return the breakdown of a run up to a snapshot."""
        batch, examples = snapshot.config.batch_size, snapshot.config.examples
        each = dict(snapshot.phase_seconds).get(Phase.DATA.value)  # the median of the sampled steps
        return cls(
            snapshot.wall_seconds,
            snapshot.seconds,
            snapshot.examples_seen / (min(batch, examples) if examples else batch),
            validation_seconds=snapshot.validation_seconds,
            probe_seconds=snapshot.instrumentation_seconds,
            paused_seconds=snapshot.wall_seconds - snapshot.training_seconds,
            data_seconds=None if each is None else each * snapshot.step,
        )

    @classmethod
    def of_step(cls, profile: StepProfile) -> TimeBreakdown:
        """Return the breakdown of one step by itself."""
        return cls(profile.step_seconds, profile.step_seconds, 1, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the time."""

    key: str
    label: str
    seconds: float
    share: float
    """The share of the wall time, from 0 to 1."""
    advice: str
    """A description, and what would make it smaller."""


@dataclass(frozen=True)
class Waterfall:
    """The parts, from GEMM at peak to view and waiting."""

    parts: tuple[Part, ...]
    wall_seconds: float
    peak: float
    """The measured peak in multiplications and additions per second."""
    achieved: float
    """Multiplications and additions of the matrix products, over the wall time."""
    of: str
    """The source of the peak."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `marks` gives their provenance."""
        return {
            "parts": [
                {"part": part.key, "label": part.label, "seconds": part.seconds, "share": part.share, "help": part.advice}
                for part in self.parts
            ],
            "wall_seconds": self.wall_seconds,
            "peak": self.peak,
            "achieved": self.achieved,
            "of": self.of,
            "notes": list(self.notes),
            "marks": dict.fromkeys(("parts[].seconds", "parts[].share", "wall_seconds", "peak", "achieved"), Provenance.MEASURED),
        }


_Split = tuple[OperationTime, float, float, float]
"""An operation, and its seconds: at peak, of the call, and the rest."""


def waterfall(profile: StepProfile, spent: TimeBreakdown) -> Waterfall:
    """Divide the time of a run by the profile of its step.

    Raises RunError if no time has passed yet.
    """
    if not (math.isfinite(spent.wall_seconds) and spent.wall_seconds > 0):
        raise RunError("no time has passed yet: wait for the first steps")
    steps = _of_steps(profile, spent)
    beside = [
        Part(key, label, seconds, 0.0, words)
        for key, label, words in OUTSIDE_STEPS
        if (seconds := getattr(spent, f"{key}_seconds") or 0) > 0
    ]
    parts, scale = _filled([*steps, *beside], spent.wall_seconds)
    scaled = (f"the parts add up to {1 / scale:.2f} × the wall time: all are scaled to it",)
    multiply_adds = sum(one.row.operations.multiply_adds for one in profile.operations if one.op.kind in PRODUCTS)
    return Waterfall(
        (*parts, _rest(parts, spent)),
        spent.wall_seconds,
        profile.peaks.flops_per_second,
        multiply_adds * spent.steps / spent.wall_seconds,
        profile.denominator,
        (*profile.notes, *(scaled if scale <= 1 - MIN_DIFFERENCE else ())),
    )


def _of_steps(profile: StepProfile, spent: TimeBreakdown) -> list[Part]:
    """Return the parts of the steps; they shrink if the run's steps were faster than the profile's; if slower that is a part."""
    products, gathers, others = list[_Split](), list[_Split](), list[_Split]()
    for one in profile.operations:
        group = products if one.op.kind in PRODUCTS else gathers if one.op.kind is Kind.GATHER else others
        counted = one.row.operations.multiply_adds / profile.peaks.flops_per_second if group is products else 0.0
        at_peak = min(counted, one.seconds)
        call = min(call_seconds(one), one.seconds - at_peak)
        group.append((one, at_peak, call, one.seconds - at_peak - call))
    profiled = profile.step_seconds * spent.steps
    each = min(profiled, max(0.0, spent.step_seconds)) / profile.whole if profile.whole > 0 else 0.0
    parts = [
        ("peak", "GEMM at peak", sum(at_peak for _, at_peak, _, _ in products), _AT_PEAK),
        ("products", "GEMM inefficiency", sum(left for *_, left in products), _worst(products, profile)),
        ("elements", "element-wise work", sum(left for *_, left in others), _worst(others, profile)),
        ("calls", "call overhead", sum(call for _, _, call, _ in [*products, *others]) + profile.outside, _calls(profile)),
        ("data", "batch loading", sum(one.seconds for one, *_ in gathers), _worst(gathers, profile, calls=True)),
    ]
    found = [Part(key, label, seconds * each, 0.0, words) for key, label, seconds, words in parts]
    return [*found[:-1], *_slower(found[-1], profiled, spent)]


def _slower(data: Part, profiled: float, spent: TimeBreakdown) -> list[Part]:
    """Return the extra time of a run's steps over the profile's: shuffling is added to the data, the rest is a separate part."""
    slower = spent.step_seconds - profiled
    if slower <= MIN_DIFFERENCE * spent.wall_seconds:
        return [data]
    shuffled = 0.0 if spent.data_seconds is None else min(slower, max(0.0, spent.data_seconds - data.seconds))
    if shuffled:
        data = replace(data, seconds=data.seconds + shuffled, advice=f"{data.advice}; with shuffling")
    slower -= shuffled
    longer = f"the run's steps took {units.percent(slower / profiled, 0)} longer than profiled: " if profiled > 0 else ""
    words = f"{longer}{'' if shuffled else 'shuffling, '}cold caches, other programs"
    return [data, Part("slower", "slower than profiled", slower, 0.0, words)]


_AT_PEAK = "the matrix products at peak: fewer multiplications, more threads or a faster device reduce it"


def _worst(splits: list[_Split], profile: StepProfile, calls: bool = False) -> str:
    """Return the advice on the operation that loses most in a part; on its call too if the part includes the `calls`."""
    worst = max(splits, key=lambda split: split[0].seconds if calls else split[-1], default=None)
    if worst is None or worst[0].seconds <= 0:
        return ""
    row, peaks, backend = worst[0].row, profile.step_peaks, profile.config.backend
    words = advice(worst[0], peaks, backend, None if calls else beyond_call(worst[0], peaks, backend))
    return f"{row.what}, layer {row.layer}: {words}" if row.layer else f"{row.what}: {words}"


def _calls(profile: StepProfile) -> str:
    if profile.config.backend == "scalar":
        return "the overhead of starting each operation; a larger batch would amortize it"
    calls = sum(one.seconds > 0 for one in profile.operations)
    compiled = "" if profile.config.backend == "numba" else ", a compiled step (numba) makes fewer calls"
    return f"{calls} calls per step, one per operation, and the loop around them; a larger batch would amortize them{compiled}"


def _filled(parts: list[Part], wall: float) -> tuple[list[Part], float]:
    """Return the parts with their shares, and the scale applied if they are longer than the wall time because clocks disagree."""
    total = math.fsum(part.seconds for part in parts)
    scale = min(1.0, wall / total) if total > 0 else 1.0
    return [Part(part.key, part.label, part.seconds * scale, part.seconds * scale / wall, part.advice) for part in parts], scale


def _rest(parts: list[Part], spent: TimeBreakdown) -> Part:
    """Return the time that nothing accounts for, and name what was not recorded."""
    share = 1.0 - math.fsum(part.share for part in parts)
    share = share if share > ROUNDING else 0.0
    unknown = [label for key, label, _ in OUTSIDE_STEPS if getattr(spent, f"{key}_seconds") is None]
    also = f"; {', '.join(unknown)} not recorded" if unknown else ""
    words = f"snapshots, a speed limit, the loop between chunks{also}"
    return Part("rest", "view and waiting", share * spent.wall_seconds, share, words)
