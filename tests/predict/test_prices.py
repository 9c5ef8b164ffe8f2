"""Prices fitted to samples: known laws are found again, and what was measured nearby corrects a law that is off."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.made_card import BEAT, CALL, ELEMENT, MULTIPLY
from tests.support.made_card import prices as made_prices
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS
from tuisim.features.machine.score.score import grid
from tuisim.measure.machine_speed import Slowdown, SpeedSample
from tuisim.predict import prices as fitting
from tuisim.predict.calibration_networks import FEW, MANY, networks
from tuisim.predict.leastsquares import bounded, nonnegative, proportional
from tuisim.predict.price import Floors, Measured, Point, Price, fitted, terms
from tuisim.predict.prices import Prices, _tamed, fit
from tuisim.predict.sample import Sample
from tuisim.predict.work import FAR, NEAR, Work, far, shares, works
from tuisim.program import Kind, Phase, StepProgram, build

THIRTY = RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1).resolved()


def dense(batch: int, inputs: int, outputs: int, out: float = 0.0) -> Work:
    return Work(Kind.DENSE, None, batch, inputs, outputs, 0, out)


# ── least squares ──


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_unknown_is_below_zero_and_no_small_step_is_better(unknowns, seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.standard_normal((12, unknowns)), rng.standard_normal(12)
    found = nonnegative(matrix, target)
    assert (found >= 0).all()
    slope = matrix.T @ (matrix @ found - target)
    assert (slope >= -1e-7).all(), "raising an unknown would help"
    assert np.abs(slope[found > 0]).max(initial=0) < 1e-7, "an unknown that is free is at its best"


def test_what_made_the_numbers_is_found_whatever_the_units():
    rng = np.random.default_rng(1)
    matrix = rng.random((40, 4)) * [1.0, 1e6, 1e-6, 1e12]
    wanted = np.array([3.0, 0.0, 5e5, 2e-12])
    np.testing.assert_allclose(nonnegative(matrix, matrix @ wanted), wanted, rtol=1e-6, atol=1e-18)


def test_a_column_of_nothing_has_no_say():
    assert nonnegative(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([2.0, 4.0])).tolist() == pytest.approx([0.0, 2.0])


def test_half_as_much_is_as_wrong_as_twice_as_much():
    """Of two rows that one unknown cannot both meet, the answer is between them by ratio, not nearer the lower."""
    found = proportional(np.ones((2, 1)), np.array([1.0, 1.5]))
    assert found.tolist() == pytest.approx([1.5**0.5], rel=1e-3)


def test_what_makes_a_few_rows_large_is_not_left_out():
    """Many rows that a clock's tick made too long, and few that are long indeed: their part has a price all the same."""
    sizes = np.array([1.0, 2.0, 3.0, 4.0] * 30 + [1e4, 2e4, 4e4])
    seconds = np.where(sizes < 10, 1e-8, 5e-11 * sizes)
    matrix = np.stack([np.ones_like(sizes), sizes], axis=1)
    found = proportional(matrix, seconds)
    assert (found >= 0).all()
    assert (matrix @ found)[-3:] == pytest.approx(seconds[-3:], rel=0.1)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_unknown_is_below_its_bound_and_no_small_step_is_better(unknowns, seed):
    rng = np.random.default_rng(seed)
    matrix, target, floor = rng.standard_normal((12, unknowns)), rng.standard_normal(12), rng.standard_normal(unknowns)
    found = bounded(matrix, target, floor)
    assert (found >= floor).all()
    slope = matrix.T @ (matrix @ found - target)
    assert (slope >= -1e-7).all(), "raising an unknown would help"
    assert np.abs(slope[found > floor]).max(initial=0) < 1e-7, "an unknown that is free is at its best"


def test_what_a_bound_adds_is_taken_from_the_other_unknowns():
    """The bound is part of the fit: clipping afterwards would leave the others where they were, and every sum too large."""
    rng = np.random.default_rng(2)
    matrix = np.stack([np.ones(50), rng.uniform(1, 100, 50)], axis=1)
    target = matrix @ np.array([0.1, 0.5])
    free, held = proportional(matrix, target), proportional(matrix, target, np.array([2.0, 0.0]))
    assert held[0] == pytest.approx(2.0)
    assert held[1] < free[1] == pytest.approx(0.5, rel=1e-3)
    clipped = np.maximum(free, [2.0, 0.0])
    off = [np.square(np.log(matrix @ x / target)).sum() for x in (held, clipped)]
    assert off[0] < off[1]


# ── one kind ──


