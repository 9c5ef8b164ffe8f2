"""Every measurement runs under its thread limit: a scripted limit is recorded whenever the clock is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from time import perf_counter

import pytest

from tests.support.made_machine_profile import entry, machine_profile
from tuisim.backends import get_backend, numpy
from tuisim.backends.numpy.blas import Restore, _setter, thread_limit
from tuisim.backends.numpy.blas import threads as blas_threads
from tuisim.config import RunConfig
from tuisim.engine import benchmark_case, step_time
from tuisim.features.compare import entries as contenders
from tuisim.features.compare.bench import bench
from tuisim.features.compare.crossover.sweep import Sweep
from tuisim.features.compare.entries import BackendEntry
from tuisim.features.compare.race.race import compare
from tuisim.features.explain.answer import elementwise
from tuisim.features.explain.proof import proof
from tuisim.features.machine.score import score
from tuisim.features.profile import step_profile
from tuisim.measure import machine_speed, peaks
from tuisim.predict import calibrate, pilot, sample
from tuisim.predict import data_generation as making
from tuisim.predict import run_costs as runcosts
from tuisim.predict.calibrate import ProfileKey
from tuisim.predict.predictor import Predictor

THREADS = 3
CONFIG = RunConfig(layers=(6, 5, 3), batch_size=4, threads=THREADS, dataset="teacher", loss="mse", examples=200_000)
TIMED = (benchmark_case, sample, pilot, making, runcosts, machine_speed, elementwise, contenders, step_profile, proof)
"""Modules that read the clock before and after a measurement."""
Seen = set[tuple[str, int | None]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Return (module, current limit) of each reading of the clock; None is the default count of BLAS."""
    found: Seen = set()
    now: list[int | None] = [None]

    def put(count: int) -> Restore:
        before, now[0] = now[0], count
        return lambda: now.__setitem__(0, before)

    def watch(name: str, clock: Callable[[], float]) -> Callable[[], float]:
        def look() -> float:
            found.add((name, now[0]))
            return clock()

        return look

    monkeypatch.setattr(thread_limit, "_set_count", put)
    for module in TIMED:
        monkeypatch.setattr(module, "perf_counter", watch(module.__name__.rpartition(".")[2], perf_counter))
    monkeypatch.setattr(calibrate, "FEW", 9)
    monkeypatch.setattr(calibrate, "MAX_PRODUCTS_ELSEWHERE", 20_000)
    monkeypatch.setattr(calibrate, "MAX_PRODUCTS", {"scalar": 200})
    monkeypatch.setattr(runcosts, "SHORT_EPOCHS", 5)
    monkeypatch.setattr(runcosts, "LONG_EPOCHS", 1)
    monkeypatch.setattr(runcosts, "MANY", 640)
    monkeypatch.setattr(runcosts, "LONG_SECONDS", 0.001)
    monkeypatch.setattr(step_time, "names", lambda: ("numpy", "scalar"))
    monkeypatch.setattr(peaks, "BUDGET", 0.001)
    making._measured.cache_clear()
    step_time._scalar_operation.cache_clear()
    return found


def test_a_calibration_measures_all_of_an_entry_under_its_threads(seen):
    calibrate.calibrate([ProfileKey("numpy", THREADS, "float32")], quick=True)
    assert seen == {("benchmark_case", 3), ("sample", 3), ("run_costs", 3)}


def test_run_costs_measured_for_plain_python_are_of_its_threads(seen):
    """NumPy measures them, with all threads of BLAS unless they are limited."""
    calibrate.calibrate([ProfileKey("scalar", 1, "float64")], quick=True)
    assert seen == {("benchmark_case", 1), ("sample", 1), ("run_costs", 1)}


def test_making_rows_is_measured_under_the_runs_threads(seen):
    assert making.seconds_per_row(CONFIG) is not None
    assert seen == {("data_generation", 3)}
    making.seconds_per_row(replace(CONFIG, threads=2))
    assert seen == {("data_generation", 3), ("data_generation", 2)}, "another limit is another measurement"


def test_a_prediction_makes_rows_and_times_a_pilot_under_the_runs_threads(seen):
    found = Predictor(machine_profile(entry("numpy", THREADS))).predict(replace(CONFIG, epochs=1))
    assert found.wall_seconds is not None
    assert seen == {("data_generation", 3)}
    seen.clear()
    assert pilot.time_pilot(replace(CONFIG, examples=64), 0.001) is not None
    assert seen == {("benchmark_case", 3), ("pilot", 3)}


