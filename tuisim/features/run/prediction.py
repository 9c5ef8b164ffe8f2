"""The prediction of a run: made before it, compared with it at its end, and kept with it.

Without a machine profile there is none; a run never calibrates the machine first.
"""

from __future__ import annotations

from typing import Any

from tuisim.config import RunConfig
from tuisim.data.info import KeptRows
from tuisim.engine import Summary
from tuisim.errors import TuisimError
from tuisim.predict import profiles
from tuisim.predict.prediction import Prediction
from tuisim.predict.predictor import Predictor
from tuisim.predict.record import Comparison, comparable, compare_run, compare_steps, record_of
from tuisim.provenance import Provenance
from tuisim.store.runs import append


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
    parts = comparable(summary.ended, summary.steps, summary.seconds, paced=summary.throttled, paused=paused)
    steps = compare_steps(prediction, summary.steps, summary.seconds) if parts.steps else None
    return steps, compare_run(prediction, summary.wall_seconds) if parts.wall else None


def score_words(summary: Summary, prediction: Prediction | None) -> list[str]:
    """Return `a step: 41.2 µs, took 43.7 µs: 6 % more`, and the same for the whole run; empty without a comparison."""
    steps, wall = scores(summary, prediction)
    return [
        f"{what}: {str(one).removeprefix('predicted ')}" for what, one in (("a step", steps), ("in all", wall)) if one is not None
    ]


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


_ADDED = ("predicted_seconds", "predicted_wall_seconds", "longer_than_predicted")


def keep(summary: Summary, prediction: Prediction | None) -> str:
    """Keep the record of the run and return why that failed; empty if it did not, or if there is nothing to keep."""
    run = record_of(summary, prediction)
    if run is None:
        return ""
    try:
        append(run)
    except TuisimError as error:
        return f"what this run took was not kept: {error}"
    return ""