def test_a_law_is_found_again_and_the_measured_shapes_are_kept():
    shapes = product((1, 8, 64), (20, 90), (17, 300))
    rows = [Measured(dense(b, n, m), 2e-6 + 3e-11 * b * n * m + 5e-10 * b * m, 0) for b, n, m in shapes]
    price = fitted(rows)
    assert price.law["call"] == pytest.approx(2e-6, rel=1e-3)
    assert price.law["multiply"] == pytest.approx(3e-11, rel=1e-3)
    assert price.law["output"] == pytest.approx(5e-10, rel=1e-3)
    assert len(price.points) == len(rows)
    for work, seconds, _ in rows:
        assert price.seconds(work) == pytest.approx(seconds, rel=1e-3)


def test_a_dip_is_believed_where_it_was_measured_and_not_far_away():
    price = Price({"multiply": 1e-9}, (Point(32, 64, 64, 0.0, 2 * 1e-9 * 32 * 64 * 64),))
    at, near, away = dense(32, 64, 64), dense(32, 64, 96), dense(512, 2_048, 1_024)
    ratios = [price.seconds(work) / (1e-9 * work.batch * work.inputs * work.outputs) for work in (at, near, away)]
    assert ratios[0] == pytest.approx(2 ** (1 / 1.15))
    assert ratios[0] > ratios[1] > 1.2
    assert ratios[2] == pytest.approx(1.0)


def test_one_wild_measurement_does_not_make_a_price_wild():
    price = Price({"multiply": 1e-9}, (Point(32, 64, 64, 0.0, 1e3),))
    assert price.seconds(dense(32, 64, 64)) < 5 * 1e-9 * 32 * 64 * 64


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**12))
def test_prices_of_any_size_are_finite_and_grow(batch, inputs, outputs):
    price = Price(dict.fromkeys(terms(dense(1, 1, 1)), 1e-9), (Point(3, 4, 5, 0.5, 1e-7),))
    small, large = price.seconds(dense(batch, inputs, outputs)), price.seconds(dense(2 * batch, inputs, outputs))
    assert 0 < small < large < math.inf


def test_products_alone_keep_their_shapes():
    relu = Work(Kind.ACTIVATION, "relu", 4, 3, 5, 0, 0.0)
    assert fitted([Measured(relu, 1e-6, 160), Measured(replace(relu, batch=400), 3e-6, 16_000)]).points == ()


PEAK = 1e11
FLOORS = Floors(call=1e-8, multiply=2 / PEAK, near=5e-12, far=2e-11)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 5_000), min_size=3, max_size=3))
def test_no_product_is_priced_above_the_measured_peak_or_below_a_call(seed, sizes):
    """The floors hold for any measurements: a clock that jumps, a disturbed machine, a shape far from all that were."""
    rng = np.random.default_rng(seed)
    shapes = [dense(*map(int, rng.integers(1, 300, 3)), float(rng.random())) for _ in range(20)]
    measured = [Measured(work, work.batch * work.inputs * work.outputs * rng.lognormal(-25, 2), 0) for work in shapes]
    price, work = fitted(measured, FLOORS), dense(*sizes)
    assert price.seconds(work) * (1 + 1e-9) >= 2 * math.prod(sizes) / PEAK + FLOORS.call
    assert price.call(work) * (1 + 1e-9) >= FLOORS.call
    assert price.seconds(work) >= price.call(work)


@given(st.integers(0, 2**32 - 1))
def test_no_element_is_priced_above_the_measured_bandwidth_or_below_a_call(seed):
    rng = np.random.default_rng(seed)
    rows = [Work(Kind.ACTIVATION, "relu", *map(int, rng.integers(1, 500, 3)), 0, float(rng.random())) for _ in range(20)]
    measured = [Measured(work, rng.lognormal(-16, 3), 8 * work.batch * work.outputs) for work in rows]
    law = fitted(measured, FLOORS).law
    assert law["call"] >= FLOORS.call
    assert law["element"] >= 8 * FLOORS.near
    assert (law["element"] + law["far_element"]) * (1 + 1e-9) >= 8 * FLOORS.far


def test_a_bound_is_no_higher_than_what_was_measured():
    """The operations tell better than ceilings that were measured while the machine was disturbed."""
    relu = Work(Kind.ACTIVATION, "relu", 10, 10, 100, 0, 0.0)
    slow, quick, far = Measured(relu, 1e-7, 8_000), Measured(relu, 2e-8, 8_000), Measured(replace(relu, far=0.5), 5e-8, 8_000)
    assert FLOORS.met_by([slow]) == replace(FLOORS, call=1e-7)
    assert FLOORS.met_by([slow, quick]) == replace(FLOORS, call=2e-8, near=2e-8 / 8_000)
    assert FLOORS.met_by([slow, far]).far == pytest.approx(5e-12 + 2 * (6.25e-12 - 5e-12))


