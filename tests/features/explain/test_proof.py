"""The proof: correct networks pass, and each planted error is found by its own check, with its location."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from tuisim import RunConfig
from tuisim.accounting import KINDS, Operations
from tuisim.accounting.formulas import FORMULAS
from tuisim.backends.numpy import layers as numpy_layers
from tuisim.backends.numpy import updates as numpy_updates
from tuisim.backends.scalar.bound import KERNELS as SCALAR
from tuisim.config.choices import ACTIVATIONS
from tuisim.data import from_arrays
from tuisim.engine.initial_state import InitialState, parameter_name
from tuisim.errors import BackendError, DataError, RunError
from tuisim.features.explain.proof import backend, gradient
from tuisim.features.explain.proof import proof as proof_module
from tuisim.features.explain.proof.proof import TooLong, prove
from tuisim.program import Kind, Phase

SMALL = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Make the number of steps the same on every machine."""
    monkeypatch.setattr(proof_module, "MAX_STEPS", 12)


def by_name(proof):
    return {check.name: check for check in proof.checks}


@pytest.fixture(scope="module")
def proof():
    return prove(SMALL)


# ── correct networks ──


def test_all_three_pass(proof):
    assert proof.passed
    assert [check.name for check in proof.checks] == ["count", "gradient", "backend"]
    assert by_name(proof)["count"].worst == 0
    assert 0 < by_name(proof)["gradient"].worst < 1e-5
    assert 0 < by_name(proof)["backend"].worst < 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("loss", "optimizer", "dtype"),
    [
        ("cross_entropy", "adam", "float32"),
        ("mse", "rmsprop", "float32"),
        ("binary_cross_entropy", "nesterov", "float64"),
        ("mse", "adamw", "float64"),
    ],
)
def test_every_activation_loss_and_optimizer_passes(activation, loss, optimizer, dtype):
    config = replace(
        SMALL, hidden_activation=activation, loss=loss, optimizer=optimizer, dtype=dtype, weight_decay=0.01,
        output_activation=activation if loss == "mse" else "identity",
    )  # fmt: skip
    proof = prove(config)
    assert proof.passed, [(check.name, check.worst, check.where) for check in proof.checks]


def test_real_batches_and_the_short_last_one_are_counted(proof):
    full, short = by_name(proof)["count"].batches
    assert (full.batch, short.batch) == (8, 30 % 8)
    cells = {(cell.phase, cell.kind): cell for cell in full.cells}
    assert len(cells) == 4 * len(KINDS)
    assert cells[Phase.FORWARD, "multiply"].tally == 8 * (5 * 4 + 4 * 3)
    assert cells[Phase.LOSS, "exp"].tally == 8 * 3
    assert cells[Phase.UPDATE, "add"].tally == SMALL.parameter_count


def test_without_a_short_batch_one_is_counted():
    assert [one.batch for one in by_name(prove(replace(SMALL, examples=32)))["count"].batches] == [8]
    assert [one.batch for one in by_name(prove(replace(SMALL, batch_size=500)))["count"].batches] == [30]


def test_the_scalar_backend_is_compared_with_numpy():
    check = by_name(prove(replace(SMALL, backend="scalar")))["backend"]
    assert check.passed
    assert check.backend == "numpy"


def test_in_float64_the_backends_agree_to_the_last_digits():
    check = by_name(prove(replace(SMALL, dtype="float64")))["backend"]
    assert check.worst <= check.tolerance < 1e-12


@pytest.mark.parametrize("initializer", ["zeros", "he_uniform"])
def test_a_tolerance_stays_small(initializer):
    check = by_name(prove(replace(SMALL, initializer=initializer, optimizer="adam")))["backend"]
    assert check.passed
    assert check.tolerance < 1e-3


def test_an_exploding_run_is_compared_until_it_explodes():
    check = by_name(prove(replace(SMALL, loss="mse", learning_rate=1e3)))["backend"]
    assert check.passed
    assert 1 <= check.steps < 12


# ── planted errors ──


