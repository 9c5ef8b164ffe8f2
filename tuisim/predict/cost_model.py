"""Estimating: what a run will take in seconds and bytes, from the ledger's operations and the machine card's prices.

Nothing is run and nothing large is made, so any network at any volume has an answer within milliseconds. It does not know
whether the run will ever be made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tuisim.accounting import Ledger, count
from tuisim.backends import computes_with
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
from tuisim.engine import memory_check as room
from tuisim.engine.loop import VALIDATION_SECONDS
from tuisim.engine.memory_check import EVALUATION_BATCH
from tuisim.engine.validation import SHARE, TRAINING_SAMPLE
from tuisim.errors import BackendError
from tuisim.measure.machine_speed import Contention, Slowdown
from tuisim.predict.interval import Interval
from tuisim.predict.prediction import Prediction, RunMemory
from tuisim.predict.prices import as_felt
from tuisim.predict.profile import MachineProfile, ProfileEntry
from tuisim.predict.work import PRODUCTS
from tuisim.program import build

COVERED = 0.9
"""Of the runs to come, the share that a band is to cover."""
KNOWN_COVERED = 0.95
"""Of the errors known so far, the share that it is made of: what comes is less like the networks measured than they are alike."""
LEAST_ERROR = 0.05
"""Natural logarithm: no band is narrower than this to either side."""
OTHER_PROCESS = {"scalar": 0.1}
"""Natural logarithm, by backend: what its steps take in one process more or less than in another, 19 times of 20.

Where plain Python's objects come to lie in memory is another matter in each process, and the one that was calibrated has its
own. Measured with 14 processes one after another on two calm virtual cores of an EPYC: the steps of 30-30-30 at batch 1 have a
standard deviation of 3.7 %, so 5.2 % between two; NumPy's and compiled ones of 1.4 and 1.0 %, which is lost in their errors.
"""
FAR_BEYOND = 8
"""Times the largest product that was measured, from which on a price is said to reach beyond it."""
UNDISTURBED = Slowdown()
NOW = 0.55
"""Of how slowed a machine is now, in logarithms, so much lasts through a run; the rest is as it was when it was calibrated.

Measured on two shared virtual cores with 230 runs of 0.4 s, by regressing what they took on what was seen just before: 0.41,
0.43, 0.56, 0.60 and 0.64 of it for one backend and hour after another.
"""


def known(config: RunConfig, card: MachineProfile, slowed: Slowdown) -> float | None:
    """Likely `seconds` of a run on a machine that is slowed just so all through it; none as `Prediction.seconds` is."""
    config = config.resolved()
    entry, ledger = entry_of(config, card), count(config.of_known_length())
    epoch = _epoch(config, ledger, entry, _of_best(entry, card, slowed))
    return None if epoch is None or config.epochs is None else _times(epoch, config.epochs)


def predict(
    config: RunConfig,
    card: MachineProfile,
    *,
    slowdown: Slowdown | None = None,
    foreign: bool = False,
    errors: Sequence[float] = (),
    making: float | None = None,
    rows: KeptRows | None = None,
) -> Prediction:
    """What `config` will take on the machine of `card`. Raises BackendError where the card has no price for it.

    `slowed` is what `measure.speed.slowdown` says of the machine now; none where nobody looked. `errors` are natural
    logarithms of predicted over actual of runs that were scored: with the card's own they make the band. `making`: seconds
    for each row that is made as the run goes, where that is known. `rows`: those of a file, where it was read.
    """
    config = config.resolved()
    assert config.threads is not None
    entry = entry_of(config, card, foreign)
    by = _pace(entry, card, slowdown)
    ledger = count(config.of_known_length())
    price = entry.prices.of(ledger.program)
    full, at_best = price.slowed(by), price.slowed(_of_best(entry, card, UNDISTURBED))
    if not at_best.seconds > 0:
        raise BackendError(f"backend {entry.key}: the machine card has no price above nothing for this; run tuisim calibrate")
    spread = _wider(_spread([*entry.prices.errors, *errors]), entry.contention, price.call_share, entry.backend)
    epoch = _epoch(config, ledger, entry, by)
    seconds = wall = None
    if epoch is not None and config.epochs is not None:
        steps = _times(epoch, config.epochs)
        seconds = _band(steps, spread)
        outside = _outside(config, ledger, entry, by, steps, making, rows)
        wall = None if outside is None else _band(steps + outside, spread)
    return Prediction(
        config=config,
        ledger=ledger,
        backend=entry.backend,
        threads=entry.threads,
        machine=str(card.machine),
        foreign=foreign,
        slowdown=full.seconds / at_best.seconds,
        prices=full.operations,
        overhead=full.overhead,
        calls=full.calls,
        step=_band(full.seconds, spread),
        epoch=None if epoch is None else _band(epoch, spread),
        seconds=seconds,
        wall_seconds=wall,
        memory=memory(config, ledger, rows),
        beyond=_beyond(ledger, entry),
    )


def _beyond(ledger: Ledger, entry: ProfileEntry) -> float | None:
    """How far the largest product is out of what was measured."""
    largest = max((op.batch * op.inputs * op.outputs for op in ledger.program.ops if op.kind in PRODUCTS), default=0)
    measured = entry.prices.largest
    return largest / measured if measured and largest > FAR_BEYOND * measured else None


def _pace(entry: ProfileEntry, card: MachineProfile, slowed: Slowdown | None) -> Slowdown:
    """From the beat that an entry's prices belong to, to the machine as it is likely to be."""
    mean = as_felt(entry.contention.mean, entry.backend)
    if slowed is None:
        return mean
    now = _of_best(entry, card, slowed)
    return Slowdown(now.calls**NOW * mean.calls ** (1 - NOW), now.work**NOW * mean.work ** (1 - NOW))


