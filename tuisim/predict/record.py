"""A run compared with its prediction, and the record of it that is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from tuisim import units
from tuisim.accounting import count
from tuisim.engine.events import State
from tuisim.engine.summary import Summary
from tuisim.errors import DataError, printable
from tuisim.predict.machine import this_machine
from tuisim.predict.prediction import Interval, Prediction
from tuisim.store import runs
from tuisim.store.runs import MIN_SECONDS as MIN_KEPT
from tuisim.store.runs import Run, Seconds
from tuisim.units import MAX_COUNT

MIN_SECONDS = 0.05
"""An interrupted run of fewer seconds says little about a step: its first steps dominate."""
_COMPARABLE = (State.COMPLETED, State.STOPPED, State.INTERRUPTED)
"""The end states of runs that did the predicted work, or the beginning of it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Predicted and actual seconds; the latter are above 0."""

    predicted: Interval
    actual: float

    @property
    def more(self) -> float:
        """Relative error: 0.06 if it took 6 % longer than predicted."""
        return self.actual / self.predicted.likely - 1

    @property
    def covered(self) -> bool:
        """True if the actual time lies within the interval."""
        return self.predicted.low <= self.actual <= self.predicted.high

    @property
    def verdict(self) -> str:
        """`6 % longer`, `12 % shorter`, `as predicted`, `3.1 × as long`."""
        more = self.more
        if more >= 1:
            return f"{units.figure(1 + more)} × as long"
        rounded = round(100 * more)
        return f"{abs(rounded)} % {'longer' if more > 0 else 'shorter'}" if rounded else "as predicted"

    @property
    def in_full(self) -> str:
        """`6 % longer than predicted`, `as predicted`, `3.1 × as long as predicted`."""
        verdict = self.verdict
        return verdict if verdict == "as predicted" else f"{verdict} {'as' if self.more >= 1 else 'than'} predicted"

    def words(self, of: str = "") -> str:
        """Return `predicted 12.3 s per step, measured 13.1 s: 6 % longer`, with ` per step` for `of`."""
        predicted, measured = units.duration(self.predicted.likely), units.duration(self.actual)
        return f"predicted {predicted}{of}, measured {measured}: {self.verdict}"


@dataclass(frozen=True, slots=True)
class Comparable:
    """The parts of a run that can be compared with its prediction, which is of a run at full speed."""

    steps: bool
    wall: bool
    """The wall time from start to end."""


def comparable(
    ended: State, steps: int, seconds: float, *, throttled: bool = False, paused: bool = False, stopped_early: bool = False
) -> Comparable:
    """Return what can be compared of a run that `ended` so after `steps` whose phases took `seconds`."""
    whole = ended is State.COMPLETED and not stopped_early
    enough = steps > 0 and seconds > 0 and (whole or (ended in _COMPARABLE and seconds >= MIN_SECONDS))
    return Comparable(enough and not throttled, whole and not throttled and not paused)


def mean_step(prediction: Prediction) -> Interval:
    """Return the mean seconds of a step: an epoch's share, with its short last step and its shuffling."""
    steps = prediction.ledger.steps_per_epoch
    return prediction.step if prediction.epoch is None or not steps else prediction.epoch.times(1 / steps)


def compare_steps(prediction: Prediction, steps: int, seconds: float) -> Comparison | None:
    """Compare a step with the mean of `steps` whose phases took `seconds`; None if there is nothing to compare."""
    return _compare(mean_step(prediction), seconds / steps) if steps and seconds > 0 else None


def compare_run(prediction: Prediction, wall_seconds: float) -> Comparison | None:
    """Compare a completed run by its wall time; None if that was not predicted."""
    return _compare(prediction.wall_seconds, wall_seconds)


def _compare(predicted: Interval | None, actual: float) -> Comparison | None:
    usable = predicted is not None and predicted.likely > 0 and math.isfinite(predicted.high) and actual > 0
    return Comparison(predicted, actual) if predicted is not None and usable else None


def record(summary: Summary, prediction: Prediction | None) -> Run | None:
    """Return the record of a run; None if it made no step or failed.

    The prediction is recorded if it can be compared with the run: for an interrupted run, that of its steps without wall time.
    """
    if summary.ended not in _COMPARABLE or not summary.steps or summary.seconds <= 0:
        return None
    config = summary.config
    assert config.threads is not None
    ledger = count(config.of_known_length())
    parts = comparable(
        summary.ended, summary.steps, summary.seconds, throttled=summary.throttled, paused=summary.paused_seconds > 0,
        stopped_early=summary.stopped_early,
    )  # fmt: skip
    predicted = wall = None
    if prediction is not None and parts.steps:
        predicted = (parts.wall and prediction.seconds) or mean_step(prediction).times(summary.steps)
        wall = prediction.wall_seconds if parts.wall else None
    return Run(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine().id,
        backend=summary.backend,
        threads=config.threads,
        layers=config.layers,
        batch=ledger.batch,
        dtype=config.dtype,
        optimizer=config.optimizer,
        loss=config.loss,
        steps=summary.steps,
        examples=summary.examples_seen,
        operations_per_step=ledger.step_total.total,
        bytes_per_step=ledger.bytes_per_step,
        seconds=summary.seconds,
        wall_seconds=max(MIN_KEPT, summary.wall_seconds - summary.paused_seconds),
        predicted_seconds=_plain(predicted),
        predicted_wall_seconds=_plain(wall),
        ended=summary.ended.value,
        throttled=summary.throttled,
    )


def keep(summary: Summary | None, prediction: Prediction | None) -> str:
    """Keep the record of a run and return why that failed; empty if it did not, or if there is nothing to keep."""
    try:
        if summary is not None and (run := record(summary, prediction)) is not None:
            runs.append(run)
    except DataError as error:
        return printable(str(error), 300)
    return ""


def _plain(interval: Interval | None) -> Seconds | None:
    """Return plain values; None if they are too small or too large to be kept."""
    if interval is None or interval.low < MIN_KEPT or not interval.high <= MAX_COUNT:
        return None
    return interval.low, interval.likely, interval.high
