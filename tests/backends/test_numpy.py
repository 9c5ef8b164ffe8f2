"""The NumPy backend, compared with recorded runs of PyTorch and with central differences; it allocates nothing per step."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.recorded import CASES, check_recorded
from tuisim import RunConfig
from tuisim.backends import get_backend
from tuisim.backends.numpy.context import TILE
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS
from tuisim.engine import initializers
from tuisim.engine.network import Network
from tuisim.errors import BackendError
from tuisim.program import Phase


@pytest.mark.parametrize("number", CASES)
def test_recorded_runs(number):
    check_recorded(number, "numpy")


def network_and_data(config, rows, seed=0):
    rng = np.random.default_rng(seed)
    config = config.resolved()
    network = Network(config, get_backend("numpy"), config.batch_size)
    network.load([(W, rng.standard_normal(b.shape) * 0.3) for W, b in initializers.parameters(config)])
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        y = rng.integers(0, config.layers[-1], rows)
    elif config.loss == "mse":
        y = rng.standard_normal((rows, config.layers[-1])).astype(config.dtype)
    else:
        y = rng.integers(0, 2, (rows, config.layers[-1])).astype(config.dtype)
    network.attach(X, y)
    return network, X, y


@settings(max_examples=40, deadline=None)
@given(
    layers=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    hidden=st.sampled_from(ACTIVATIONS),
    output=st.sampled_from(ACTIVATIONS),
    loss=st.sampled_from(LOSSES),
    batch=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)
def test_gradients_equal_central_differences(layers, hidden, output, loss, batch, seed):
    config = RunConfig(
        layers=layers, hidden_activation=hidden, output_activation=output, loss=loss, batch_size=batch, dtype="float64", seed=seed
    )
    network, X, y = network_and_data(config, batch, seed)
    theta = network.full.read("parameters")
    rows = np.arange(batch)
    network.full.run(rows)
    gradient = network.full.read("gradients")
    evaluation = network.evaluation(X, y, batch)

    def loss_at(values):
        network.full.write("parameters", values)
        return evaluation.evaluate(rows)

    def slope(k, h):
        up, down = theta.copy(), theta.copy()
        up[k] += h
        down[k] -= h
        return (loss_at(up) - loss_at(down)) / (2 * h)

    for k in range(theta.size):
        wide, narrow = slope(k, 1e-5), slope(k, 1e-6)
        if abs(wide - narrow) > 1e-5 * (1 + abs(wide)):
            continue  # a corner of relu or its kin lies within h: there is no derivative to compare with
        assert gradient[k] == pytest.approx(narrow, rel=2e-5, abs=2e-8)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_no_array_is_allocated_per_step(optimizer, loss):
    """At no moment of a step does memory grow by as much as one batch of the narrowest layer.

    What there is (35 kB) is the fixed buffer NumPy's iterator takes for a broadcast bias, whatever the sizes.
    """
    config = RunConfig(
        layers=(256, 192, 128), hidden_activation="gelu", loss=loss, optimizer=optimizer, batch_size=512, weight_decay=0.01
    )
    network, _, _ = network_and_data(config, 1_024)
    order = np.arange(1_024)
    smallest = 512 * 128 * 4
    network.full.run(order)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    network.full.run(order)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < smallest / 4
    assert after - before < 4_096  # two losses and the list they are in


def test_tiled_layers_equal_single_rows():
    """A layer of several tiles has the same results as its rows one by one."""
    config = RunConfig(layers=(3, TILE // 4, 2), hidden_activation="relu", batch_size=11, dtype="float64")
    network, _, _ = network_and_data(config, 11)
    whole = network.full.run(np.arange(11))[0]
    gradient = network.full.read("gradients")
    again, _, _ = network_and_data(config, 11)
    parts, total = [], 0.0
    for row in range(11):
        step = again.step(1)
        before = again.full.read("parameters")
        total += step.run(np.array([row]))[0]
        parts.append(step.read("gradients"))
        again.full.write("parameters", before)
    assert whole == pytest.approx(total / 11, rel=1e-12)
    np.testing.assert_allclose(gradient, np.mean(parts, axis=0), rtol=1e-9, atol=1e-15)


def test_timed_steps_equal_plain_steps():
    config = RunConfig(layers=(6, 5, 3), batch_size=4)
    one, _, _ = network_and_data(config, 8)
    other, _, _ = network_and_data(config, 8)
    order = np.arange(8)
    losses = one.full.run(order)
    loss, phases = other.full.run_timed(order[:4])
    assert losses[0] == loss
    assert losses[1] == other.full.run_timed(order[4:])[0]
    assert set(phases) == set(Phase)
    assert all(seconds > 0 for seconds in phases.values())
    assert one.full.read("parameters").tobytes() == other.full.read("parameters").tobytes()


def test_a_loss_that_is_not_finite_stops_before_its_update():
    config = RunConfig(layers=(3, 4, 2), loss="mse", batch_size=2)
    network, X, _ = network_and_data(config, 6)
    X[2, 0] = np.inf
    before = None
    losses = network.full.run(np.arange(2))
    before = network.full.read("parameters")
    losses = network.full.run(np.arange(2, 6))
    assert len(losses) == 1
    assert not np.isfinite(losses[0])
    assert network.full.read("parameters").tobytes() == before.tobytes()


def test_evaluation_returns_the_mean_loss_and_keeps_the_parameters():
    config = RunConfig(layers=(4, 3), batch_size=5, dtype="float64")
    network, X, y = network_and_data(config, 23)
    before = network.full.read("parameters")
    loss = network.evaluate(X, y)
    (W, b), *_ = network.parameters()
    logits = X @ W + b
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert loss == pytest.approx(-logs[np.arange(23), y].mean(), rel=1e-12)
    assert network.full.read("parameters").tobytes() == before.tobytes()


def test_extreme_logits_stay_finite():
    for loss in ("cross_entropy", "binary_cross_entropy"):
        config = RunConfig(layers=(2, 2), loss=loss, batch_size=2)
        network, X, _ = network_and_data(config, 2)
        X[:] = [[1e4, -1e4], [-1e4, 1e4]]
        assert np.isfinite(network.full.run(np.arange(2))[0])
        assert np.isfinite(network.full.read("gradients")).all()


def test_relu_passes_nan_and_has_derivative_zero_at_zero():
    config = RunConfig(layers=(1, 2), hidden_activation="relu", output_activation="relu", loss="mse", batch_size=1)
    network, X, _ = network_and_data(config, 1)
    network.full.write("W1", np.array([[0.0, -0.0]]))
    network.full.write("b1", np.array([0.0, -0.0]))
    network.full.run(np.array([0]))
    assert not network.full.read("gradients").any()
    X[0, 0] = -np.nan
    assert np.isnan(network.full.run(np.array([0]))[0])


def test_data_of_another_dtype_or_shape_are_refused():
    network, X, y = network_and_data(RunConfig(layers=(3, 2), batch_size=2), 4)
    with pytest.raises(TypeError, match="float64"):
        network.full.attach(X.astype("float64"), y)
    with pytest.raises(ValueError, match="rows of"):
        network.full.attach(X[:, :2], y)


def test_an_unknown_backend_suggests_the_nearest_name():
    with pytest.raises(BackendError, match="did you mean numpy"):
        get_backend("nunpy")
