"""Past runs whose times follow known coefficients."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import Any

from tuisim.store.runs import Run

A, B, C = 21e-6, 23e-12, 12e-12
"""Seconds per step, per operation and per byte."""
RUN = Run(
    when="2026-02-03T04:05:06+00:00", machine="epyc-1a2b", backend="numpy", threads=1, layers=(64, 32, 10), batch=32,
    dtype="float32", optimizer="sgd", loss="cross_entropy", steps=1_000, examples=32_000, operations_per_step=331_000,
    bytes_per_step=140_000, seconds=0.056, wall_seconds=0.08, predicted_seconds=None, predicted_wall_seconds=None,
    ended="completed",
)  # fmt: skip


def run(operations: int, bytes_: int, seconds: float | None = None, **changes: Any) -> Run:
    """Return a run of 100 steps that took `seconds` each, by default what A, B and C give."""
    took = A + B * operations + C * bytes_ if seconds is None else seconds
    return replace(RUN, operations_per_step=operations, bytes_per_step=bytes_, steps=100, seconds=100 * took, **changes)


def several() -> list[Run]:
    """Return runs of several widths and batches, whose steps take from 20 µs to a tenth of a second."""
    return [
        run(6 * width * width * batch * 2, 4 * (7 * width * width + 9 * width * batch), layers=(width,) * 3, batch=batch)
        for width, batch in product((8, 64, 256, 1_024), (1, 16, 256))
    ]


def noisy(share: float) -> list[Run]:
    """Return the same runs with times that are off by up to `share`."""
    rng = random.Random(7)
    return [replace(one, seconds=one.seconds * (1 + rng.uniform(-share, share))) for one in several()]