def _of_best(entry: ProfileEntry, card: MachineProfile, slowed: Slowdown) -> Slowdown:
    """Against the best that the entry knew, where `slowed` is against the card's: a later entry may have seen a better one."""
    best = card.speed.over(entry.speed)
    return as_felt(Slowdown(slowed.calls * best.calls, slowed.work * best.work), entry.backend)


def entry_of(config: RunConfig, card: MachineProfile, foreign: bool = False) -> ProfileEntry:
    """The card's prices for a configuration, resolved, that names its backend. Raises BackendError where it has none."""
    assert config.threads is not None
    threads, dtype = computes_with(config.backend, config.threads, config.dtype)
    found = card.entry(config.backend, threads, dtype)
    if found is None:
        have = ", ".join(entry.key for entry in card.entries) or "nothing"
        where = "there: " if foreign else ""
        raise BackendError(
            f"backend {config.backend}@{threads} {dtype}: not on the machine card (it has {have}); "
            f"{where}tuisim calibrate --backends {config.backend} --threads {threads} --dtypes {dtype}"
        )
    return found


# ── a run ──


def _epoch(config: RunConfig, ledger: Ledger, entry: ProfileEntry, by: Slowdown) -> float | None:
    """Seconds of an epoch's phases: its full steps, the short last one, and taking the rows in their order."""
    if ledger.examples is None:
        return None
    steps, rest = divmod(ledger.examples, ledger.batch)
    seconds = _times(entry.prices.of(ledger.program).slowed(by).seconds, steps)
    if rest:
        seconds += entry.prices.of(build(config.of_known_length(), rest)).slowed(by).seconds
    return seconds + by.calls * (_times(entry.run.row, ledger.examples) + entry.run.epoch)


def _outside(
    config: RunConfig,
    ledger: Ledger,
    entry: ProfileEntry,
    by: Slowdown,
    steps: float,
    making: float | None,
    rows: KeptRows | None,
) -> float | None:
    """Wall seconds beside the phases: the loop, validation, and making rows that are not kept; none where unknown."""
    assert ledger.examples is not None
    assert config.epochs is not None
    loop = by.calls * (entry.run.wall_start + _times(entry.run.wall_epoch, config.epochs)) + entry.run.wall_share * steps
    held = _held_out(config, ledger.examples, rows)
    if held is None:
        return None
    if is_regenerated(config, ledger.examples):
        if making is None:
            return None
        loop += _times(making, config.epochs * ledger.examples)
    if entry.copy_rate is not None and (copied := _copied(config, ledger.examples, rows)) is not None:
        loop += _times(1 / entry.copy_rate, copied)
    return loop + _validation(config, entry, by, held, ledger.examples, steps)


