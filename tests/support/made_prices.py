"""Predictions whose times and bytes are known formulas of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tuisim import RunConfig, count
from tuisim.data import rows
from tuisim.predict.prediction import Interval, Prediction, RunMemory

CONFIG = RunConfig(layers=(8, 6, 3), loss="cross_entropy", examples=100, epochs=4, batch_size=10, threads=1)
STEP, WEIGHT, ROW = 1e-3, 1e-5, 1e-6


@dataclass
class MadePrices:
    """Predict by straight lines: a step costs a fixed time per weight, a run per row."""

    known_wall: bool = True
    foreign: bool = False
    asked: int = 0
    step: float = STEP
    backend: str = "numpy"

    def __call__(self, config: RunConfig) -> Prediction:
        self.asked += 1
        config = config.resolved()
        ledger = count(config.of_known_length())
        step = self.step + WEIGHT * weights_of(config)
        seconds = seconds_of(config, self.step)
        interval = seconds if seconds is None else Interval(seconds, seconds, seconds)
        return Prediction(
            config=config, ledger=ledger, backend=self.backend, threads=1, machine="made up", foreign=self.foreign,
            prices=tuple((op, step / len(ledger.program.ops)) for op in ledger.program.ops),
            step=Interval(step, step, step), epoch=None, seconds=interval, wall_seconds=interval if self.known_wall else None,
            memory=bytes_of(config),
        )  # fmt: skip


def seconds_of(config: RunConfig, step: float = STEP) -> float | None:
    """Return the seconds of the whole run; None if its length is not known."""
    examples = rows(config)
    if examples is None or config.epochs is None:
        return None
    steps = -(-examples // min(config.batch_size, examples))
    return config.epochs * (steps * (step + WEIGHT * weights_of(config)) + ROW * examples)


def bytes_of(config: RunConfig) -> RunMemory:
    examples = rows(config)
    return RunMemory(4 * weights_of(config), 0, 0, 0, 0, 0, None if examples is None else 100 * examples, 0)


def weights_of(config: RunConfig) -> int:
    return sum(n * m for n, m in pairwise(config.layers))
