"""From the machine's measured peak to what was achieved: the wall time of a run, or of one step, divided into its parts.

The parts add up to the wall time, none is below 0, and each has words on what would help. It measures nothing and draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tuisim import units
from tuisim.errors import RunError
from tuisim.features.profile.bottleneck import beyond_call, call_seconds, help_words
from tuisim.features.profile.step_profile import OpTime, Profile
from tuisim.features.profile.time_breakdown import Spent
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind
from tuisim.provenance import Provenance

KNOWN = (("validation", "validation"), ("probe", "probing"), ("paused", "pauses"), ("making", "making rows"))
"""What a run may have kept account of beside its steps: the name of the part, and in words."""
SAID = 0.005
"""From this share of the time on, a difference of two sums is more than their measuring error."""
ROUNDING = 1e-12
"""Of shares that add up to 1."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the time."""

    key: str
    label: str
    seconds: float
    share: float
    """Of the wall time, from 0 to 1."""
    help: str
    """What it is, and what would make it smaller."""


@dataclass(frozen=True)
class Waterfall:
    """All parts, from the work at peak to the rest."""

    parts: tuple[Part, ...]
    wall_seconds: float
    peak: float
    """Multiplications and additions per second that the machine has shown."""
    achieved: float
    """Those of the matrix products, over the wall time."""
    of: str
    """Whose peak it is."""
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `marks` says what kind of number each is."""
        return {
            "parts": [
                {"part": part.key, "label": part.label, "seconds": part.seconds, "share": part.share, "help": part.help}
                for part in self.parts
            ],
            "wall_seconds": self.wall_seconds,
            "peak": self.peak,
            "achieved": self.achieved,
            "of": self.of,
            "notes": list(self.notes),
            "marks": dict.fromkeys(("parts[].seconds", "parts[].share", "wall_seconds", "peak", "achieved"), Provenance.MEASURED),
        }


@dataclass(frozen=True, slots=True)
class _Split:
    """Seconds of one operation: at peak, of the call, and what is left."""

    one: OpTime
    at_peak: float
    call: float
    left: float


def waterfall(profile: Profile, spent: Spent) -> Waterfall:
    """Divide what was `spent` by what the profile knows of a step.

    Raises RunError where no time has been spent yet.
    """
    if not (math.isfinite(spent.wall_seconds) and spent.wall_seconds > 0):
        raise RunError("no time has been spent yet, so there is none to divide: wait for the first steps")
    splits = [_split(one, profile) for one in profile.operations]
    steps = _of_steps(profile, splits, spent)
    beside = [_beside(key, seconds) for key, seconds in _known(spent)]
    parts, scale = _filled([*steps, *beside], spent.wall_seconds)
    return Waterfall(
        (*parts, _rest(parts, spent)),
        spent.wall_seconds,
        profile.peaks.flops_per_second,
        sum(one.row.operations.multiply_adds for one in profile.operations if _product(one)) * spent.steps / spent.wall_seconds,
        profile.denominator,
        (*profile.notes, *_notes(scale)),
    )


def _product(one: OpTime) -> bool:
    return one.op.kind in PRODUCTS


def _split(one: OpTime, profile: Profile) -> _Split:
    """Each piece takes what it would at least, as far as there is time left."""
    counted = one.row.operations.multiply_adds / profile.peaks.flops_per_second if _product(one) else 0.0
    at_peak = min(counted, one.seconds)
    call = min(call_seconds(one), one.seconds - at_peak)
    return _Split(one, at_peak, call, one.seconds - at_peak - call)


def _of_steps(profile: Profile, splits: list[_Split], spent: Spent) -> list[Part]:
    """The steps' own parts; where the run's steps were quicker than the profile's they shrink, where slower that is a part."""
    products = [split for split in splits if _product(split.one)]
    gathers = [split for split in splits if split.one.op.kind is Kind.GATHER]
    others = [split for split in splits if split.one.op.kind not in (*PRODUCTS, Kind.GATHER)]
    profiled = profile.step_seconds * spent.steps
    each = min(profiled, max(0.0, spent.step_seconds)) / profile.whole if profile.whole > 0 else 0.0
    parts = [
        ("peak", "products at peak", sum(split.at_peak for split in products), _AT_PEAK),
        ("products", "products below peak", sum(split.left for split in products), _worst(products, profile)),
        ("elements", "element-wise work", sum(split.left for split in others), _worst(others, profile)),
        ("calls", "calls", sum(split.call for split in [*products, *others]) + profile.outside, _calls(profile)),
        ("data", "data", sum(split.one.seconds for split in gathers), _worst(gathers, profile, calls=True)),
    ]
    found = [Part(key, label, seconds * each, 0.0, words) for key, label, seconds, words in parts]
    return [*found[:-1], *_slower(found[-1], profiled, spent)]