def test_a_correction_reaches_the_peak_and_not_beyond():
    """A shape was measured at the peak, one near it is slower by the law: its correction leaves it at most at the peak."""
    price = Price({"multiply": 6e-11}, (Point(64, 64, 64, 0.0, 64**3 * 2e-11),), {"multiply": 2e-11})
    rate = 2 * 64**3 / price.seconds(dense(64, 64, 64))
    assert 0.6 * PEAK < rate <= PEAK


# ── a step ──


def test_the_layers_of_an_update_are_priced_as_one_and_shared_by_parameters():
    program = build(replace(THIRTY, layers=(30, 20, 10), optimizer="adam"))
    updates = [(work, places) for work, places in works(program, "numpy") if work.kind is Kind.ADAM]
    ((work, places),) = updates
    assert work.parameters == 31 * 20 + 21 * 10
    assert shares(program, places) == pytest.approx([620 / 830, 210 / 830])
    assert sorted(place for _, places in works(program, "numpy") for place in places) == list(range(len(program.ops)))


def test_the_price_of_the_questions_network_adds_up_by_hand():
    """Thirteen operations, of which five are products of 900; 90 elements in mse, activations and their gradients each …"""
    price = made_prices().of(build(THIRTY))
    elements = {Kind.GATHER: 60, Kind.SGD: 1_860}
    by_hand = 5e-6
    updated = False
    for op, seconds in price.operations:
        if op.kind in (Kind.DENSE, Kind.WEIGHT_GRADIENT, Kind.INPUT_GRADIENT):
            wanted = CALL + 900 * MULTIPLY
        elif op.kind is Kind.SGD:
            wanted = (CALL + 1_860 * ELEMENT) / 2
        else:
            wanted = CALL + elements.get(op.kind, 30) * ELEMENT
        assert seconds == pytest.approx(wanted), op.kind
        by_hand += wanted
        updated = updated or op.kind is Kind.SGD
    assert updated
    assert price.seconds == pytest.approx(by_hand)
    calls = len([op for op in build(THIRTY).ops if op.kind is not Kind.SGD]) + 1
    assert price.calls == pytest.approx(calls * CALL)


def test_a_function_that_was_not_measured_costs_the_mean_of_the_others():
    known = made_prices()
    kinds = {name: price for name, price in known.kinds.items() if name != "activation gelu"}
    kinds["activation relu"] = Price({"call": 9e-6})
    work = Work(Kind.ACTIVATION, "gelu", 2, 3, 4, 0, 0.0)
    others = [kinds[f"activation {name}"].seconds(work) for name in ACTIVATIONS if name != "gelu"]
    assert replace(known, kinds=kinds).of_work(work) == pytest.approx(sum(others) / len(others))


def test_a_kind_done_on_anothers_way_costs_nothing():
    known = made_prices()
    kinds = {name: price for name, price in known.kinds.items() if name != "bias_gradient"}
    assert replace(known, kinds=kinds).of_work(Work(Kind.BIAS_GRADIENT, None, 2, 3, 4, 0, 0.0)) == 0.0


def test_rows_that_are_gathered_are_the_datas_whatever_the_layers_are():
    sizes = {"mse": 10, "cross_entropy": 1}  # an answer for each output, or the number of a class
    for loss, answers in sizes.items():
        program = build(RunConfig(layers=(200, 30, 7, 10), loss=loss, batch_size=8).resolved())
        work = next(work for work, _ in works(program, "numpy") if work.kind is Kind.GATHER)
        assert (work.batch, work.inputs, work.outputs) == (8, 200, answers)


def test_each_way_to_compute_a_product_has_a_price_of_its_own():
    program = build(RunConfig(layers=(784, 128, 30, 3), batch_size=4).resolved())
    keys = {"numba": {"dense blas", "dense simd", "dense narrow"}, "numpy": {"dense"}}
    for backend, wanted in keys.items():
        assert {work.key for work, _ in works(program, backend) if work.kind is Kind.DENSE} == wanted
    back = {work.outputs: work.way for work, _ in works(program, "numba") if work.kind is Kind.INPUT_GRADIENT}
    assert back == {30: "dots", 3: "transposed"}
    known = replace(made_prices(), backend="numba")
    narrow = {"dense narrow": Price({"call": 7e-6}), **known.kinds}
    work = next(work for work, _ in works(program, "numba") if work.key == "dense narrow")
    assert replace(known, kinds=narrow).of_work(work) == pytest.approx(7e-6)


