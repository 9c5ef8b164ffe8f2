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


def price(config: RunConfig, own: object = None) -> Sequence[Priced]:
    """Return the prices of steps and epochs, in proportion to batch and examples."""
    assert config.examples is not None

    def both(step: Interval) -> tuple[Interval, Interval]:
        return step.times(config.batch_size / 32), step.times(config.examples / 32)

    return (
        Priced("scalar@1", "plain Python", False, *both(Interval(0.03, 0.036, 0.04)), backend="scalar"),
        Priced("numpy@1", "OpenBLAS", False, *both(STEP), backend="numpy"),
        Priced("cupy", "", False, None, None, "no NVIDIA driver", "cupy"),
        Priced("cupy", "H200", True, *both(STEP.times(0.5)), backend="cupy"),
    )
