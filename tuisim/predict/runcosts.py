"""What a run costs beside its steps: taking rows in a new order, the end of an epoch, and the loop round it all.

Measured with small runs of the trainer: one epoch, many short ones, and a few long ones. It does not know what a step costs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from tuisim.config import RunConfig
from tuisim.engine import Summary, Trainer
from tuisim.engine.subject import Subject

LAYERS, BATCH = (16, 16, 4), 32
FEW, MANY = 64, 32_768
"""Examples of the short and the long epochs: two steps, and 1,024."""
SHORT_EPOCHS, LONG_EPOCHS = 500, 6
RUNS = 3
"""Of each; the middle one counts."""


@dataclass(frozen=True, slots=True)
class RunCosts:
    """Seconds, all of a run at full speed that nobody watches."""

    row: float
    """Of the step's phases, for each row taken: shuffling it, and its share of cutting batches and sampling phases."""
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
    subject = Subject(config, BATCH, 0.01)
    step = min(subject.timed() for _ in range(5))
    once, short, long = _run(config, FEW, 1), _run(config, FEW, SHORT_EPOCHS), _run(config, MANY, LONG_EPOCHS)
    row = max(0.0, long.seconds / long.examples_seen - step / BATCH)
    start = _outside(once)
    return RunCosts(
        row=row,
        epoch=max(0.0, short.seconds / short.epochs - FEW / BATCH * step - FEW * row),
        wall_start=start,
        wall_epoch=max(0.0, (_outside(short) - start) / short.epochs),
        wall_share=max(0.0, (_outside(long) - start) / long.seconds),
    )


def _run(config: RunConfig, examples: int, epochs: int) -> Summary:
    """The middle one of some runs, by wall time."""
    rng = np.random.default_rng(0)
    inputs, targets = (rng.standard_normal((examples, size)).astype(config.dtype) for size in (LAYERS[0], LAYERS[-1]))
    run = replace(config, examples=examples, epochs=epochs)
    found = [Trainer(run, (inputs, targets)).run() for _ in range(RUNS)]
    return sorted(found, key=lambda one: one.wall_seconds)[RUNS // 2]


def _outside(summary: Summary) -> float:
    """Wall seconds in neither the steps nor the validation."""
    return max(0.0, summary.wall_seconds - summary.seconds - summary.validation_seconds)
