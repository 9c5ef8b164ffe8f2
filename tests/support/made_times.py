"""Prices of a network on several backends, in place of this machine's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.support.made_machine_profile import entry
from tuisim.config import RunConfig
from tuisim.predict.prediction import Interval
from tuisim.predict.predictor import Priced

BEST = replace(entry(), best_rate=61.3e9)
STEP = Interval(7e-5, 8.63e-5, 1.1e-4)


def price(config: RunConfig, own: object = None, timed: object = None) -> Sequence[Priced]:
    """Return the prices of steps and runs, in proportion to batch, examples and epochs; a run takes 10 % more than its steps."""
    assert config.examples is not None
    assert config.known_epochs is not None
    steps = config.examples * config.known_epochs / 32

    def all_of(step: Interval) -> tuple[Interval, Interval, Interval]:
        return step.times(config.batch_size / 32), step.times(steps), step.times(1.1 * steps)

    return (
        Priced("scalar@1", "plain Python", False, *all_of(Interval(0.03, 0.036, 0.04)), backend="scalar"),
        Priced("numpy@1", "OpenBLAS", False, *all_of(STEP), backend="numpy"),
        Priced("cupy", "", False, None, None, None, "no NVIDIA driver", "cupy"),
        Priced("cupy", "H200", True, *all_of(STEP.times(0.5)), backend="cupy"),
    )
