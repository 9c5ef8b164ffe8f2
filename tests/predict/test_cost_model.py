"""Predictions from made-up prices, against sums done by hand; and the sizes, volumes and settings where they end."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.support.made_machine_profile import CALL, ELSEWHERE, entry, machine_profile, prices, with_run
from tests.support.provenance import unmarked
from tuisim import data
from tuisim.accounting import count
from tuisim.backends import get_backend, registry
from tuisim.backends.numpy.blas import threads
from tuisim.backends.registry import Probe
from tuisim.config import RunConfig
from tuisim.data.info import synthetic_validation_rows
from tuisim.engine import Trainer, memory_check
from tuisim.errors import BackendError, DataError, MemoryNeeded
from tuisim.features.machine.calibrate.figures import PRODUCTS, element_costs, product_rate
from tuisim.measure import peaks
from tuisim.predict import predictor, profiles
from tuisim.predict.cost_model import MIN_ERROR, predict
from tuisim.predict.data_generation import seconds_per_row
from tuisim.predict.pilot import Pilot, time_pilot
from tuisim.predict.prediction import Interval
from tuisim.predict.predictor import Predictor
from tuisim.predict.profile import VERSION
from tuisim.program import build

DIGITS = RunConfig(layers=(64, 32, 10), loss="cross_entropy", epochs=10, threads=1)
MADE = replace(DIGITS, dataset="teacher")


def step_seconds(config: RunConfig, batch: int) -> float:
    return prices().step(build(config.resolved(), batch))


def test_a_run_is_its_full_steps_and_the_short_last_one_of_each_epoch():
    found = predict(DIGITS, machine_profile())
    assert count(DIGITS).examples == 1_618
    by_hand = 50 * step_seconds(DIGITS, 32) + step_seconds(DIGITS, 18)
    assert found.epoch is not None
    assert found.epoch.likely == pytest.approx(by_hand)
    assert found.seconds is not None
    assert found.seconds.likely == pytest.approx(10 * by_hand)
    assert found.step.likely == pytest.approx(step_seconds(DIGITS, 32))
    assert found.examples_per_second == pytest.approx(32 / found.step.likely)


def test_rows_and_epochs_have_costs_of_their_own():
    plain = predict(DIGITS, machine_profile()).seconds
    priced = predict(DIGITS, machine_profile(with_run(entry(), row=1e-6, epoch=1e-3))).seconds
    assert plain is not None
    assert priced is not None
    assert priced.likely - plain.likely == pytest.approx(10 * (1_618e-6 + 1e-3))


def test_wall_time_includes_the_loop_and_validation():
    config = replace(DIGITS, validation=0.0)
    found = predict(config, machine_profile(with_run(entry(), wall_start=0.25, wall_epoch=0.01, wall_share=0.1)))
    assert found.seconds is not None
    assert found.wall_seconds is not None
    evaluated = prices().step(build(config.resolved(), 512, learning=False))
    rest = prices().step(build(config.resolved(), 1_000 - 512, learning=False))
    # Once at the least: the training sample of 1,000 rows at the end.
    by_hand = found.seconds.likely * 1.1 + 0.25 + 10 * 0.01 + max(evaluated + rest, 0.05 * found.seconds.likely)
    assert found.wall_seconds.likely == pytest.approx(by_hand, rel=0.02)


def test_the_interval_is_as_wide_as_the_errors():
    wide = replace(entry(), prices=prices(tuple(math.log(ratio) for ratio in (0.5, 0.5, *[1.0] * 37, 4.0, 4.0))))
    found = predict(DIGITS, machine_profile(wide)).step
    # Predicted 4 times too much: it may take a quarter; predicted half: it may take twice as long.
    assert (found.low / found.likely, found.high / found.likely) == pytest.approx((0.25, 2.0))


def test_a_run_until_stopped_has_an_epoch_and_no_duration():
    found = predict(replace(DIGITS, epochs=None), machine_profile())
    assert found.epoch is not None
    assert found.seconds is found.wall_seconds is None


def test_a_file_whose_rows_are_not_known_has_a_step_and_nothing_more(tmp_path):
    found = predict(replace(DIGITS, dataset=str(tmp_path / "rows.csv")), machine_profile())
    assert found.step.likely > 0
    assert found.epoch is found.seconds is found.wall_seconds is None


def test_wall_time_is_unknown_if_the_cost_of_generated_rows_is():
    found = predict(replace(DIGITS, dataset="teacher", examples=10**6), machine_profile())
    assert found.seconds is not None
    assert found.wall_seconds is None


def test_generated_rows_take_their_time_in_each_epoch():
    config = replace(DIGITS, dataset="teacher", examples=10**6)
    known = [predict(config, machine_profile(), generation=each).wall_seconds for each in (1e-6, 3e-6)]
    assert known[0] is not None
    assert known[1] is not None
    assert known[1].likely - known[0].likely == pytest.approx(2e-6 * 10**6 * 10)
    assert Predictor(machine_profile()).predict(config).wall_seconds is not None


def test_the_cost_of_wide_rows_is_scaled_from_narrow_ones():
    """A task of a hundred million centres is not made to find out what its rows take."""
    tracemalloc.start()
    wide = seconds_per_row(replace(DIGITS, layers=(20_000, 32, 8_000), dataset="blobs"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25
    assert wide == pytest.approx(20 * seconds_per_row(replace(DIGITS, layers=(1_000, 32, 1_000), dataset="blobs")))
    narrow = seconds_per_row(replace(DIGITS, layers=(1_000, 32, 1_000), dataset="teacher"))
    assert seconds_per_row(replace(DIGITS, layers=(8_000, 32, 40_000), dataset="teacher")) == pytest.approx(24 * narrow)
    made = [seconds_per_row(replace(DIGITS, layers=(2, 8, size), dataset="blobs", loss="mse")) for size in (10, 10_000)]
    assert made[1] > 5 * made[0], "a class written as numbers, one for each"
    assert 0 < seconds_per_row(replace(DIGITS, dataset="teacher")) < 1e-2


def test_data_that_are_read_or_do_not_fit_have_no_generation_time():
    assert seconds_per_row(DIGITS) is None
    assert seconds_per_row(replace(DIGITS, dataset="moons")) is None, "two inputs"


@pytest.mark.parametrize(
    ("layers", "examples"),
    [((64, 32, 10), 10**15), ((1_000_000, 1_000_000, 10), 10**15), ((10**6,) * 3, None), ((30, 30), 10**30)],
)
def test_any_size_is_predicted_without_allocation(layers, examples):
    config = replace(DIGITS, layers=layers, dataset="teacher", examples=examples, epochs=90)
    found = predict(config, machine_profile())
    assert found.seconds is not None
    assert 0 < found.seconds.low < found.seconds.likely < found.seconds.high < math.inf
    assert found.memory_bytes > 0
    json.dumps(found.to_dict(), allow_nan=False)


def test_predicted_memory_is_that_of_the_memory_check():
    config = Trainer(DIGITS).config
    found = predict(config, machine_profile())
    assert (found.memory.data, found.memory.validation) == (1_618 * (64 * 4 + 8), 179 * (64 * 4 + 8))
    assert found.memory_bytes == memory_check.required_bytes(config) + 1_797 * (64 * 4 + 8)
    assert (
        predict(replace(config, dtype="float64"), machine_profile(entry(dtype="float64"))).memory.parameters
        == 2 * found.memory.parameters
    )


def test_the_memory_of_rows_is_that_of_kept_rows():
    """All, a block where they are made as the run goes, and nothing said where only the file would tell."""
    for config in (replace(MADE, examples=5_000), replace(MADE, examples=1_000_000)):
        rows = data.load(config.resolved())
        found = predict(config, machine_profile()).memory
        assert rows.validation is not None
        assert found.validation == sum(part.nbytes for part in rows.validation)
        block = rows.batch_sampler(config.batch_size).next_block()
        times = 2 if config.examples > 100_000 else 1  # the next one is made beside it
        assert found.data == times * (block.X.nbytes + block.Y.nbytes)
    unread = predict(replace(MADE, dataset="some.csv", examples=100), machine_profile())
    assert (unread.memory.data, unread.memory.validation) == (None, None)
    assert unread.memory_bytes == memory_check.required_bytes(unread.config)


@pytest.mark.parametrize(
    ("layers", "dataset", "examples"),
    [
        ((784, 128, 10), "teacher", 20_000), ((784, 128, 10), "blobs", 20_000), ((784, 128, 10), "teacher", 200_000),
        ((3_000, 16, 2_000), "blobs", 1_000),
    ],
)  # fmt: skip
def test_predicted_memory_is_what_a_run_allocates(layers, dataset, examples):
    """The task's own weights or centres, and what making a chunk takes, are in it."""
    config = replace(DIGITS, layers=layers, dataset=dataset, examples=examples, epochs=1)
    found = predict(config, machine_profile()).memory_bytes
    tracemalloc.start()
    Trainer(config).run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak == pytest.approx(found, rel=0.15)


