"""The cost model: the seconds and bytes of a run from its operations and a machine profile's prices.

Nothing is run and nothing large is allocated, so a network of any size at any volume has a prediction within milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.data.info import (
    SYNTHETIC,
    KeptRows,
    generation_bytes,
    is_regenerated,
    kept_rows,
    resident_bytes,
    row_bytes,
    synthetic_validation_rows,
)
from tuisim.engine import memory_check
from tuisim.engine.loop import VALIDATION_SECONDS
from tuisim.engine.memory_check import EVALUATION_BATCH
from tuisim.engine.validation import SHARE, TRAINING_SAMPLE
from tuisim.errors import BackendError
from tuisim.predict.pilot import Pilot
from tuisim.predict.prediction import Interval, Prediction, RunMemory
from tuisim.predict.profile import MachineProfile, ProfileEntry, ProfileKey
from tuisim.predict.work import PRODUCTS
from tuisim.program import build

COVERED = 0.9
"""Share of future runs that an interval is to cover."""
KNOWN_COVERED = 0.95
"""Share of the calibration errors that an interval covers; larger, since other networks differ more than the calibrated ones."""
MIN_ERROR = 0.05
"""Natural logarithm; no interval is narrower than this to either side."""
FAR_BEYOND = 8
"""A network is outside the calibrated range if its largest product exceeds the largest calibrated one by this factor."""


def predict(
    config: RunConfig,
    profile: MachineProfile,
    *,
    foreign: bool = False,
    generation: float | None = None,
    rows: KeptRows | None = None,
    pilot: Pilot | None = None,
) -> Prediction:
    """Return what `config` takes on the machine of `profile`. Raises BackendError if the profile has no entry for it.

    `generation`: seconds per row of data that are generated during the run, if known. `rows`: those of a file, if it was read.
    A `pilot` replaces the model's step and interval, and scales everything that consists of steps.
    """
    config = config.resolved()
    entry = entry_of(config, profile, foreign)
    ledger = count(config.of_known_length())
    largest = max((op.batch * op.inputs * op.outputs for op in ledger.program.ops if op.kind in PRODUCTS), default=0)
    is_beyond = pilot is None and largest > FAR_BEYOND * entry.prices.largest > 0
    modelled = entry.prices.step(ledger.program)
    if not modelled > 0:
        raise BackendError(f"backend {entry.key}: the machine profile has no cost above 0 for this step; run tuisim calibrate")
    scale = 1.0 if pilot is None else pilot.step.likely / modelled
    spread = _spread(entry.prices.errors)
    if pilot is not None:
        spread = pilot.step.low / pilot.step.likely, pilot.step.high / pilot.step.likely
    epoch = _epoch(config, ledger, entry, scale)
    seconds = wall = None
    if epoch is not None and config.known_epochs is not None:
        steps = epoch * config.known_epochs
        seconds = _interval(steps, spread)
        outside = _outside(config, ledger, entry, scale, steps, generation, rows)
        wall = None if outside is None else _interval(steps + outside, spread)
    return Prediction(
        config=config,
        ledger=ledger,
        backend=entry.backend,
        threads=entry.threads,
        machine=str(profile.machine),
        foreign=foreign,
        prices=tuple((op, scale * each) for op, each in entry.prices.of(ledger.program)),
        step=_interval(scale * modelled, spread),
        epoch=None if epoch is None else _interval(epoch, spread),
        seconds=seconds,
        wall_seconds=wall,
        memory=memory(config, ledger, rows),
        scale=scale,
        pilot=None if pilot is None else pilot.seconds,
        beyond=largest / entry.prices.largest if is_beyond else None,
    )


def entry_of(config: RunConfig, profile: MachineProfile, foreign: bool = False) -> ProfileEntry:
    """Return the entry for a resolved configuration that names its backend. Raises BackendError if there is none."""
    key = ProfileKey.of(config)
    found = profile.entry(key)
    if found is None:
        have = ", ".join(entry.key for entry in profile.entries) or "nothing"
        raise BackendError(
            f"backend {key.key}: not in the machine profile (it has {have}); {'there: ' * foreign}"
            f"tuisim calibrate --backends {key.backend} --threads {key.threads} --dtypes {key.dtype}"
        )
    return found


# ── a run ──


def _epoch(config: RunConfig, ledger: Ledger, entry: ProfileEntry, scale: float) -> float | None:
    """Return the seconds of an epoch's phases: its full steps, the short last one, and shuffling."""
    if ledger.examples is None:
        return None
    steps, rest = divmod(ledger.examples, ledger.batch)
    seconds = scale * entry.prices.step(ledger.program) * steps
    if rest:
        seconds += scale * entry.prices.step(build(config.of_known_length(), rest))
    return seconds + entry.run.row * ledger.examples + entry.run.epoch