def test_a_wrong_formula_fails_the_count_and_names_the_cell(monkeypatch):
    wrong = replace(FORMULAS[Kind.BIAS_GRADIENT], count=lambda op: Operations(add=op.batch * op.outputs))
    monkeypatch.setitem(FORMULAS, Kind.BIAS_GRADIENT, wrong)
    found = by_name(prove(SMALL))
    assert not found["count"].passed
    assert found["count"].worst == 4
    assert found["count"].where == "batch 8, backward, layer 1, bias gradient, add: 32 predicted, 28 executed"
    assert found["gradient"].passed
    assert found["backend"].passed


def test_a_formula_off_by_one_for_the_short_batch_alone_is_found(monkeypatch):
    right = FORMULAS[Kind.CROSS_ENTROPY].count
    wrong = replace(FORMULAS[Kind.CROSS_ENTROPY], count=lambda op: right(op) + Operations(exp=op.batch == 6))
    monkeypatch.setitem(FORMULAS, Kind.CROSS_ENTROPY, wrong)
    check = by_name(prove(SMALL))["count"]
    assert (check.passed, check.worst) == (False, 1)
    assert check.where.startswith("batch 6, loss, softmax, cross-entropy, exp: 19 predicted")


def test_a_kernel_that_executes_more_than_predicted_fails_the_count(monkeypatch):
    def busy(op, memory, tally, kernel=SCALAR[Kind.SGD]):
        kernel(op, memory, tally)
        tally.divide += 1

    monkeypatch.setitem(SCALAR, Kind.SGD, busy)
    check = by_name(prove(SMALL))["count"]
    assert not check.passed
    assert "update, layer 1, SGD, divide: 0 predicted, 1 executed" in check.where


def negated(kernel):
    def made(site, op):
        return [*kernel(site, op), partial(np.negative, site.arrays[op.writes[0]], site.arrays[op.writes[0]])]

    return made


def test_a_wrong_sign_in_the_backward_pass_fails_the_gradient_at_its_layer(monkeypatch):
    right = numpy_layers.KERNELS[Kind.BIAS_GRADIENT]

    def of_layer_2(site, op):
        return (negated(right) if op.layer == 2 else right)(site, op)

    monkeypatch.setitem(numpy_layers.KERNELS, Kind.BIAS_GRADIENT, of_layer_2)
    found = by_name(prove(SMALL))
    assert found["count"].passed
    assert not found["gradient"].passed
    assert found["gradient"].worst == pytest.approx(2, rel=1e-5)
    assert re.fullmatch(r"layer 2, b\[[012]\]", found["gradient"].where)
    assert found["gradient"].analytic == pytest.approx(-found["gradient"].numerical, rel=1e-4)
    assert not found["backend"].passed


def test_a_gradient_a_thousandth_too_large_is_found(monkeypatch):
    right = numpy_layers.KERNELS[Kind.WEIGHT_GRADIENT]

    def made(site, op):
        g = site.arrays[op.writes[0]]
        return [*right(site, op), partial(np.multiply, g, 1.001, g)]

    monkeypatch.setitem(numpy_layers.KERNELS, Kind.WEIGHT_GRADIENT, made)
    check = by_name(prove(SMALL))["gradient"]
    assert not check.passed
    assert check.worst == pytest.approx(1e-3, rel=0.01)


def test_a_wrong_update_fails_the_backend_alone_and_names_the_parameter(monkeypatch):
    right = numpy_updates.KERNELS[Kind.SGD]

    def made(site, block):
        theta = block("parameters")
        return [*right(site, block), lambda: theta.__setitem__(3, theta[3] + 1e-3)]

    monkeypatch.setitem(numpy_updates.KERNELS, Kind.SGD, made)
    found = by_name(prove(SMALL))
    assert found["count"].passed
    assert found["gradient"].passed
    assert not found["backend"].passed
    assert found["backend"].where == "layer 1, W[0,3]"
    assert found["backend"].worst == pytest.approx(12e-3, rel=0.1)


