"""The prediction of a run, made before it and compared with it: a step, the whole run, and the time left.

Without a machine profile there is none; `tuisim run` never calibrates the machine first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuisim import units
from tuisim.config import RunConfig
from tuisim.data.info import KeptRows
from tuisim.engine import Summary
from tuisim.engine.events import Snapshot, State
from tuisim.errors import TuisimError
from tuisim.predict import profiles
from tuisim.predict.prediction import Prediction
from tuisim.predict.predictor import Predictor
from tuisim.predict.record import Comparison, comparable, compare_run, compare_steps, mean_step
from tuisim.provenance import Provenance, Tagged
from tuisim.terminal.lines import Frame, Line, Tone, width_of

PER_STEP, IN_TOTAL = " per step", " in total"
_ADDED = ("predicted_seconds", "predicted_wall_seconds", "longer_than_predicted")


# ── tuisim run ──


def predict_run(config: RunConfig, rows: KeptRows | None) -> Prediction | None:
    """Predict the resolved `config` with these rows in memory; None without a machine profile that knows its backend."""
    try:
        profile = profiles.own().profile
        return None if profile is None else Predictor(profile).predict(config, rows=rows)
    except TuisimError:  # the profile has no entry for it, as tuisim predict would say
        return None


def scores(summary: Summary, prediction: Prediction | None) -> tuple[Comparison | None, Comparison | None]:
    """Compare its steps and its wall time; None without a prediction, or if the run cannot be compared."""
    if prediction is None:
        return None, None
    paused = summary.paused_seconds > 0
    parts = comparable(
        summary.ended, summary.steps, summary.seconds,
        throttled=summary.throttled, paused=paused, stopped_early=summary.stopped_early,
    )  # fmt: skip
    steps = compare_steps(prediction, summary.steps, summary.seconds) if parts.steps else None
    return steps, compare_run(prediction, summary.wall_seconds) if parts.wall else None


def score_words(summary: Summary, prediction: Prediction | None) -> list[str]:
    """Return `41.2 µs per step, measured 43.7 µs: 6 % longer`, and the same of the run; empty without a comparison."""
    pairs = zip(scores(summary, prediction), (PER_STEP, IN_TOTAL), strict=True)
    return [score.words(of).removeprefix("predicted ") for score, of in pairs if score is not None]


def with_prediction(document: dict[str, Any], summary: Summary, prediction: Prediction | None) -> dict[str, Any]:
    """Return the run's document with its prediction, and how much longer the run took, relative to the prediction."""
    steps, wall = scores(summary, prediction)
    seconds, wall_seconds = (None, None) if prediction is None else (prediction.seconds, prediction.wall_seconds)
    return document | {
        "predicted_seconds": seconds and seconds.to_dict(),
        "predicted_wall_seconds": wall_seconds and wall_seconds.to_dict(),
        "longer_than_predicted": {"steps": steps and steps.more, "wall": wall and wall.more},
        "marks": document["marks"] | dict.fromkeys(_ADDED, Provenance.PROJECTED),
    }


# ── the run page ──


@dataclass(frozen=True)
class PredictedRun:
    """The prediction of a run at full speed, compared with the run as it goes."""

    prediction: Prediction
    was_paused: bool = False
    """True once the run was paused: its wall time cannot be compared any more, its steps can."""

    def seconds_left(self, snapshot: Snapshot) -> float | None:
        """Return the seconds left: as predicted, and by the measured throughput once there is one."""
        if snapshot.state.ended or snapshot.speed_limit is not None or snapshot.total_steps is None:
            return None
        if snapshot.throughput is not None and snapshot.seconds_left is not None:
            return snapshot.seconds_left
        if self.was_paused or not snapshot.total_steps:
            return None if self.was_paused else 0.0
        found = self.prediction
        whole = found.wall_seconds or found.seconds or mean_step(found).times(snapshot.total_steps)
        return whole.likely * (1 - snapshot.step / snapshot.total_steps)

    def step_line(self, snapshot: Snapshot, frame: Frame) -> list[Line]:
        """Return the line that compares a step."""
        if snapshot.speed_limit is not None:
            return []
        score = None
        if snapshot.state.ended:
            score = compare_steps(self.prediction, snapshot.step, snapshot.seconds)
        elif snapshot.throughput is not None:
            score = compare_steps(self.prediction, 1, 1 / snapshot.throughput.steps_per_second)
        return [_line(mean_step(self.prediction).likely, score, PER_STEP, "measured", frame)]

    def run_line(self, snapshot: Snapshot, frame: Frame) -> list[Line]:
        """Return the line that compares the whole run, estimated by the measured throughput until it has ended."""
        whole = self.prediction.wall_seconds
        if snapshot.speed_limit is not None or snapshot.total_steps is None or whole is None or self.was_paused:
            return []
        left = self.seconds_left(snapshot) if snapshot.throughput is not None else None
        is_known = snapshot.state is State.COMPLETED or left is not None
        is_known = is_known and not snapshot.stopped_early
        score = compare_run(self.prediction, snapshot.wall_seconds + (left or 0.0)) if is_known else None
        return [_line(whole.likely, score, IN_TOTAL, "measured" if snapshot.state.ended else "estimated", frame)]

    def outcome(self, snapshot: Snapshot) -> str:
        """Return the comparison in a sentence; empty if the run cannot be compared."""
        throttled, paused = snapshot.speed_limit is not None, self.was_paused
        parts = comparable(
            snapshot.state, snapshot.step, snapshot.seconds,
            throttled=throttled, paused=paused, stopped_early=snapshot.stopped_early,
        )  # fmt: skip
        if parts.wall and (score := compare_run(self.prediction, snapshot.wall_seconds)):
            return score.words()
        score = compare_steps(self.prediction, snapshot.step, snapshot.seconds) if parts.steps else None
        return score.words(PER_STEP) if score else ""


def _line(predicted: float, score: Comparison | None, of: str, verb: str, frame: Frame) -> Line:
    """Return `predicted  51.0 µs per step, measured 55.2 µs: 8 % longer`, in fewer words if there is no room."""
    likely = Tagged(units.duration(predicted), Provenance.PROJECTED)
    wide: Line = (("predicted".rjust(13), Tone.DIM), (Tagged(f" {likely:>8}", Provenance.PROJECTED), Tone.TEXT), (of, Tone.DIM))
    narrow: Line = (("predicted ", Tone.DIM), (likely, Tone.TEXT), (of, Tone.DIM))
    if score is None:
        return wide if frame.width >= width_of(wide) else narrow
    verdict = (Tagged(score.verdict, Provenance.PROJECTED), Tone.STRONG)
    actual: Line = ((f", {verb} ", Tone.DIM), (units.duration(score.actual), Tone.TEXT), (": ", Tone.DIM), verdict)
    short: Line = (*narrow, (f", {verb} ", Tone.DIM), verdict)
    shortest: Line = (*narrow, (": ", Tone.DIM), verdict)
    lines = ((*wide, *actual), (*narrow, *actual), short, shortest)
    return next((line for line in lines if width_of(line) <= frame.width), narrow)
