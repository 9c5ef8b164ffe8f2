"""A run held against its prediction, and a run as it is kept.

It neither runs nor predicts anything, and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from tuisim import units
from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.engine.events import State
from tuisim.engine.summary import Summary
from tuisim.predict.interval import Interval
from tuisim.predict.machine import this_machine
from tuisim.predict.prediction import Prediction
from tuisim.store.runs import MIN_SECONDS as LEAST_KEPT
from tuisim.store.runs import Run, Seconds
from tuisim.units import MAX_COUNT

LEAST_SECONDS = 0.05
"""Of a run that was broken off: after fewer its first steps count for more than all others, and it says little of a step."""
_TELLING = (State.COMPLETED, State.STOPPED, State.INTERRUPTED)
"""Runs that ended so did the work that was predicted, or the beginning of it."""


@dataclass(frozen=True, slots=True)
class Score:
    """What was predicted and what it was, in seconds; the latter above 0."""

    predicted: Interval
    actual: float

    @property
    def more(self) -> float:
        """How much longer it took than was likely, as a share of that: 0.06 is 6 % more."""
        return self.actual / self.predicted.likely - 1

    @property
    def covered(self) -> bool:
        return self.predicted.low <= self.actual <= self.predicted.high

    @property
    def verdict(self) -> str:
        """`6 % more`, `12 % less`, `as predicted`, `3.1 × as long`."""
        more = self.more
        if more >= 1:
            return f"{units.figure(1 + more)} × as long"
        rounded = round(100 * more)
        return f"{abs(rounded)} % {'more' if more > 0 else 'less'}" if rounded else "as predicted"

    @property
    def in_full(self) -> str:
        """`6 % more than predicted`, `as predicted`, `3.1 × as long as predicted`."""
        verdict = self.verdict
        return verdict if verdict == "as predicted" else f"{verdict} {'as' if self.more >= 1 else 'than'} predicted"

    def __str__(self) -> str:
        """`predicted 12.3 s, took 13.1 s: 6 % more`."""
        return f"predicted {units.duration(self.predicted.likely)}, took {units.duration(self.actual)}: {self.verdict}"


@dataclass(frozen=True, slots=True)
class Telling:
    """Of what a run can be held against its prediction, which is of a run at full speed."""

    steps: bool
    wall: bool
    """From its start to its end."""


def telling(ended: State, steps: int, seconds: float, *, paced: bool = False, paused: bool = False) -> Telling:
    """What a run tells that `ended` so after `steps` whose phases took `seconds`."""
    whole = ended is State.COMPLETED
    enough = steps > 0 and seconds > 0 and (whole or (ended in _TELLING and seconds >= LEAST_SECONDS))
    return Telling(enough and not paced, whole and not paced and not paused)


def mean_step(prediction: Prediction) -> Interval:
    """Seconds of a step of the run: an epoch's share, with its short last step and what it costs to shuffle."""
    steps = prediction.ledger.steps_per_epoch
    return prediction.step if prediction.epoch is None or not steps else prediction.epoch.times(1 / steps)


def score_steps(prediction: Prediction, steps: int, seconds: float) -> Score | None:
    """One step: predicted, and the mean of `steps` at full speed whose phases took `seconds`; none where that says nothing."""
    return _score(mean_step(prediction), seconds / steps) if steps and seconds > 0 else None


def score_run(prediction: Prediction, wall_seconds: float) -> Score | None:
    """A run that came to its end, by its wall time; none where that could not be predicted."""
    return _score(prediction.wall_seconds, wall_seconds)


def _score(predicted: Interval | None, actual: float) -> Score | None:
    usable = predicted is not None and predicted.likely > 0 and math.isfinite(predicted.high) and actual > 0
    return Score(predicted, actual) if predicted is not None and usable else None


def kept(
    config: RunConfig,
    ledger: Ledger,
    backend: str,
    threads: int,
    steps: int,
    examples: int,
    seconds: float,
    wall_seconds: float,
    prediction: Prediction | None,
    ended: State,
) -> Run:
    """What is kept of a run at full speed, neither paced nor paused, of one step or more; `config` and `ledger` as they ran.

    What was predicted is kept where the run can be held against it: for one that was broken off, what so many steps would
    take; its wall time is predicted for its end alone.
    """
    tells = telling(ended, steps, seconds)
    predicted = _predicted(prediction, steps, tells.wall) if prediction is not None and tells.steps else None
    wall = prediction.wall_seconds if prediction is not None and tells.wall else None
    return Run(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=this_machine().id,
        backend=backend,
        threads=threads,
        layers=config.layers,
        batch=ledger.batch,
        dtype=config.dtype,
        optimizer=config.optimizer,
        loss=config.loss,
        steps=steps,
        examples=examples,
        operations_per_step=ledger.step_total.total,
        bytes_per_step=ledger.bytes_per_step,
        seconds=seconds,
        wall_seconds=wall_seconds,
        predicted_seconds=_plain(predicted),
        predicted_wall_seconds=_plain(wall),
        ended=ended.value,
    )


def of_summary(summary: Summary, prediction: Prediction | None) -> Run | None:
    """What is kept of a run that ended so; none where its times do not say what such a run takes."""
    undisturbed = not summary.throttled and not summary.paused_seconds
    if not undisturbed or summary.ended not in _TELLING or not summary.steps or summary.seconds <= 0:
        return None
    config = summary.config
    assert config.threads is not None
    return kept(
        config, count(config.of_known_length()), summary.backend, config.threads, summary.steps, summary.examples_seen,
        summary.seconds, summary.wall_seconds, prediction, summary.ended,
    )  # fmt: skip


def _predicted(prediction: Prediction, steps: int, whole: bool) -> Interval:
    return prediction.seconds if whole and prediction.seconds is not None else mean_step(prediction).times(steps)


def _plain(band: Interval | None) -> Seconds | None:
    """None where it is nothing that could be kept: beyond all numbers that are, or nothing at all."""
    if band is None or band.low < LEAST_KEPT or not band.high <= MAX_COUNT:
        return None
    return band.low, band.likely, band.high