def _slower(data: Part, profiled: float, spent: Spent) -> list[Part]:
    """What a run's steps took beyond the profile's: shuffling belongs to the data, the rest is a part of its own."""
    slower = spent.step_seconds - profiled
    if slower <= SAID * spent.wall_seconds:
        return [data]
    shuffled = 0.0 if spent.data_seconds is None else min(slower, max(0.0, spent.data_seconds - data.seconds))
    if shuffled:
        data = replace(data, seconds=data.seconds + shuffled, help=f"{data.help}; with shuffling")
    slower -= shuffled
    longer = f"the run's steps took {units.percent(slower / profiled, 0)} longer than alone: " if profiled > 0 else ""
    words = f"{longer}{'' if shuffled else 'shuffling, '}cold caches, a busy machine"
    return [data, Part("slower", "slower than alone", slower, 0.0, words)]


_AT_PEAK = "the products' multiply-adds at this machine's peak: fewer of them, more threads or another device would shorten it"


def _worst(splits: list[_Split], profile: Profile, calls: bool = False) -> str:
    """The words about the operation that loses most in a part; about its call too where the part has the `calls`."""
    worst = max(splits, key=lambda split: split.one.seconds if calls else split.left, default=None)
    if worst is None or worst.one.seconds <= 0:
        return ""
    row, peaks, backend = worst.one.row, profile.step_peaks, profile.config.backend
    words = help_words(worst.one, peaks, backend, None if calls else beyond_call(worst.one, peaks, backend))
    return f"{row.what}, layer {row.layer}: {words}" if row.layer else f"{row.what}: {words}"


def _calls(profile: Profile) -> str:
    if profile.config.backend == "scalar":
        return "what each operation takes before its first number; a larger batch would share it"
    calls = sum(one.seconds > 0 for one in profile.operations)
    compiled = "" if profile.config.backend == "numba" else ", a compiled step (numba) makes fewer"
    return f"{calls} operations a step, each with a call of its own, and the loop; a larger batch would share it{compiled}"


_BESIDE = {
    "validation": ("validation", "the held-out rows: fewer of them, or fewer epochs to look after, would take less"),
    "probe": ("probing", "gradients and histograms for the panels; a run without the app takes none"),
    "paused": ("paused", "held by whoever watched"),
    "making": ("making rows", "rows made or loaded on the way; rows that are kept are made once"),
}


def _known(spent: Spent) -> Iterable[tuple[str, float]]:
    values = (spent.validation_seconds, spent.probe_seconds, spent.paused_seconds, spent.making_seconds)
    return [(key, seconds) for (key, _), seconds in zip(KNOWN, values, strict=True) if seconds is not None and seconds > 0]


def _beside(key: str, seconds: float) -> Part:
    label, words = _BESIDE[key]
    return Part(key, label, seconds, 0.0, words)


def _filled(parts: list[Part], wall: float) -> tuple[list[Part], float]:
    """With their shares; where clocks disagree and the parts are longer than the wall time, all shrink alike."""
    total = math.fsum(part.seconds for part in parts)
    scale = min(1.0, wall / total) if total > 0 else 1.0
    return [Part(part.key, part.label, part.seconds * scale, part.seconds * scale / wall, part.help) for part in parts], scale


def _rest(parts: list[Part], spent: Spent) -> Part:
    """What nothing accounts for, and what is not known of this run."""
    share = 1.0 - math.fsum(part.share for part in parts)
    share = share if share > ROUNDING else 0.0
    values = (spent.validation_seconds, spent.probe_seconds, spent.paused_seconds, spent.making_seconds)
    unknown = [words for (_, words), seconds in zip(KNOWN, values, strict=True) if seconds is None]
    also = f"; {', '.join(unknown)} not told apart" if unknown else ""
    return Part(
        "rest", "the view, waiting", share * spent.wall_seconds, share, f"snapshots, a pace, the loop between chunks{also}"
    )


def _notes(scale: float) -> tuple[str, ...]:
    if scale > 1 - SAID:
        return ()
    return (f"the parts add up to {1 / scale:.2f} × the wall time: all are scaled to it",)