def test_the_memory_of_plain_python_is_that_of_its_objects():
    config = replace(MADE, layers=(40, 60, 10), batch_size=16, backend="scalar", dtype="float64").resolved()
    program = build(config, 16)
    get_backend("scalar").bind(program)  # its modules are imported now, not while memory is traced
    tracemalloc.start()
    bound = get_backend("scalar").bind(program)
    for name, buffer in program.buffers.items():  # a number of its own in each place, as any step leaves them
        bound.write(name, np.arange(buffer.size, dtype=np.float64).reshape(buffer.shape) + 0.5)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory_check.step_memory(config, count(config).memory).total == pytest.approx(held, rel=0.1)


def test_the_most_expensive_operation():
    op, share = predict(replace(DIGITS, layers=(900, 800, 10)), machine_profile()).most_expensive
    assert (op.layer, op.inputs, op.outputs) == (1, 900, 800)
    assert 0.3 < share < 1


def test_a_network_outside_the_calibrated_range_is_marked():
    measured = machine_profile(replace(entry(), prices=replace(prices(), largest=32 * 64 * 32)))
    assert predict(DIGITS, measured).beyond is None
    wide = predict(replace(DIGITS, layers=(64, 320, 10)), measured)
    assert wide.beyond == pytest.approx(10)
    assert wide.to_dict()["beyond_measured"] == wide.beyond
    assert predict(DIGITS, machine_profile()).beyond is None, "nothing was measured that it could be beyond"