def test_run_costs_hold_their_own_limit(seen):
    runcosts.measure("numpy", "float32", THREADS)
    assert seen == {("benchmark_case", 3), ("run_costs", 3)}


def test_the_machines_speed_is_of_one_thread(seen):
    with get_backend("numpy").threads(THREADS):
        machine_speed.SpeedMeter().read()
    assert seen == {("machine_speed", 1)}


def test_element_times(seen, monkeypatch):
    monkeypatch.setattr(elementwise, "LARGE", 2 * elementwise.CACHED)
    monkeypatch.setattr(elementwise, "ROUNDS", {elementwise.CACHED: 1, 2 * elementwise.CACHED: 1})
    elementwise.element_times(THREADS)
    assert seen == {("elementwise", 3)}


def test_step_times_and_plain_pythons_price(seen):
    step_time.step_times(replace(CONFIG, examples=64))
    step_time._scalar_operation()
    proof.predict_cost(replace(CONFIG, examples=64).resolved())
    assert seen == {("benchmark_case", 3), ("benchmark_case", 1), ("proof", 1)}


def test_a_profile(seen, monkeypatch):
    monkeypatch.setattr(step_profile, "SECONDS", 0.01)
    monkeypatch.setattr(step_profile, "SMALLEST_SECONDS", 0.01)
    step_profile.profile_step(replace(CONFIG, examples=64))
    assert seen == {("benchmark_case", 3), ("step_profile", 3)}


def test_a_comparison_and_a_crossover_limit_each_entry_to_its_own_threads(seen):
    compare(replace(CONFIG, examples=64), (BackendEntry("numpy", 1), BackendEntry("numpy", 2)), 0.2)
    assert seen == {("entries", 1), ("entries", 2)}
    seen.clear()
    pair = BackendEntry("numpy", 1), BackendEntry("numpy", 2)
    Sweep(replace(CONFIG, examples=64), pair, 2.0, widths=(4,), batches=(1,)).run()
    assert seen == {("benchmark_case", 1), ("benchmark_case", 2)}


def test_the_benchmark(seen, monkeypatch):
    held: set[int] = set()
    steps = bench.MatrixProducts.steps
    monkeypatch.setattr(bench, "CASES", (replace(CONFIG, dataset="auto", examples=None),))
    monkeypatch.setattr(bench, "CASE_SECONDS", 0.0)
    monkeypatch.setattr(bench, "ROUND_SECONDS", 1e-4)
    monkeypatch.setattr(bench, "names", lambda: ("numpy", "scalar"))
    monkeypatch.setattr(bench.peers, "installed", dict)
    monkeypatch.setattr(
        bench.MatrixProducts,
        "steps",
        lambda self, count: (held.update(count for _, count in thread_limit._holders), steps(self, count))[1],
    )
    bench.bench(THREADS)
    assert held == {3}


def test_a_scored_run(seen, monkeypatch):
    monkeypatch.setattr(score, "RUN_SECONDS", 0.001)
    held: set[int] = set()
    run = numpy.NumpyStep.run
    monkeypatch.setattr(
        numpy.NumpyStep, "run", lambda self, rows: (held.update(count for _, count in thread_limit._holders), run(self, rows))[1]
    )
    predictor = Predictor(machine_profile(entry("numpy", THREADS)))
    score.scored_run(predictor, replace(CONFIG, examples=64).resolved(), machine_speed.SpeedMeter())
    assert held == {3}


@pytest.mark.parametrize("name", ["numpy", "scalar"])
def test_every_backend_limits_blas(seen, name):
    with get_backend(name).threads(2):
        assert [count for _, count in thread_limit._holders] == [2]


def test_a_limit_applies_whichever_thread_sets_it():
    """OpenBLAS obeys only the first thread that set its count, for as long as that thread lives."""
    if blas_threads() is None:
        pytest.skip("threadpoolctl knows no BLAS here")
    ready, leave = Event(), Event()
    before = blas_threads()

    def first() -> None:
        with thread_limit.hold(2):
            ready.set()
            leave.wait(30)

    holder = Thread(target=first, daemon=True)
    holder.start()
    assert ready.wait(30)
    with thread_limit.hold(1):
        assert blas_threads() == 1
    leave.set()
    holder.join(30)
    assert blas_threads() == before


def test_an_exception_while_setting_a_limit_reaches_the_caller():
    def fail() -> None:
        raise ValueError("no such count")

    with pytest.raises(ValueError, match="no such count"):
        _setter.do(fail)
    assert _setter.do(lambda: 5) == 5
