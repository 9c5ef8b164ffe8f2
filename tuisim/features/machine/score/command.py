"""`tuisim score`: predictions compared with real runs of networks that no calibration has seen."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.backends import computed_dtype, names
from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import Json
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest
from tuisim.features.machine.score.score import GOAL_MEDIAN, GOAL_PILOT, GOAL_PILOT_BUSY, GOAL_WITHIN, ScoreReport
from tuisim.features.machine.score.score import score as run_score
from tuisim.predict import predictor
from tuisim.predict.cost_model import COVERED
from tuisim.terminal.lines import BLANK, Line, Tone, wrap
from tuisim.terminal.table import text_table
from tuisim.units import layers_text

FULL_WIDTH = 116
"""Columns if there is no terminal."""
WORST = 6
"""Networks with the largest errors that are listed."""
LEGEND = (
    "error: median; within ¼: runs within 25 % of the prediction; covered: runs in the prediction interval; speed ±: spread of "
    "the machine's speed"
)


def score(
    *,
    backends: Annotated[str | None, Parameter(help="Backends, separated by commas (default: all in the machine profile)")] = None,
    json_: Json = False,
) -> int:
    """Score the predictions: predict and then run at least forty networks per backend, with and without a pilot."""
    asked = None if backends is None else [part.strip() for part in backends.split(",") if part.strip()]
    mistakes = [Mistake("backends", name, nearest(name, names())) for name in asked or () if name not in names()]
    mistakes += [Mistake("backends", "", "name at least one")] if asked == [] else []
    if mistakes:
        raise ConfigError(mistakes)
    with ProgressLine() as line:
        found = run_score(predictor.own_predictor(), asked, line.show)
    print_result(json_, found.to_dict, lambda frame: _lines(found, frame.width), FULL_WIDTH)
    return ExitCode.DONE if found.passed else ExitCode.CHECK_FAILED


def _lines(found: ScoreReport, width: int) -> list[Line]:
    percent = units.percent
    scores = [
        (
            one.label, str(len(one.runs)), *(f"{ratio:.2f}" for ratio in one.ratios(0.05, 0.5, 0.95)), 
            *(figure for errors in (one.model, one.pilot)
              for figure in (percent(errors.median), percent(errors.within, 0), percent(errors.covered, 0))),
            percent(one.speed_spread, 0),
        )
        for one in found.scores
    ]  # fmt: skip
    goals = (
        f"goals: median error {percent(GOAL_MEDIAN, 0)}, {percent(GOAL_WITHIN, 0)} within a quarter, {percent(COVERED, 0)} in "
        f"their prediction interval; with a pilot run, median error {percent(GOAL_PILOT, 0)}, {percent(GOAL_PILOT_BUSY, 0)} on a "
        "busy machine"
    )
    runs = sorted((run for one in found.scores for run in one.runs), key=lambda run: -abs(run.ratio - 1))[:WORST]
    worst = [
        (
            layers_text(run.config.layers), str(run.config.batch_size),
            f"{run.config.backend}@{run.config.threads} {computed_dtype(run.config.backend, run.config.dtype)}",
            run.config.optimizer, units.duration(run.predicted.likely), units.duration(run.timed.likely),
            units.duration(run.seconds), f"{run.ratio:.2f}", f"{run.timed_ratio:.2f}",
        )
        for run in runs
    ]  # fmt: skip
    errors = ("within ¼", "covered")
    heads = ("backend", "networks", "5 %", "median", "95 %", "error", *errors, "pilot", *errors, "speed ±")
    return [
        ((found.machine, Tone.STRONG), (" · predicted time ÷ actual time", Tone.TEXT)),
        *text_table(heads, scores, width),
        *wrap(goals, width, Tone.DIM),
        *wrap(LEGEND, width, Tone.DIM),
        BLANK,
        *text_table(("worst", "batch", "backend", "optimizer", "model", "pilot", "actual", "model ÷", "pilot ÷"), worst, width),
        *(((f"{what}: {why}", Tone.TEXT),) for what, why in found.skipped),
    ]