def test_every_number_of_the_document_has_its_kind():
    assert not unmarked(predict(DIGITS, machine_profile()).to_dict())


# ── the choice of a machine profile ──


def test_a_backend_missing_from_the_profile_is_refused_with_the_remedy():
    with pytest.raises(
        BackendError,
        match=r"numba@3 float64: not in the machine profile .*calibrate --backends numba --threads 3 --dtypes float64",
    ):
        predict(replace(DIGITS, backend="numba", threads=3, dtype="float64"), machine_profile())


def test_prices_of_another_gpu_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(predictor, "choose", lambda config: SimpleNamespace(name=config.backend))
    priced = replace(entry("cupy"), device="NVIDIA H100, CuPy 14.2.0, CUDA 13.0", copy_rate=1e10)
    config = replace(DIGITS, backend="cupy")
    for device, same in (
        ("NVIDIA H100", True), ("NVIDIA H100, CuPy 14.2.0, CUDA 13.0", True), ("", True),
        ("NVIDIA A10", False), ("NVIDIA H1", False), ("NVIDIA H100X", False),
    ):  # fmt: skip
        found = Probe("cupy", True, "14.2.0", device)
        monkeypatch.setattr(predictor.backends, "probe_if_loaded", lambda _, found=found: found)
        if same:
            assert Predictor(machine_profile(priced)).predict(config).backend == "cupy"
            continue
        with pytest.raises(BackendError, match=rf"of NVIDIA H100, .*here is {device}; tuisim calibrate --backends cupy"):
            Predictor(machine_profile(priced)).predict(config)