def test_how_far_out_of_cache_a_step_is():
    small, large = (build(replace(THIRTY, layers=(size, size), batch_size=1)) for size in (10, 4_000))
    assert far(small) == 0.0
    assert far(large) == 1.0
    middle = build(replace(THIRTY, layers=(700, 700), batch_size=1))
    held = sum(middle.nbytes(name) for name, buffer in middle.buffers.items() if buffer.part_of is None)
    assert far(middle) == pytest.approx(math.log(held / NEAR) / math.log(FAR / NEAR))


# ── fitting ──


def samples(known: Prices, count: int, slower: float = 1.0) -> list[Sample]:
    """What a machine with exactly these prices would measure; whole steps `slower` than their operations one by one."""
    found = []
    for config in networks("numpy", "float32", 1, count, 10**6):
        program = build(config)
        price = known.of(program)
        found.append(Sample(program, tuple(spent for _, spent in price.operations), slower * price.seconds, BEAT))
    return found


def test_a_machines_prices_are_found_again_from_what_it_measures():
    known = made_prices()
    found = fit(samples(known, FEW), "numpy")
    program = build(RunConfig(layers=(50, 70, 20), batch_size=40, optimizer="adam", hidden_activation="gelu").resolved())
    assert found.of(program).seconds == pytest.approx(known.of(program).seconds, rel=0.02)
    assert max(map(abs, found.errors)) < 0.2
    assert found.errors == tuple(sorted(found.errors))


def test_what_was_measured_on_a_slowed_machine_is_brought_back_to_its_best():
    """Calls slow threefold and work by half; every other sample was so disturbed."""
    known, disturbed = made_prices(), SpeedSample(3 * BEAT.calls, 1.5 * BEAT.work)
    mixed = []
    for number, sample in enumerate(samples(known, FEW)):
        price = known.of(sample.program).slowed(disturbed.over(BEAT))
        slow = Sample(sample.program, tuple(spent for _, spent in price.operations), price.seconds, disturbed)
        mixed.append(slow if number % 2 else sample)
    found = fitting.at_best(mixed, BEAT, "numpy")
    program = build(RunConfig(layers=(50, 70, 20), batch_size=40).resolved())
    brought, raw = fit(found, "numpy"), fit(mixed, "numpy")
    assert brought.of(program).seconds == pytest.approx(known.of(program).seconds, rel=0.15)
    assert 2 * (brought.errors[-2] - brought.errors[1]) < raw.errors[-2] - raw.errors[1]
    assert [sample.beat.calls for sample in found] == pytest.approx([BEAT.calls] * FEW)
    whole = fitting.at_best(mixed[1:2], BEAT, "scalar")[0]
    assert whole.step == pytest.approx(mixed[1].step / 3)


def test_a_slowed_machine_pays_more_for_calls_than_for_work():
    price = made_prices().of(build(THIRTY))
    slowed = price.slowed(Slowdown(calls=2.0, work=1.5))
    work = price.seconds - price.calls - price.overhead
    assert slowed.seconds == pytest.approx(2 * (price.calls + price.overhead) + 1.5 * work)
    assert price.call_share == pytest.approx((price.calls + price.overhead) / price.seconds)


def test_a_slowed_machine_is_another_to_each_backend():
    slowed = Slowdown(calls=4.0, work=1.0)
    assert [fitting.as_felt(slowed, name).work for name in ("numpy", "numba", "scalar")] == [1.0, 2.0, 4.0]
    assert fitting.as_felt(slowed, "cupy").calls == 4.0


def test_whole_steps_have_the_last_word():
    known = made_prices()
    program = build(RunConfig(layers=(50, 70, 20), batch_size=40).resolved())
    found = fit(samples(known, FEW, slower=1.5), "numpy")
    assert found.of(program).seconds == pytest.approx(1.5 * known.of(program).seconds, rel=0.03)


