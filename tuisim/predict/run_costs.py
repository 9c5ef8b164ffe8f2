"""What a run costs beside its steps: taking rows in a new order, the end of an epoch, and the loop round it all.

Measured with small runs of the trainer: one epoch, many short ones, and a few long ones; of each the quickest, since what
disturbs only adds. It does not know what a step costs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from tuisim import data
from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.engine import Summary, Trainer
from tuisim.engine.benchmark_case import BenchmarkCase

LAYERS, BATCH = (16, 16, 4), 32
FEW, MANY = 64, 32_768
"""Examples of the short and the long epochs: two steps, and 1,024."""
SHORT_EPOCHS, LONG_EPOCHS = 300, 3
LONG_SECONDS = 0.15
"""The long epochs are so many that their steps take about so long: the loop begins with small chunks."""
RUNS = 5
"""Of each."""


@dataclass(frozen=True, slots=True)
class RunCosts:
    """Seconds, all of a run at full speed that nobody watches."""

    row: float
    """Of the step's phases, for each row taken: shuffling it."""
    epoch: float
    """Of the step's phases, at each epoch's end."""
    wall_start: float
    """Outside the phases, once."""
    wall_epoch: float
    """Outside the phases, at each epoch's end."""
    wall_share: float
    """Outside the phases, for each second within them: the loop between chunks of steps."""

    def to_dict(self) -> dict[str, float]:
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


def measure(backend: str, dtype: str, threads: int) -> RunCosts:
    """Measure with `backend`. Raises what a run of it raises."""
    config = RunConfig(
        layers=LAYERS, batch_size=BATCH, loss="mse", backend=backend, dtype=dtype, threads=threads, validation=0.0,
        learning_rate=1e-9,
    ).resolved()  # fmt: skip
    with get_backend(backend).threads(threads):
        subject = BenchmarkCase(config, BATCH, 0.01)
        step = min(subject.timed() for _ in range(2 * RUNS))
        once, short, long = (
            _run(config, FEW, 1),
            _run(config, FEW, SHORT_EPOCHS),
            _run(config, MANY, max(LONG_EPOCHS, round(LONG_SECONDS / (step * MANY / BATCH)))),
        )
        row, start = _row(config), _outside(once)
    return RunCosts(
        row=row,
        epoch=max(0.0, short.seconds / short.epochs - FEW / BATCH * step - FEW * row),
        wall_start=start,
        wall_epoch=max(0.0, (_outside(short) - start) / short.epochs),
        wall_share=max(0.0, (_outside(long) - start) / long.seconds),
    )


def _run(config: RunConfig, examples: int, epochs: int) -> Summary:
    """The quickest of some runs."""
    rows = _rows(config, examples)
    run = replace(config, examples=examples, epochs=epochs)
    return min((Trainer(run, rows).run() for _ in range(RUNS)), key=lambda one: one.wall_seconds)


def _row(config: RunConfig) -> float:
    """Seconds of an epoch's new order, for each of its rows."""
    feed = data.from_arrays(replace(config, examples=MANY), *_rows(config, MANY)).batch_sampler(BATCH)
    taken: list[float] = []
    for _ in range(RUNS):
        start = perf_counter()
        feed.next_block()
        taken.append(perf_counter() - start)
    return min(taken) / MANY


def _rows(config: RunConfig, examples: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    inputs, targets = (rng.standard_normal((examples, size)).astype(config.dtype) for size in (LAYERS[0], LAYERS[-1]))
    return inputs, targets


def _outside(summary: Summary) -> float:
    """Wall seconds in neither the steps nor the validation."""
    return max(0.0, summary.wall_seconds - summary.seconds - summary.validation_seconds)
