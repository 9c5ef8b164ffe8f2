"""Jumps in time: any earlier step of a run must be the same, bit for bit, as when it was trained without a jump."""

from __future__ import annotations

import random
from typing import Any

from tuisim.config import RunConfig
from tuisim.engine.session import Session
from tuisim.engine.timeline import Timeline

from .tally import Tally

JUMPS = 200
STEPS = {"numpy": 20_000, "numba": 20_000, "scalar": 300}
FIELDS: tuple[dict[str, Any], ...] = (
    {"layers": (64, 32, 10), "dataset": "digits"},
    {"layers": (64, 16, 10), "dataset": "digits", "optimizer": "adam", "schedule": "cosine", "epochs": 400, "clip_norm": 1.0},
    {"layers": (2, 8, 3), "dataset": "spirals", "optimizer": "momentum", "batch_size": 50, "examples": 730},
)


def run(tally: Tally, rng: random.Random) -> None:
    """Make JUMPS jumps on each backend, over the networks in turn, or fewer if the time is over."""
    each = tally.seconds / len(STEPS)
    for number, (backend, steps) in enumerate(STEPS.items()):
        for place, fields in enumerate(FIELDS):
            rest = tally.left - each * (len(STEPS) - number - 1)
            jump(tally, rng, backend, steps, fields, rest / (len(FIELDS) - place))


def jump(tally: Tally, rng: random.Random, backend: str, steps: int, fields: dict[str, Any], seconds: float) -> None:
    """Train one network, note some steps, and jump between them."""
    until = tally.left - seconds
    config = RunConfig(backend=backend, **({"epochs": None} | fields))
    chosen = sorted({rng.randrange(1, steps) for _ in range(JUMPS // len(FIELDS) + 1)} | {steps})
    straight, jumping = Session(config), Session(config)
    timeline = Timeline(jumping)
    states = {}
    for step in chosen:
        straight.advance(step - straight.tally.steps, past_the_end=True)
        states[step] = straight.capture()
        while jumping.tally.steps < step:
            jumping.advance(min(step - jumping.tally.steps, 500), past_the_end=True)
            timeline.keep()
    for step in rng.sample(chosen, len(chosen)):
        if tally.left < until:
            return
        timeline.seek(step)
        found, expected = jumping.capture(), states[step]
        tally.counts[f"jumps on {backend}"] += 1
        same = found.arrays.keys() == expected.arrays.keys() and found.scalars == expected.scalars
        if not same or any(found.arrays[name].tobytes() != array.tobytes() for name, array in expected.arrays.items()):
            tally.fail(f"{backend} {fields}: step {step} of {steps} differs")