def test_a_wrong_loss_fails_the_backend_though_parameters_agree(monkeypatch):
    outcome = backend._outcome

    def faulty(network, batches, *watch, **more):
        found = outcome(network, batches, *watch, **more)
        if type(network.full).__name__ == "NumpyStep" and network.full.program.dtype == "float32":
            return replace(found, losses=found.losses * 1.01)
        return found

    monkeypatch.setattr(backend, "_outcome", faulty)
    check = by_name(prove(SMALL))["backend"]
    assert not check.passed
    assert check.worst <= check.tolerance
    assert check.where.startswith("loss of step ")


# ── kinks and samples ──


def start(config: RunConfig, X: Any, y: Any, parameters: Any) -> InitialState:
    config = config.resolved()
    dataset = from_arrays(config, X, y)
    return InitialState(replace(config, examples=dataset.examples), dataset, parameters)


def test_a_parameter_at_a_kink_is_skipped():
    """With a row of zeros the hidden biases, still zero, are exactly at relu's kink."""
    config = RunConfig(layers=(2, 3, 1), loss="mse", batch_size=2, validation=0, shuffle=False)
    W = np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.375]], np.float32)
    parameters = [(W, np.zeros(3, np.float32)), (np.array([[1.0], [2.0], [-1.0]], np.float32), np.ones(1, np.float32))]
    X, y = np.array([[0, 0], [1, 2]], np.float32), np.array([[0.5], [3]], np.float32)
    check = gradient.check(start(config, X, y, parameters), lambda done, of: None)
    assert check.passed
    assert check.kinks == 3
    assert check.checked == config.parameter_count


def test_a_wrong_derivative_is_not_taken_for_a_kink(monkeypatch):
    """relu's units change sides here and there; a gradient that is wrong everywhere is still wrong."""
    right = numpy_layers.KERNELS[Kind.ACTIVATION_GRADIENT]
    monkeypatch.setitem(numpy_layers.KERNELS, Kind.ACTIVATION_GRADIENT, negated(right))
    check = by_name(prove(SMALL))["gradient"]
    assert not check.passed
    assert check.where.startswith("layer 1, ")
    assert check.kinks < check.checked / 10


def test_a_sample_of_every_layer_is_checked_if_there_are_many_parameters(proof):
    assert by_name(proof)["gradient"].every
    chosen = gradient._sampled((784, 64, 3, 10), 0)
    assert len(chosen) == len(set(chosen)) == 2_000
    names = {re.sub(r"\[.*", "", parameter_name((784, 64, 3, 10), int(index))) for index in chosen}
    assert names == {f"layer {k}, {what}" for k in (1, 2, 3) for what in "Wb"}
    check = by_name(prove(replace(SMALL, layers=(90, 60, 3), batch_size=2, examples=4)))["gradient"]
    assert (check.checked, check.parameters, check.every) == (2_000, 5_643, False)


def test_parameters_are_named_by_layer_input_and_output():
    assert [parameter_name((2, 3, 1), i) for i in (0, 1, 5, 6, 8, 9, 12)] == [
        "layer 1, W[0,0]", "layer 1, W[0,1]", "layer 1, W[1,2]", "layer 1, b[0]", "layer 1, b[2]",
        "layer 2, W[0,0]", "layer 2, b[0]",
    ]  # fmt: skip
    with pytest.raises(IndexError):
        parameter_name((2, 3, 1), 13)


# ── refusals ──


def test_a_proof_that_takes_too_long_is_refused_unless_forced(monkeypatch):
    with pytest.raises(TooLong, match=r"^layers = 784-4096-1000 at batch 1,024: .* would take about .*--force\)$") as caught:
        prove(large := RunConfig(layers=(784, 4096, 1000), batch_size=1024))
    assert "\n" not in str(caught.value)
    assert proof_module.predict_cost(large.resolved()).seconds > proof_module.LIMIT_SECONDS
    assert isinstance(caught.value, RunError)
    monkeypatch.setattr(proof_module, "LIMIT_SECONDS", 0.0)
    with pytest.raises(TooLong):
        prove(SMALL)
    assert prove(SMALL, force=True).passed


def test_an_invalid_run_has_no_proof():
    with pytest.raises(BackendError):
        prove(replace(SMALL, backend="abacus"))
    with pytest.raises(DataError):
        prove(replace(SMALL, dataset="digits"))