def test_prices_fitted_to_steps_that_are_not_interrupted_stay_within_what_is_possible():
    """Whole steps twice as quick as their operations one by one, which would halve the prices of a machine at its peak."""
    rows = samples(made_prices(), FEW, slower=0.5)
    cheapest = 0.5 * min(min(sample.operations) for sample in rows)
    found = fit(rows, "numpy", Floors(multiply=MULTIPLY))
    for name, price in found.kinds.items():
        assert price.law["call"] >= 0.99 * cheapest, name
        if price.points:
            assert price.law["multiply"] >= MULTIPLY, name


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize(("layers", "batch"), [((64, *([16] * 40), 10), 1), ((30, 30, 30), 1), ((10, 10, 10), 4)])
def test_small_steps_are_not_priced_by_what_calls_cost_large_ones(count, layers, batch):
    """A machine on which calls are quicker in steps that leave its caches and branch predictors to them."""
    known = made_prices()

    def seconds(program: StepProgram) -> list[float]:
        price, calls = known.of(program), 0.6 if max(program.layers) <= 64 and program.batch <= 32 else 1.0
        return [spent - (1 - calls) * call for (_, spent), call in zip(price.operations, price.each_call, strict=True)]

    rows = []
    for config in networks("numpy", "float32", 1, count, 10**8):
        program = build(config)
        rows.append(Sample(program, tuple(seconds(program)), sum(seconds(program)) + known.step, BEAT))
    program = build(RunConfig(layers=layers, batch_size=batch).resolved())
    taken = sum(seconds(program)) + known.step
    assert fit(rows, "numpy").of(program).seconds == pytest.approx(taken, rel=0.1)


def test_the_errors_are_of_networks_that_the_prices_had_not_seen():
    """A machine whose times have nothing to do with sizes: what was measured fits, what was not is far off."""
    rng = np.random.default_rng(3)
    wild = [
        replace(sample, operations=tuple(rng.lognormal(-12, 2, len(sample.operations))), step=float(rng.lognormal(-9, 1)))
        for sample in samples(made_prices(), FEW)
    ]
    errors = fit(wild, "numpy").errors
    assert errors[-2] - errors[1] > 1.0


# ── which networks ──


def operations_of(configs: Any) -> set[tuple[Kind, str | None]]:
    return {(op.kind, op.function) for config in configs for op in build(config).ops}


@pytest.mark.parametrize(("backend", "most"), [("numpy", 10**8), ("scalar", 20_000)])
def test_a_quick_calibration_has_every_kind_of_operation(backend, most):
    found = list(networks(backend, "float32", 1, FEW, most))
    evaluated = {Kind.CORRECT_CLASSES, Kind.CORRECT_OUTPUTS}
    assert {kind for kind, _ in operations_of(found)} == set(Kind) - evaluated
    assert {config.loss for config in found} == set(LOSSES)
    assert {config.optimizer for config in found} == set(OPTIMIZERS)
    # What does nothing has no operation.
    assert {function for kind, function in operations_of(found) if kind is Kind.ACTIVATION} == set(ACTIVATIONS) - {"identity"}


@pytest.mark.parametrize("count", [FEW, MANY])
def test_small_and_deep_networks_are_among_those_calibrated(count):
    """Too few of them, and the calls of 40 narrow layers were priced by what calls cost large networks."""
    found = list(networks("numba", "float32", 1, count, 10**8))
    small = [config for config in found if max(config.layers) <= 64 and config.batch_size <= 32]
    assert len(small) >= count / 5
    assert max(len(config.layers) for config in small) >= 14
    assert {config.batch_size for config in small} >= {1, 2, 4}


def test_each_part_left_out_leaves_every_kind_to_the_others():
    found = list(networks("numpy", "float32", 1, MANY, 10**8))
    for fold in range(fitting.FOLDS):
        rest = [config for number, config in enumerate(found) if number % fitting.FOLDS != fold]
        assert operations_of(rest) == operations_of(found)


def test_a_score_is_of_networks_that_no_calibration_runs():
    for backend, most in (("numpy", 10**8), ("numba", 10**8), ("scalar", 20_000)):
        calibrated = {(c.layers, c.batch_size) for c in networks(backend, "float32", 1, MANY, most)}
        scored = [(c.layers, c.batch_size) for c in grid(backend, 1, "float32")]
        assert len(scored) == len(set(scored)) >= 40
        assert not calibrated & set(scored)


def test_networks_stay_within_their_limit():
    for config in networks("scalar", "float64", 1, MANY, 20_000):
        program = build(config)
        products = [
            op.batch * op.inputs * op.outputs for op in program.ops if op.phase is Phase.FORWARD and op.kind is Kind.DENSE
        ]
        assert sum(products) <= 20_000


def test_one_wild_error_does_not_make_the_band():
    errors = [0.1 * (number % 5 - 2) for number in range(29)]
    tamed = _tamed([*errors, 3.6])
    assert tamed.max() == pytest.approx(0.6, rel=0.01), "three times what nine of ten keep within"
    assert list(tamed[:-1]) == errors
    assert list(_tamed([0.0] * 7)) == [0.0] * 7
