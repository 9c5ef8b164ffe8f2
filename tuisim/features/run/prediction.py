"""What was said of a run before it: written down at its start, held against it at its end, and kept with it.

Where there is no machine card nothing was said; a run never measures the machine first.
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


def foretell(config: RunConfig, rows: KeptRows | None) -> Prediction | None:
    """Predict the resolved `config` with these rows in memory; None without a machine profile that knows its backend."""
    try:
        card = profiles.own().profile
        return None if card is None else Predictor(card).predict(config, rows=rows)
    except TuisimError:  # the card has no price for it, as tuisim predict would say
        return None


def scores(summary: Summary, foretold: Prediction | None) -> tuple[Comparison | None, Comparison | None]:
    """Of its steps, and of its wall time; none where nothing was said, or the run does not tell."""
    if foretold is None:
        return None, None
    paused = summary.paused_seconds > 0
    tells = comparable(summary.ended, summary.steps, summary.seconds, paced=summary.throttled, paused=paused)
    steps = compare_steps(foretold, summary.steps, summary.seconds) if tells.steps else None
    return steps, compare_run(foretold, summary.wall_seconds) if tells.wall else None


def score_words(summary: Summary, foretold: Prediction | None) -> list[str]:
    """`a step: 41.2 µs, took 43.7 µs: 6 % more`, and the same of all of it; empty where there is nothing to say."""
    steps, wall = scores(summary, foretold)
    return [
        f"{what}: {str(one).removeprefix('predicted ')}" for what, one in (("a step", steps), ("in all", wall)) if one is not None
    ]


def with_prediction(document: dict[str, Any], summary: Summary, foretold: Prediction | None) -> dict[str, Any]:
    """The run's document with what was predicted of it, and by how much it took longer, as a share of that."""
    steps, wall = scores(summary, foretold)
    seconds, wall_seconds = (None, None) if foretold is None else (foretold.seconds, foretold.wall_seconds)
    return document | {
        "predicted_seconds": seconds and seconds.to_dict(),
        "predicted_wall_seconds": wall_seconds and wall_seconds.to_dict(),
        "longer_than_predicted": {"steps": steps and steps.more, "wall": wall and wall.more},
        "marks": document["marks"] | dict.fromkeys(_ADDED, Provenance.PROJECTED),
    }


_ADDED = ("predicted_seconds", "predicted_wall_seconds", "longer_than_predicted")


def keep(summary: Summary, foretold: Prediction | None) -> str:
    """Keep what the run took; why that could not be done, empty where it was, or where there is nothing to keep."""
    run = record_of(summary, foretold)
    if run is None:
        return ""
    try:
        append(run)
    except TuisimError as error:
        return f"what this run took was not kept: {error}"
    return ""
