"""Prices: fitted to samples, added up over a step, and the networks that they are fitted to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.made_machine_profile import CALL, ELEMENT, MULTIPLY
from tests.support.made_machine_profile import prices as made_prices
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS
from tuisim.features.machine.score.score import grid
from tuisim.predict.calibration_networks import FEW, MANY, networks
from tuisim.predict.leastsquares import nonnegative
from tuisim.predict.prices import FOLDS, Prices, _price, fit, terms
from tuisim.predict.sample import Sample
from tuisim.predict.work import FAR, NEAR, Work, far, shares, works
from tuisim.program import Kind, Phase, build

THIRTY = RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1).resolved()


def dense(batch: int, inputs: int, outputs: int) -> Work:
    return Work(Kind.DENSE, None, batch, inputs, outputs, 0, 0.0)


# ── least squares ──


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_solution_is_nonnegative_and_locally_optimal(unknowns, seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.standard_normal((12, unknowns)), rng.standard_normal(12)
    found = nonnegative(matrix, target)
    assert (found >= 0).all()
    slope = matrix.T @ (matrix @ found - target)
    assert (slope >= -1e-7).all(), "raising an unknown would help"
    assert np.abs(slope[found > 0]).max(initial=0) < 1e-7, "an unknown that is free is at its best"


def test_the_unknowns_are_found_in_any_units():
    rng = np.random.default_rng(1)
    matrix = rng.random((40, 4)) * [1.0, 1e6, 1e-6, 1e12]
    wanted = np.array([3.0, 0.0, 5e5, 2e-12])
    np.testing.assert_allclose(nonnegative(matrix, matrix @ wanted), wanted, rtol=1e-6, atol=1e-18)


def test_a_column_of_zeros_gets_nothing():
    assert nonnegative(np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([2.0, 4.0])).tolist() == pytest.approx([0.0, 2.0])


# ── one kind ──


def test_the_terms_of_a_price_are_recovered():
    shapes = product((1, 8, 64), (20, 90), (17, 300))
    rows = [(dense(b, n, m), 2e-6 + 3e-11 * b * n * m + 5e-10 * b * m) for b, n, m in shapes]
    price = _price(rows)
    assert price == pytest.approx({"call": 2e-6, "multiply": 3e-11, "output": 5e-10}, rel=1e-3)


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(1, 10**12))
def test_prices_of_any_size_are_finite_and_grow(batch, inputs, outputs):
    prices = Prices({"dense": dict.fromkeys(terms(dense(1, 1, 1)), 1e-9)}, "numpy")
    small, large = prices.seconds(dense(batch, inputs, outputs)), prices.seconds(dense(2 * batch, inputs, outputs))
    assert 0 < prices.call(dense(batch, inputs, outputs)) < small < large < math.inf


# ── a step ──


def test_the_layers_of_an_update_are_priced_as_one_and_shared_by_parameters():
    program = build(replace(THIRTY, layers=(30, 20, 10), optimizer="adam"))
    updates = [(work, places) for work, places in works(program, "numpy") if work.kind is Kind.ADAM]
    ((work, places),) = updates
    assert work.parameters == 31 * 20 + 21 * 10
    assert shares(program, places) == pytest.approx([620 / 830, 210 / 830])
    assert sorted(place for _, places in works(program, "numpy") for place in places) == list(range(len(program.ops)))


def test_the_price_of_30_30_30_adds_up_by_hand():
    """Thirteen operations, of which five are products of 900; 90 elements in mse, activations and their gradients each …"""
    price = made_prices().of(build(THIRTY))
    elements = {Kind.GATHER: 60, Kind.SGD: 1_860}
    by_hand = 0.0
    updated = False
    for op, seconds in price:
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
    assert made_prices().step(build(THIRTY)) == pytest.approx(by_hand)


def test_a_function_that_was_not_measured_costs_the_mean_of_the_others():
    known = made_prices()
    kinds = {name: price for name, price in known.kinds.items() if name != "activation gelu"}
    kinds["activation relu"] = {"call": 9e-6}
    found = replace(known, kinds=kinds)
    work = Work(Kind.ACTIVATION, "gelu", 2, 3, 4, 0, 0.0)
    others = [found.seconds(replace(work, function=name)) for name in ACTIVATIONS if name != "gelu"]
    assert found.seconds(work) == pytest.approx(sum(others) / len(others))


def test_a_kind_computed_within_another_costs_nothing():
    known = made_prices()
    kinds = {name: price for name, price in known.kinds.items() if name != "bias_gradient"}
    assert replace(known, kinds=kinds).seconds(Work(Kind.BIAS_GRADIENT, None, 2, 3, 4, 0, 0.0)) == 0.0


def test_a_gathered_row_has_the_size_of_the_data():
    sizes = {"mse": 10, "cross_entropy": 1}  # a target for each output, or the number of a class
    for loss, targets in sizes.items():
        program = build(RunConfig(layers=(200, 30, 7, 10), loss=loss, batch_size=8).resolved())
        work = next(work for work, _ in works(program, "numpy") if work.kind is Kind.GATHER)
        assert (work.batch, work.inputs, work.outputs) == (8, 200, targets)


def test_each_gemm_dispatch_has_a_price_of_its_own():
    program = build(RunConfig(layers=(784, 128, 30, 3), batch_size=4).resolved())
    keys = {"numba": {"dense blas", "dense simd", "dense narrow"}, "numpy": {"dense"}}
    for backend, wanted in keys.items():
        assert {work.key for work, _ in works(program, backend) if work.kind is Kind.DENSE} == wanted
    back = {work.outputs: work.way for work, _ in works(program, "numba") if work.kind is Kind.INPUT_GRADIENT}
    assert back == {30: "dots", 3: "transposed"}
    known = replace(made_prices(), backend="numba")
    narrow = {"dense narrow": {"call": 7e-6}, **known.kinds}
    work = next(work for work, _ in works(program, "numba") if work.key == "dense narrow")
    assert replace(known, kinds=narrow).seconds(work) == pytest.approx(7e-6)


def test_how_far_a_step_exceeds_the_caches():
    small, large = (build(replace(THIRTY, layers=(size, size), batch_size=1)) for size in (10, 4_000))
    assert far(small) == 0.0
    assert far(large) == 1.0
    middle = build(replace(THIRTY, layers=(700, 700), batch_size=1))
    held = sum(middle.nbytes(name) for name, buffer in middle.buffers.items() if buffer.part_of is None)
    assert far(middle) == pytest.approx(math.log(held / NEAR) / math.log(FAR / NEAR))


# ── fitting ──


def samples(known: Prices, count: int, slower: float = 1.0) -> list[Sample]:
    """Return what a machine with these prices would measure; whole steps are `slower` than their operations one by one."""
    found = []
    for config in networks("numpy", "float32", 1, count, 10**6):
        program = build(config)
        found.append(Sample(program, tuple(spent for _, spent in known.of(program)), slower * known.step(program)))
    return found


def test_known_prices_are_recovered_from_samples():
    known = made_prices()
    found = fit(samples(known, FEW), "numpy")
    program = build(RunConfig(layers=(50, 70, 20), batch_size=40, optimizer="adam", hidden_activation="gelu").resolved())
    assert found.step(program) == pytest.approx(known.step(program), rel=0.02)
    assert max(map(abs, found.errors[1:-1])) < 0.2, "all but a network that has none like it in the other folds"
    assert found.errors == tuple(sorted(found.errors))
    assert found.largest > 0


def test_prices_are_corrected_by_whole_steps():
    known = made_prices()
    program = build(RunConfig(layers=(50, 70, 20), batch_size=40).resolved())
    found = fit(samples(known, FEW, slower=1.5), "numpy")
    assert found.step(program) == pytest.approx(1.5 * known.step(program), rel=0.03)


def test_the_errors_are_cross_validated():
    """One network in seven, always in the same fold, takes twice as long: only the errors of that fold show it."""
    rows = samples(made_prices(), 70)
    odd = [
        replace(one, step=2 * one.step, operations=tuple(2 * each for each in one.operations)) if number % FOLDS == 0 else one
        for number, one in enumerate(rows)
    ]
    assert min(fit(odd, "numpy").errors) < -0.5
    assert max(fit(rows, "numpy").errors) < 0.1


def operations_of(configs: Iterable[RunConfig]) -> set[tuple[Kind, str | None]]:
    return {(op.kind, op.function) for config in configs for op in build(config).ops}


@pytest.mark.parametrize(("backend", "most"), [("numpy", 10**8), ("scalar", 20_000)])
def test_a_quick_calibration_has_every_kind_of_operation(backend, most):
    found = list(networks(backend, "float32", 1, FEW, most))
    assert {kind for kind, _ in operations_of(found)} == set(Kind)
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


def test_every_fold_leaves_every_kind_to_the_others():
    found = list(networks("numpy", "float32", 1, MANY, 10**8))
    for fold in range(FOLDS):
        rest = [config for number, config in enumerate(found) if number % FOLDS != fold]
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