def test_kept_rows_are_copied_to_a_device_once_and_generated_rows_in_each_epoch():
    there = replace(entry("cupy"), copy_rate=1e9)
    for examples, times in ((10_000, 1), (10**6, 10)):
        config = replace(DIGITS, backend="cupy", dataset="teacher", examples=examples)
        near, far = (
            predict(config, machine_profile(one), generation=1e-6).wall_seconds for one in (replace(there, copy_rate=None), there)
        )
        assert near is not None
        assert far is not None
        row = 64 * 4 + 8
        assert far.likely - near.likely == pytest.approx(
            (times * examples + synthetic_validation_rows(examples, 0.1)) * row / 1e9
        )


def test_a_price_includes_the_rows_that_are_generated(monkeypatch):
    profiles.keep(machine_profile())
    assert [one.label for one in predictor.priced(DIGITS)] == ["numpy@1"]
    generated = replace(DIGITS, dataset="teacher", examples=10**9, epochs=2)
    monkeypatch.setattr(predictor, "seconds_per_row", lambda *_: 1.0)
    (price,) = predictor.priced(generated)
    assert price.wall_seconds.likely - price.seconds.likely > 2e9
    monkeypatch.setattr(predictor, "seconds_per_row", lambda *_: None)
    (price,) = predictor.priced(generated)
    assert (price.wall_seconds, price.run_seconds) == (None, price.seconds)


def test_only_the_memory_that_a_network_is_computed_in_is_asked(monkeypatch):
    monkeypatch.setattr(memory_check, "available", lambda: 1_000)
    with pytest.raises(MemoryNeeded):
        memory_check.check(DIGITS)
    memory_check.check(replace(DIGITS, backend="cupy"))
    gpu = SimpleNamespace(name="cupy", free_bytes=lambda: 2_048, peak_rates=lambda _: None, costs=None)
    with pytest.raises(MemoryNeeded, match=r"2\.0 KiB are free on the GPU"):
        memory_check.check(replace(DIGITS, backend="cupy"), gpu)
    there = {"numpy": Probe("numpy", True), "scalar": Probe("scalar", True), "numba": None}
    for cupy, asked in ((Probe("cupy", False), True), (Probe("cupy", True), False), (None, False)):
        monkeypatch.setattr(registry, "probe_if_loaded", lambda name, cupy=cupy: {**there, "cupy": cupy}[name])
        assert memory_check.free_bytes("auto") == (1_000 if asked else None)


def test_the_largest_that_fits_is_found_by_few_trials(monkeypatch):
    """It is shown while the user types, and each prediction builds a program."""
    tried: list[RunConfig] = []
    needed = memory_check.required_bytes
    monkeypatch.setattr(memory_check, "available", lambda: 10**9)
    monkeypatch.setattr(memory_check, "required_bytes", lambda config: tried.append(config) or needed(config))
    deep = replace(DIGITS, layers=(64, *[10**9] * 62, 10), batch_size=10**12, dataset="teacher", examples=10**13)
    with pytest.raises(MemoryNeeded, match=r"hidden layers of at most 1,\d\d\d would fit at batch 1;"):
        memory_check.check(deep)
    assert len(tried) < 30
    monkeypatch.setattr(memory_check, "available", lambda: 0)
    with pytest.raises(MemoryNeeded, match="nothing of this shape would fit"):
        memory_check.check(DIGITS)
    monkeypatch.setattr(memory_check, "available", lambda: 10**9)
    wide = replace(DIGITS, layers=(64, 1_000, 10), batch_size=10**12, dataset="teacher", examples=10**13)
    with pytest.raises(MemoryNeeded, match=r"batch [\d,]+ would fit;") as caught:
        memory_check.check(wide)
    batch = int(str(caught.value).split("batch ")[2].split(" would")[0].replace(",", ""))
    assert needed(replace(wide, batch_size=batch)) <= 10**9 < needed(replace(wide, batch_size=batch + 1))