def _copied(config: RunConfig, examples: int, rows: KeptRows | None) -> int | None:
    """Bytes of rows that a device gets: those that are kept once, those made anew each epoch again; none where unknown."""
    kept = resident_bytes(config, examples, rows)
    if kept is None:
        return None
    assert config.epochs is not None
    if is_regenerated(config, examples):
        return config.epochs * examples * row_bytes(config) + kept[1]
    return sum(kept)


def _held_out(config: RunConfig, examples: int, rows: KeptRows | None) -> int | None:
    """Rows that are validated on; none where only the data would tell."""
    if config.resolved_dataset in SYNTHETIC:
        return synthetic_validation_rows(examples, config.validation)
    rows = rows or kept_rows(config, examples)
    return None if rows is None else rows.validation


def _validation(config: RunConfig, entry: ProfileEntry, by: Slowdown, held: int, examples: int, steps: float) -> float:
    """So often that it takes a twentieth of the time, first and last always; at most once an epoch, or a second."""
    assert config.epochs is not None
    sample = min(TRAINING_SAMPLE, held or TRAINING_SAMPLE, examples)
    once = _evaluation(config, entry, by, held) + _evaluation(config, entry, by, sample)
    occasions = max(float(config.epochs), steps)
    allowed = SHARE * steps / once if once > 0 else 0.0
    # The first end of an epoch is always due, and so is the end of the run.
    least = 1.0 if config.epochs == 1 and steps < VALIDATION_SECONDS else 2.0
    return once * max(least, min(occasions, allowed))


def _evaluation(config: RunConfig, entry: ProfileEntry, by: Slowdown, rows: int) -> float:
    blocks, rest = divmod(rows, EVALUATION_BATCH)
    seconds = 0.0
    for batch, times in ((EVALUATION_BATCH, blocks), (rest, 1)):
        if batch and times:
            program = build(config.of_known_length(), batch, learning=False)
            seconds += times * entry.prices.of(program).slowed(by).seconds
    return seconds * entry.evaluation


def memory(config: RunConfig, ledger: Ledger, rows: KeptRows | None = None) -> RunMemory:
    """Count what the resolved `config` takes, for which no card is needed. `rows`: those of a file, if it was read."""
    step = room.step_memory(config, ledger.memory)
    aside = room.required_bytes(config) - step.total
    if ledger.examples is not None:
        # Rows that are kept are made before the step is; those made anew, while it waits.
        making = generation_bytes(config, ledger.examples)
        aside = aside + making if is_regenerated(config, ledger.examples) else max(aside, making)
    data, held = (None, None) if ledger.examples is None else resident_bytes(config, ledger.examples, rows) or (None, None)
    return RunMemory(step.parameters, step.gradients, step.optimizer, step.activations, step.batch, aside, data, held)


# ── bands ──


def _spread(errors: Sequence[float]) -> tuple[float, float]:
    """What a likely value is multiplied by for the ends of its band: predicted over actual, turned round."""
    ordered = sorted(errors)
    if not ordered:
        return math.exp(-LEAST_ERROR), math.exp(LEAST_ERROR)
    tail = (1 - KNOWN_COVERED) / 2
    least, most = np.quantile(ordered, [tail, 1 - tail]).tolist()
    return math.exp(min(-most, -LEAST_ERROR)), math.exp(max(-least, LEAST_ERROR))


def _wider(spread: tuple[float, float], contention: Contention, calls: float, backend: str) -> tuple[float, float]:
    """With the machine's own contention and another process's luck beside the prices' errors; none knows of the others, so their
    squares add up.

    A run that takes as long as the contention lasts meets all of it: a shorter band would be luck.
    """
    felt = (as_felt(one, backend) for one in (contention.mean, contention.low, contention.high))
    mean, low, high = (calls * one.calls + (1 - calls) * one.work for one in felt)
    down, up = math.log(mean / low), math.log(high / mean)
    other = OTHER_PROCESS.get(backend, 0.0)
    return math.exp(-math.hypot(math.log(spread[0]), down, other)), math.exp(math.hypot(math.log(spread[1]), up, other))


def _band(likely: float, spread: tuple[float, float]) -> Interval:
    return Interval(likely * spread[0], likely, likely * spread[1])


def _times(seconds: float, count: int) -> float:
    """Infinite where no float is large enough."""
    return Interval(seconds, seconds, seconds).times(count).likely