def _outside(
    config: RunConfig,
    ledger: Ledger,
    entry: ProfileEntry,
    scale: float,
    steps: float,
    generation: float | None,
    rows: KeptRows | None,
) -> float | None:
    """Return the wall seconds beside the phases: the training loop, validation, and generating rows; None if unknown."""
    examples, epochs = ledger.examples, config.known_epochs
    assert examples is not None
    assert epochs is not None
    seconds = entry.run.wall_start + entry.run.wall_epoch * epochs + entry.run.wall_share * steps
    if config.resolved_dataset in SYNTHETIC:
        validated = synthetic_validation_rows(examples, config.validation)
    elif kept := rows or kept_rows(config, examples):
        validated = kept.validation
    else:
        return None
    regenerated = is_regenerated(config, examples)
    if regenerated:
        if generation is None:
            return None
        seconds += generation * (epochs * examples)
    if entry.copy_rate is not None and (resident := resident_bytes(config, examples, rows)) is not None:
        # A device gets kept rows once, and generated ones in each epoch.
        copied = epochs * examples * row_bytes(config) + resident[1] if regenerated else sum(resident)
        seconds += 1 / entry.copy_rate * copied
    sample = min(TRAINING_SAMPLE, validated or TRAINING_SAMPLE, examples)
    once = scale * (_evaluation(config, entry, validated) + _evaluation(config, entry, sample))
    # Validation takes at most `SHARE` of the time, but the first end of an epoch and the end of the run are always due.
    fewest = 1.0 if epochs == 1 and steps < VALIDATION_SECONDS else 2.0
    allowed = SHARE * steps / once if once > 0 else 0.0
    return seconds + once * max(fewest, min(max(float(epochs), steps), allowed))


def _evaluation(config: RunConfig, entry: ProfileEntry, rows: int) -> float:
    blocks, rest = divmod(rows, EVALUATION_BATCH)
    seconds = 0.0
    for batch, times in ((EVALUATION_BATCH, blocks), (rest, 1)):
        if batch and times:
            seconds += times * entry.prices.step(build(config.of_known_length(), batch, learning=False))
    return seconds * entry.evaluation


def memory(config: RunConfig, ledger: Ledger, rows: KeptRows | None = None) -> RunMemory:
    """Count the memory of the resolved `config`, which needs no profile. `rows`: those of a file, if it was read."""
    step = memory_check.step_memory(config, ledger.memory)
    workspace = memory_check.required_bytes(config) - step.total
    if ledger.examples is not None:
        # Rows that are kept are generated before the step allocates its buffers, others while these exist.
        making = generation_bytes(config, ledger.examples)
        workspace = workspace + making if is_regenerated(config, ledger.examples) else max(workspace, making)
    data, validation = (None, None) if ledger.examples is None else resident_bytes(config, ledger.examples, rows) or (None, None)
    return RunMemory(step.parameters, step.gradients, step.optimizer, step.activations, step.batch, workspace, data, validation)


# ── intervals ──


def _spread(errors: Sequence[float]) -> tuple[float, float]:
    """Return the factors of a likely value for the ends of its interval, from errors (log of predicted over actual)."""
    if not errors:
        return math.exp(-MIN_ERROR), math.exp(MIN_ERROR)
    tail = (1 - KNOWN_COVERED) / 2
    low, high = np.quantile(errors, [tail, 1 - tail]).tolist()
    return math.exp(min(-high, -MIN_ERROR)), math.exp(max(-low, MIN_ERROR))


def _interval(likely: float, spread: tuple[float, float]) -> Interval:
    return Interval(likely * spread[0], likely, likely * spread[1])