def test_plain_python_is_priced_whatever_the_threads_and_the_dtype():
    found = predict(replace(DIGITS, backend="scalar", threads=7), machine_profile(entry("scalar", 1, "float64")))
    assert (found.backend, found.threads) == ("scalar", 1)


def test_a_prediction_for_another_machine_is_marked(tmp_path):
    profiles.keep(machine_profile())
    path = tmp_path / "elsewhere.json"
    profiles.document.write(path, "machine card", VERSION, machine_profile(machine=ELSEWHERE).to_dict())
    profiles.take(path, "abacus")
    here, there = predictor.own_predictor().predict(DIGITS), predictor.named_predictor("abacus").predict(DIGITS)
    assert (here.foreign, there.foreign) == (False, True)
    assert there.machine.startswith("Abacus 9000")
    assert here.step.likely == pytest.approx(there.step.likely)
    labels = [(one.label, one.foreign) for one in predictor.priced(DIGITS)]
    assert labels == [("numpy@1", False), ("numpy@1 abacus", True)]
    assert predictor.best_entry().label == "numpy@1"


def test_a_prediction_for_another_machine_has_its_threads():
    """The profile was made with fifteen threads, which this machine need not have; one thread is missing in it."""
    there = Predictor(machine_profile(entry("numpy", 15), machine=ELSEWHERE), "lab")
    assert there.predict(replace(DIGITS, threads=None)).threads == 15
    with pytest.raises(BackendError, match="there: tuisim calibrate"):
        there.predict(replace(DIGITS, threads=1))


def test_a_profile_without_any_cost_is_refused():
    free = replace(entry(), prices=replace(prices(), kinds={}))
    with pytest.raises(BackendError, match="no cost above 0"):
        predict(DIGITS, machine_profile(free))


def test_without_a_profile_there_is_a_remedy_and_no_rate():
    with pytest.raises(DataError, match="run tuisim calibrate"):
        predictor.own_predictor()
    assert predictor.priced(DIGITS) == []
    assert predictor.best_entry() is None


# ── in a few figures ──


def test_the_figures_of_an_entry():
    call, near, *_ = element_costs(entry())
    assert call == pytest.approx(CALL + 2e-9)
    assert near == pytest.approx(2e-9)
    assert product_rate(entry(), *PRODUCTS["square 512·512·512"]) == pytest.approx(2e9, rel=0.01)
    assert product_rate(entry(), *PRODUCTS["tiny 1·30·30"]) == pytest.approx(2 * 900 / (CALL + 900e-9))


def test_figures_without_a_price_are_none():
    found = replace(entry(), prices=replace(prices(), kinds={}))
    assert element_costs(found) == [None] * 5
    assert product_rate(found, 1, 30, 30) is None


def test_the_intervals_of_a_run_contain_its_estimate():
    found = predict(DIGITS, machine_profile())
    for band in (found.step, found.epoch, found.seconds, found.wall_seconds):
        assert isinstance(band, Interval)
        assert band.low < band.likely < band.high


def test_the_peak_of_plain_python_is_of_one_thread_and_float64(monkeypatch):
    """BLAS makes it, with as many threads as the machine has cores unless it is held to one."""
    found: list[int | None] = []
    kept = peaks._best
    monkeypatch.setattr(peaks, "_best", lambda *timed: found.append(threads()) or kept(*timed))
    peaks.peaks.cache_clear()
    assert peaks.peaks_of(get_backend("scalar"), "float32", 1).dtype == "float64"
    peaks.peaks.cache_clear()
    assert found[0] == 1


def test_no_interval_is_narrower_than_the_minimum_error():
    found = predict(DIGITS, machine_profile(replace(entry(), prices=prices((0.0,) * 21)))).step
    assert math.log(found.high / found.likely) == pytest.approx(MIN_ERROR)
    assert math.log(found.likely / found.low) == pytest.approx(MIN_ERROR)


