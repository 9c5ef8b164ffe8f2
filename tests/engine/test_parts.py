"""The parts of a run, each alone: history, tally, gradient samples, initializers, worker."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuisim import RunConfig
from tuisim.config.choices import INITIALIZERS
from tuisim.engine import Ended, RunFailed, State, Worker, initializers
from tuisim.engine.gradient_sample import SHARE, GradientSampler
from tuisim.engine.history import POINTS, MeanCurve, SampledCurves
from tuisim.engine.tally import WINDOW, Tally
from tuisim.measure.gradients import HISTOGRAM_BINS, Health, judged_together, layer_gradients
from tuisim.measure.peaks import peaks
from tuisim.program import build


@given(st.lists(st.integers(1, 700), min_size=1, max_size=30))
def test_a_mean_curve_keeps_the_mean_and_stays_bounded(chunks):
    curve, values = MeanCurve(), []
    for size in chunks:
        chunk = [float(len(values) + k) for k in range(size)]
        values += chunk
        curve.extend(chunk)
    steps, means = curve.arrays()
    assert len(means) <= POINTS
    assert steps[-1] == len(values)
    counts = np.diff(np.concatenate([[0], steps]))
    assert (means * counts).sum() == pytest.approx(sum(values))
    assert (np.diff(steps) > 0).all()


def test_sampled_curves_keep_the_latest():
    curves = SampledCurves(1)
    for step in range(5 * POINTS):
        curves.append(step, None if step % 2 else float(step))
    steps, values = curves.arrays()
    assert len(steps) < POINTS
    assert steps[-1] == 5 * POINTS - 1
    assert np.isnan(values[-1])


def test_throughput_is_blank_until_its_window_is_full():
    tally, program = Tally(), build(RunConfig(layers=(4, 2), batch_size=10))
    tally.add(program, [1.0] * 5, WINDOW / 2, full_speed=True)
    assert tally.throughput is None
    assert tally.mean_examples_per_second == pytest.approx(50 / (WINDOW / 2))
    tally.add(program, [1.0] * 5, WINDOW / 2, full_speed=True)
    assert tally.throughput.examples_per_second == pytest.approx(100 / WINDOW)
    assert tally.throughput.steps_per_second == pytest.approx(10 / WINDOW)
    tally.add(program, [1.0], 0.001, full_speed=False)
    assert tally.throughput is None


def test_the_loss_of_an_epoch_is_weighted_by_examples():
    tally = Tally()
    tally.add(build(RunConfig(layers=(4, 2), batch_size=3)), [1.0, 2.0], 0.1, full_speed=True)
    assert tally.loss == pytest.approx(1.5)
    tally.add(build(RunConfig(layers=(4, 2)), 1), [8.0], 0.1, full_speed=True)
    tally.end_epoch()
    assert tally.loss == pytest.approx((3 + 6 + 8) / 7)
    assert (tally.epochs, tally.examples, tally.examples_this_epoch) == (1, 7, 0)


def test_gradient_figures():
    g = np.array([3.0, 4.0, 0.0])
    figures = layer_gradients(1, g, np.array([1.0, 0, 0]), np.array([1.001, 0, 0]), 0.25)
    assert figures.norm == 5
    assert figures.update_ratio == pytest.approx(1e-3)
    assert figures.health is Health.OK
    assert sum(figures.histogram) == 2  # a zero has no logarithm
    assert len(figures.histogram) == HISTOGRAM_BINS


@pytest.mark.parametrize(
    ("gradient", "after", "health"),
    [
        ([1.0, 1.0], [2.0, 1.0], Health.EXPLODING),
        ([1e-9, 0.0], [1.0 + 1e-9, 1.0], Health.OK),  # small, as in a network that has converged
        ([0.0, 0.0], [1.0, 1.0], Health.ZERO),
        ([np.nan, 1.0], [1.0, 1.0], Health.NON_FINITE),
        ([np.inf, 1.0], [np.nan, 1.0], Health.NON_FINITE),
    ],
)
def test_health(gradient, after, health):
    assert layer_gradients(1, np.array(gradient), np.ones(2), np.array(after), None).health is health


def test_a_layer_of_dead_units_is_dead():
    assert layer_gradients(1, np.zeros(2), np.ones(2), np.ones(2), 1.0).health is Health.DEAD


def test_a_gradient_vanishes_only_beside_a_larger_one():
    small, large = (layer_gradients(1, np.full(2, g), np.ones(2), np.ones(2), None) for g in (1e-6, 1e-3))
    assert [layer.health for layer in judged_together([small, large])] == [Health.VANISHING, Health.OK]
    assert [layer.health for layer in judged_together([small, small])] == [Health.OK, Health.OK]


def test_units_with_the_same_weights_are_found():
    weights, biases = np.tile([[1.0], [2.0]], 3), np.zeros(3)
    alike = np.concatenate([weights.ravel(), biases])
    differing = alike + np.arange(9) / 10
    found = [layer_gradients(1, alike, None, one, None, 3).has_identical_units for one in (alike, differing)]
    assert found == [True, False]


def test_a_norm_whose_square_overflows_is_still_finite():
    big = np.full(4, 1e30, np.float32)
    figures = layer_gradients(1, big, np.ones(4, np.float32), np.ones(4, np.float32), None)
    assert figures.norm == pytest.approx(2e30, rel=1e-6)


@pytest.mark.parametrize(("dtype", "value"), [("float32", 1e-24), ("float32", 1e-44), ("float64", 1e-200), ("float64", 1e-300)])
def test_a_norm_whose_squares_underflow_is_not_zero(dtype, value):
    tiny = np.full(1_000, value, dtype)
    figures = layer_gradients(1, tiny, tiny, tiny * 3, None)
    assert figures.norm == pytest.approx(float(tiny[0]) * 1_000**0.5, rel=1e-6)
    assert figures.update_ratio == pytest.approx(2, rel=1e-6)


def test_a_norm_counts_what_would_underflow_beside_a_square_that_does_not():
    values = np.full(1_000_001, 1e-23, np.float32)
    values[0] = 2e-19
    assert layer_gradients(1, values, values, values, None).norm == pytest.approx(np.linalg.norm(values.astype(float)), rel=1e-6)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_norm_of_what_is_not_finite_is_not_finite(value):
    values = np.array([1e-30, value], np.float32)
    assert not np.isfinite(layer_gradients(1, values, values, values, None).norm)


def test_histograms_are_of_a_sample_and_give_its_size():
    g = np.random.default_rng(0).standard_normal(1_000_000)
    figures = layer_gradients(1, g, g, g, None)
    assert sum(figures.histogram) == figures.sampled <= 65_536
    assert figures.total == 1_000_000


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_initializers_have_the_deviation_they_name(initializer):
    config = RunConfig(layers=(400, 300), initializer=initializer, dtype="float64")
    ((W, b),) = initializers.parameters(config)
    wanted = {"he": (2 / 400) ** 0.5, "glorot": (2 / 700) ** 0.5, "lecun": (1 / 400) ** 0.5, "normal": 0.05, "zeros": 0.0}
    assert W.std() == pytest.approx(wanted[initializer.split("_")[0]], rel=0.02)
    assert abs(W.mean()) < 1e-3
    assert not b.any()
    if initializer.endswith("uniform"):
        assert np.abs(W).max() <= 3**0.5 * wanted[initializer.split("_")[0]]


def test_dtypes_start_from_the_same_draws():
    double = list(initializers.parameters(RunConfig(layers=(6, 5), dtype="float64")))
    single = list(initializers.parameters(RunConfig(layers=(6, 5))))
    assert (double[0][0].astype("float32") == single[0][0]).all()


def test_peaks_are_measured_once():
    measured = peaks("float32", 1)
    assert measured.flops_per_second > 1e8
    assert measured.bytes_per_second > 1e8
    assert peaks("float32", 1) is measured  # once


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_worker_runs_is_polled_and_stops():
    worker = Worker(RunConfig(layers=(64, 8, 10), dataset="digits", epochs=None))
    assert worker.snapshot is None
    worker.start()
    wait_for(lambda: worker.snapshot is not None and worker.snapshot.step > 100)
    worker.stop("done")
    assert worker.join(5)
    assert worker.snapshot.state is State.STOPPED
    events = worker.events()
    assert isinstance(events[-1], Ended)
    assert worker.events() == []
    assert worker.result.ended is State.STOPPED


def test_a_run_that_cannot_start_is_an_event():
    worker = Worker(RunConfig(layers=(30, 10), dataset="digits"))
    worker.start()
    assert worker.join(10)
    (failed,) = [event for event in worker.events() if isinstance(event, RunFailed)]
    assert "digits" in failed.message
    assert "\n" not in failed.message
    assert worker.run_failed is failed


def test_an_unexpected_error_is_an_event_too(monkeypatch, caplog):
    def broken(*_, **__):
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr("tuisim.engine.session.Session.advance", broken)
    worker = Worker(RunConfig(layers=(4, 2), examples=10))
    worker.start()
    assert worker.join(10)
    assert worker.run_failed.message == "an unexpected fault: nobody thought of this"
    assert "ZeroDivisionError: nobody thought of this" in caplog.text


def test_one_slow_gradient_sample_does_not_delay_the_others():
    sampler = object.__new__(GradientSampler)
    sampler.seconds, sampler._cost, sampler._next, sampler._last, sampler._share = 0.0, 0.0, 0.0, None, SHARE
    sampler.add_cost(10.0, 0.5)  # the first, with all that happens once
    assert not sampler.is_due(14.9)
    assert sampler.is_due(15.0)
    sampler.add_cost(15.0, 0.001)
    assert sampler.is_due(15.0 + 0.25)
    sampler.add_cost(16.0, 0.4)  # held up
    assert sampler.is_due(16.25)
    sampler.add_cost(17.0, 0.4)  # and this is what it takes now
    assert not sampler.is_due(17.0 + 0.4 / SHARE - 0.1)
    assert sampler.seconds == pytest.approx(1.301)
