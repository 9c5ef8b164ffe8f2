"""The costs of a run beside its steps: shuffling, the end of an epoch, and the training loop.

Measured with small runs of the trainer: one epoch, many short ones, and a few long ones; the fastest of each counts, since other
programs only add time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
"""Examples of a short and of a long epoch: two steps, and 1,024."""
SHORT_EPOCHS, LONG_EPOCHS = 300, 3
LONG_SECONDS = 0.15
"""Approximate seconds of the long epochs together, since the training loop starts with small chunks."""
RUNS = 5
"""Runs of each kind."""


@dataclass(frozen=True, slots=True)
class RunCosts:
    """Seconds, for a run at full speed without a screen."""

    row: float
    """Within the phases, for each row: shuffling it."""
    epoch: float
    """Within the phases, for each epoch."""
    wall_start: float
    """Outside the phases, once."""
    wall_epoch: float
    """Outside the phases, for each epoch."""
    wall_share: float
    """Outside the phases, for each second within them: the training loop between chunks of steps."""


def measure(backend: str, dtype: str, threads: int) -> RunCosts:
    """Measure the costs with `backend`. Raises what a run of it raises."""
    config = RunConfig(
        layers=LAYERS, batch_size=BATCH, loss="mse", backend=backend, dtype=dtype, threads=threads, validation=0.0,
        learning_rate=1e-9,
    ).resolved()  # fmt: skip
    with get_backend(backend).threads(threads):
        case = BenchmarkCase(config, BATCH, 0.01)
        step = min(case.timed() for _ in range(2 * RUNS))
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
    """Return the fastest of some runs."""
    rows = _rows(config, examples)
    run = replace(config, examples=examples, epochs=epochs)
    return min((Trainer(run, rows).run() for _ in range(RUNS)), key=lambda one: one.wall_seconds)


def _row(config: RunConfig) -> float:
    """Return the seconds per row of shuffling an epoch."""
    batches = data.from_arrays(replace(config, examples=MANY), *_rows(config, MANY)).batch_sampler(BATCH)
    taken: list[float] = []
    for _ in range(RUNS):
        start = perf_counter()
        batches.next_block()
        taken.append(perf_counter() - start)
    return min(taken) / MANY


def _rows(config: RunConfig, examples: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    inputs, targets = (rng.standard_normal((examples, size)).astype(config.dtype) for size in (LAYERS[0], LAYERS[-1]))
    return inputs, targets


def _outside(summary: Summary) -> float:
    """Return the wall seconds outside steps and validation."""
    return max(0.0, summary.wall_seconds - summary.seconds - summary.validation_seconds)