# ── a pilot ──


def test_a_pilot_replaces_the_models_step_and_interval():
    plain = predict(DIGITS, machine_profile())
    pilot = Pilot(Interval(0.9e-3, 1e-3, 1.3e-3), 0.05)
    found = predict(DIGITS, machine_profile(), pilot=pilot)
    assert (found.step.low, found.step.likely, found.step.high) == pytest.approx((0.9e-3, 1e-3, 1.3e-3))
    assert found.scale == pytest.approx(1e-3 / plain.step.likely)
    assert found.pilot == 0.05
    assert found.to_dict()["pilot_seconds"] == 0.05
    for name in ("epoch", "seconds", "wall_seconds"):
        assert getattr(found, name).likely == pytest.approx(found.scale * getattr(plain, name).likely, rel=1e-6)
    assert math.fsum(seconds for _, seconds in found.prices) == pytest.approx(1e-3)
    assert not unmarked(found.to_dict())


def test_a_pilot_leaves_the_other_costs_of_a_run():
    costly = machine_profile(with_run(entry(), row=1e-6, epoch=1e-3, wall_start=0.5))
    plain, found = (predict(DIGITS, costly, pilot=one) for one in (None, Pilot(Interval(0.9e-3, 1e-3, 1.1e-3), 0.05)))
    assert plain.seconds is not None
    assert found.seconds is not None
    beside = 10 * (1_618e-6 + 1e-3)
    assert found.seconds.likely - beside == pytest.approx(found.scale * (plain.seconds.likely - beside))


@pytest.mark.parametrize("backend", ["numpy", "numba", "scalar"])
def test_a_pilot_times_the_step_of_the_configuration(backend):
    get_backend(backend)
    pilot = time_pilot(replace(DIGITS, backend=backend), 0.01)
    assert pilot is not None
    assert pilot.seconds >= 0.01
    assert 0 < pilot.step.low < pilot.step.likely < pilot.step.high


def test_a_pilot_that_had_hardly_any_cpu_time_returns_none(monkeypatch):
    monkeypatch.setattr("tuisim.predict.pilot.thread_time", lambda: 0.0)
    assert time_pilot(DIGITS, 0.01) is None


def test_a_cancelled_pilot_returns_none():
    asked: list[int] = []
    assert time_pilot(DIGITS, 60.0, lambda: asked.append(1) or len(asked) < 4) is None
    assert len(asked) == 4


def test_too_large_or_too_slow_networks_are_predicted_by_the_model(monkeypatch):
    timed: list[RunConfig] = []
    monkeypatch.setattr(predictor, "time_pilot", lambda config, **_: timed.append(config))
    by = Predictor(machine_profile())
    assert by.predict_timed(replace(DIGITS, layers=(10**6, 10**6, 10), dataset="teacher")).pilot is None
    assert by.predict_timed(DIGITS).pilot is None
    assert [config.layers for config in timed] == [(64, 32, 10)], "a step of minutes is not tried"
    monkeypatch.setattr(predictor, "time_pilot", time_pilot)
    monkeypatch.setattr(memory_check, "available", lambda: 1_000)
    assert by.predict_timed(DIGITS).pilot is None
    assert Predictor(machine_profile(machine=ELSEWHERE), "lab").predict_timed(DIGITS).pilot is None


def test_a_pilot_times_networks_between_the_calibrated_shapes():
    """Shapes between the calibrated ones, which took 2.3 times and 0.7 times their predictions on another machine."""
    profile = machine_profile()  # made by hand: far off for any real machine
    for config in (
        RunConfig(layers=(333, 77, 5), batch_size=41, examples=20_000, dataset="teacher", threads=1),
        RunConfig(layers=(640, 480, 21), batch_size=150, optimizer="momentum", dataset="teacher", examples=20_000, threads=1),
    ):
        found = Predictor(profile).predict_timed(config)
        assert found.pilot is not None
        assert found.pilot >= 0.05
        assert found.scale != 1.0
