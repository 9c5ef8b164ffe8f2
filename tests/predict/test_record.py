"""A run compared with its prediction, and its record."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.made_machine_profile import machine_profile
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine.events import State
from tuisim.predict.cost_model import predict
from tuisim.predict.machine import this_machine
from tuisim.predict.prediction import Interval, Prediction
from tuisim.predict.record import MIN_SECONDS, Comparison, compare_run, compare_steps, mean_step, record
from tuisim.store.runs import Run, append, read

DIGITS = RunConfig(layers=(64, 32, 10), epochs=4, threads=1).resolved()


def predicted(config: RunConfig = DIGITS) -> Prediction:
    return predict(config, machine_profile())


def of(prediction: Prediction | None, **changes: object) -> Run:
    facts = {"steps": 204, "examples_seen": 6_472, "seconds": 0.02, "wall_seconds": 0.03, "ended": State.COMPLETED} | changes
    facts = {"throttled": False, "paused_seconds": 0.0} | facts
    summary: Any = SimpleNamespace(config=DIGITS, backend="numpy", stopped_early=False, **facts)
    found = record(summary, prediction)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (13.1, "predicted 12.3 s, measured 13.1 s: 7 % longer"),
        (11.1, "predicted 12.3 s, measured 11.1 s: 10 % shorter"),
        (12.33, "predicted 12.3 s, measured 12.3 s: as predicted"),
        (123.0, "predicted 12.3 s, measured 2 min 03 s: 10.0 × as long"),
    ],
)
def test_a_comparison_states_its_relative_error(actual, words):
    assert Comparison(Interval(11.0, 12.3, 13.0), actual).words() == words


def test_a_comparison_is_covered_within_its_interval():
    band = Interval(1.0, 2.0, 3.0)
    assert [Comparison(band, actual).covered for actual in (0.9, 1.0, 3.0, 3.1)] == [False, True, True, False]
    assert Comparison(band, 3.0).more == pytest.approx(0.5)


def test_the_mean_step_is_a_share_of_the_epoch_with_its_short_last_step():
    found = predicted()
    assert found.epoch is not None
    assert mean_step(found).likely == pytest.approx(found.epoch.likely / 51)
    assert mean_step(found).likely < found.step.likely, "the last of 51 steps has 18 examples, not 32"
    unknown = replace(found, epoch=None)
    assert mean_step(unknown) == found.step


def test_nothing_is_compared_without_a_prediction_or_a_time():
    found = predicted()
    assert compare_steps(found, 10, 0.01) == Comparison(mean_step(found), 0.001)
    assert compare_steps(found, 0, 0.0) is None
    assert compare_run(replace(found, wall_seconds=None), 1.0) is None
    assert compare_run(replace(found, wall_seconds=Interval(1.0, 2.0, math.inf)), 1.0) is None
    assert compare_run(found, 0.0) is None


def test_a_whole_run_is_kept_with_both_predictions_and_comes_back():
    found = predicted()
    assert found.seconds is not None
    assert found.wall_seconds is not None
    run = of(found)
    append(run)
    assert read().runs == (run,)
    assert run.machine == this_machine().id
    assert run.predicted_seconds == (found.seconds.low, found.seconds.likely, found.seconds.high)
    assert run.predicted_wall_seconds == (found.wall_seconds.low, found.wall_seconds.likely, found.wall_seconds.high)
    assert (run.operations_per_step, run.bytes_per_step) == (331_114, count(DIGITS).bytes_per_step)
    assert (run.layers, run.batch, run.optimizer, run.name) == ((64, 32, 10), 32, "sgd", "numpy@1")


def test_the_prediction_of_an_interrupted_run_is_of_its_steps():
    found = predicted(replace(DIGITS, epochs=None))
    run = of(found, ended=State.STOPPED, steps=5_000, seconds=0.5)
    assert run.predicted_seconds is not None
    assert run.predicted_seconds[1] == pytest.approx(5_000 * mean_step(found).likely)
    assert run.predicted_wall_seconds is None


def test_a_run_that_was_stopped_too_soon_is_kept_without_its_prediction():
    run = of(predicted(), ended=State.STOPPED, seconds=MIN_SECONDS / 2)
    assert (run.predicted_seconds, run.predicted_wall_seconds) == (None, None)
    append(run)


def test_a_throttled_run_is_kept_as_one_and_compared_with_nothing():
    run = of(predicted(), throttled=True, wall_seconds=60.0)
    assert (run.throttled, run.predicted_seconds, run.predicted_wall_seconds) == (True, None, None)
    append(run)
    append(of(predicted()))
    assert [one.throttled for one in read().runs] == [True, False]


def test_the_wall_time_of_a_paused_run_is_without_its_pauses():
    run = of(predicted(), wall_seconds=60.03, paused_seconds=60.0)
    assert run.wall_seconds == pytest.approx(0.03)
    assert run.predicted_seconds is not None
    assert run.predicted_wall_seconds is None


def test_an_infinite_prediction_is_recorded_as_none():
    found = replace(predicted(), seconds=Interval(1.0, math.inf, math.inf), wall_seconds=None)
    assert of(found).predicted_seconds is None
    assert of(None).predicted_seconds is None
    assert of(replace(predicted(), seconds=None)).predicted_seconds is not None, "its volume became known: so many steps"
