"""The Numba backend, compared with plain Python, NumPy and recorded runs of PyTorch."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.recorded import CASES, check_recorded, close
from tests.support.scalar_steps import bound, configs

pytest.importorskip("numba")

from tuisim import RunConfig, Trainer
from tuisim.backends import gemm_dispatch, get_backend, numba
from tuisim.backends.numba import BlasStep, CompiledStep, NumbaBackend, gemm, mkl, step, table
from tuisim.backends.numba.table import KINDS as CODES
from tuisim.backends.numpy.blas import blas
from tuisim.config.choices import ACTIVATIONS, DTYPES, LOSSES, OPTIMIZERS
from tuisim.engine import initializers
from tuisim.engine.network import Network
from tuisim.program import Kind, Op, Phase, build


def network_and_data(config, rows, backend="numba", seed=0):
    rng = np.random.default_rng(seed)
    config = config.resolved()
    network = Network(config, get_backend(backend), config.batch_size)
    network.load([(W, rng.standard_normal(b.shape) * 0.3) for W, b in initializers.parameters(config)])
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        y = rng.integers(0, config.layers[-1], rows)
    else:
        y = rng.integers(0, 2, (rows, config.layers[-1])).astype(config.dtype)
    network.attach(X, y)
    return network, X, y


def beside(config, rows, backend="numpy"):
    """Return the same network on Numba and on another backend."""
    return network_and_data(config, rows)[0], network_and_data(config, rows, backend)[0]


# ── the same numbers ──


@settings(max_examples=80, deadline=None)
@given(configs(), st.integers(1, 4))
def test_results_equal_those_of_the_scalar_backend(config, steps):
    scalar = bound(config, rows=steps * config.batch_size)
    compiled = NumbaBackend().bind(build(config))
    compiled.write("parameters", scalar.read("parameters"))
    X, y = scalar._data
    compiled.attach(X, y)
    scalar.set_learning_rate(0.01)
    compiled.set_learning_rate(0.01)
    rows = np.arange(len(X))
    np.testing.assert_allclose(compiled.run(rows), scalar.run(rows), rtol=1e-9, atol=1e-12)
    for name in set(scalar.program.buffers) - {"rows"}:
        np.testing.assert_allclose(compiled.read(name), scalar.read(name), rtol=1e-7, atol=1e-9, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    layers=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    batch=st.integers(1, 20),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_matrix_products_of_any_shape_equal_those_of_blas(layers, batch, dtype):
    """Blocks of rows and columns, their remainders, and layers narrower than a block."""
    config = RunConfig(layers=layers, hidden_activation="tanh", loss="mse", batch_size=batch, dtype=dtype, learning_rate=0.01)
    ours, theirs = beside(config, 2 * batch)
    rows = np.arange(2 * batch)
    precision = 1e-10 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(ours.full.run(rows), theirs.full.run(rows), rtol=precision)
    for name in ("gradients", "parameters", f"z{len(layers) - 1}"):
        np.testing.assert_allclose(
            ours.full.read(name), theirs.full.read(name), rtol=precision, atol=precision / 10, err_msg=name
        )


@pytest.mark.parametrize("number", CASES)
def test_recorded_runs(number):
    check_recorded(number, "numba")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_over_the_whole_range(activation, dtype):
    """Value and derivative of tiny and huge numbers, at kinks, and of nan."""
    points = [0.0, -0.0, 1e-30, -1e-30, 1e-9, -1e-9, 1e30, -1e30, np.inf, -np.inf, np.nan]
    z = np.concatenate([np.linspace(-40, 40, 4001), np.geomspace(1e-8, 1e3, 200), -np.geomspace(1e-8, 1e3, 200), points])
    config = RunConfig(layers=(1, 1, 1), hidden_activation=activation, loss="mse", batch_size=len(z), dtype=dtype)
    results = []
    for name in ("numba", "numpy"):
        step = get_backend(name).bind(build(config))
        step.write("W1", np.ones((1, 1)))
        step.write("W2", np.ones((1, 1)))
        step.attach(z.reshape(-1, 1).astype(dtype), np.zeros((len(z), 1), dtype))
        phases = step.run_timed(np.arange(len(z)))
        assert phases[1] == {}, "the loss is not a number, so there is no way back"
        finite = np.isfinite(z) & (np.abs(z) < 1e10)
        step.attach(z[:, None].astype(dtype)[np.where(finite)[0]], np.zeros((finite.sum(), 1), dtype))
        step.run(np.arange(len(z)) % finite.sum())
        results.append((step.read("a1" if activation != "identity" else "z1"), step.read("dz1")))
    for ours, theirs in zip(*results, strict=True):
        relative, absolute = (1e-12, 1e-15) if dtype == "float64" else (1e-5, 2e-6)
        np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_activation_hides_a_nan(activation):
    config = RunConfig(layers=(1, 9), output_activation=activation, loss="mse", batch_size=1)
    network, X, _ = network_and_data(config, 1)
    X[0, 0] = np.nan
    assert np.isnan(network.full.run(np.array([0]))[0])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("place", [0, 1, 8])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_loss_hides_inf_or_nan(loss, place, value):
    """One output of nine is nan, or infinite with the wrong sign."""
    network, _, y = network_and_data(RunConfig(layers=(2, 9), loss=loss, batch_size=1), 1)
    bias = np.zeros(9)
    bias[place] = value
    network.full.write("b1", bias)
    if loss == "cross_entropy":
        y[0] = place if value < 0 else (place + 1) % 9
    else:
        y[0, place] = value < 0
    assert not np.isfinite(network.evaluation(*network._data, 1).evaluate(np.array([0])))
    assert not np.isfinite(network.full.run(np.array([0]))[0])


@pytest.mark.parametrize(
    ("name", "low", "high"), [("exp", -700, 700), ("expm1", -50, 0), ("log1p", 0, 1), ("sigmoid", -700, 700), ("tanh", -25, 25)]
)
def test_elementary_functions_are_accurate_to_a_few_ulp(name, low, high):
    """Compare with NumPy's functions in its widest precision, over the range and close to 0."""
    import numba as compiler

    from tuisim.backends.numba import elementary

    function = getattr(elementary, name)

    @compiler.njit(error_model="numpy")
    def over(x, out):
        for j in range(x.size):
            out[j] = function(x[j])

    rng = np.random.default_rng(0)
    small = np.geomspace(1e-300, 1, 5_000)
    x = np.concatenate([rng.uniform(low, high, 50_000), *([small] if high else []), *([-small] if low else [])])
    ours = np.empty_like(x)
    over(x, ours)
    wide = x.astype(np.longdouble)
    exact = 1 / (1 + np.exp(-wide)) if name == "sigmoid" else getattr(np, name)(wide)
    places = np.abs(ours - exact) / np.spacing(np.abs(exact.astype(float)))
    assert places.max() < 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [1, 3, 8, 33])
def test_float32_results_equal_numpys_to_its_precision(optimizer, loss, batch):
    """Layers wide enough for whole SIMD vectors and remainders."""
    config = RunConfig(
        layers=(37, 41, 10), hidden_activation="gelu", loss=loss, optimizer=optimizer, batch_size=batch, weight_decay=0.01,
        clip_norm=0.5, schedule="cosine", schedule_steps=9, warmup_steps=2, learning_rate=0.01,
    )  # fmt: skip
    ours, theirs = beside(config, 3 * batch)
    rows = np.arange(3 * batch)
    np.testing.assert_allclose(ours.full.run(rows), theirs.full.run(rows), rtol=2e-5)
    np.testing.assert_allclose(ours.full.read("gradients"), theirs.full.read("gradients"), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ours.full.read("parameters"), theirs.full.read("parameters"), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", [1, 23, 600])
def test_evaluation_equals_numpys(loss, rows):
    config = RunConfig(layers=(6, 9, 4), loss=loss, batch_size=5, dtype="float64")
    (ours, X, y), (theirs, _, _) = network_and_data(config, rows), network_and_data(config, rows, "numpy")
    before = ours.full.read("parameters")
    assert ours.evaluate(X, y) == pytest.approx(theirs.evaluate(X, y), rel=1e-12)
    assert ours.full.read("parameters").tobytes() == before.tobytes()


def test_64_layers():
    config = RunConfig(layers=(3,) * 65, hidden_activation="tanh", loss="mse", batch_size=2, optimizer="adamw", dtype="float64")
    ours, theirs = beside(config, 4)
    np.testing.assert_allclose(ours.full.run(np.arange(4)), theirs.full.run(np.arange(4)), rtol=1e-10)
    np.testing.assert_allclose(ours.full.read("gradients"), theirs.full.read("gradients"), rtol=1e-8, atol=1e-14)


def test_extreme_logits_stay_finite():
    for loss in ("cross_entropy", "binary_cross_entropy"):
        network, X, _ = network_and_data(RunConfig(layers=(2, 2), loss=loss, batch_size=2), 2)
        X[:] = [[1e4, -1e4], [-1e4, 1e4]]
        assert np.isfinite(network.full.run(np.arange(2))[0])
        assert np.isfinite(network.full.read("gradients")).all()


def test_relu_has_derivative_zero_at_zero():
    config = RunConfig(layers=(1, 2), output_activation="relu", loss="mse", batch_size=1)
    network, _, _ = network_and_data(config, 1)
    network.full.write("W1", np.array([[0.0, -0.0]]))
    network.full.write("b1", np.array([0.0, -0.0]))
    network.full.run(np.array([0]))
    assert not network.full.read("gradients").any()


# ── what a step promises ──


def test_each_kind_of_operation_has_a_compiled_loop():
    source = Path(step.__file__).read_text(encoding="utf-8")
    assert all(f"== _{kind.name}" in source for kind in Kind)
    assert all(getattr(step, f"_{kind.name}") == CODES[kind] for kind in Kind)
    assert len({int(code) for code in CODES.values()}) == len(Kind)


def test_many_steps_in_one_call_equal_single_steps_bit_for_bit():
    config = RunConfig(
        layers=(7, 6, 3), hidden_activation="silu", optimizer="adam", schedule="step", schedule_steps=3, batch_size=4
    )
    one, other, third = (network_and_data(config, 40)[0] for _ in range(3))
    rows = np.arange(40)
    losses = one.full.run(rows)
    assert losses == [loss for first in range(0, 40, 4) for loss in other.full.run(rows[first : first + 4])]
    timed = [third.full.run_timed(rows[first : first + 4]) for first in range(0, 40, 4)]
    assert losses == [loss for loss, _ in timed]
    assert all(set(phases) == set(Phase) and min(phases.values()) >= 0 for _, phases in timed)
    for network in (other, third):
        assert network.full.read("parameters").tobytes() == one.full.read("parameters").tobytes()


def test_a_loss_that_is_not_finite_stops_before_the_backward_pass():
    config = RunConfig(layers=(3, 4, 2), loss="mse", optimizer="momentum", batch_size=2)
    network, X, _ = network_and_data(config, 12)
    X[8, 0] = np.inf
    network.full.run(np.arange(8))
    before = {name: network.full.read(name).tobytes() for name in ("parameters", "gradients", "velocity")}
    losses = network.full.run(np.arange(8, 12))
    assert len(losses) == 1
    assert not np.isfinite(losses[0])
    assert not np.isfinite(network.full.read("loss"))
    assert network.full.run_timed(np.arange(8, 10))[1] == {}
    assert before == {name: network.full.read(name).tobytes() for name in before}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_short_batch_shares_parameters_state_learning_rate_and_counters(optimizer):
    config = RunConfig(
        layers=(5, 4, 3), optimizer=optimizer, batch_size=4, weight_decay=0.1, clip_norm=0.2, schedule="cosine", schedule_steps=8,
        dtype="float64", learning_rate=0.05,
    )  # fmt: skip
    ours, theirs = beside(config, 11)
    for network in (ours, theirs):
        network.full.run(np.arange(8))
        network.step(3).run(np.arange(8, 11))
        network.set_learning_rate(0.5)
        network.step(3).run(np.arange(3))
        network.full.run(np.arange(4))
    close(ours.full.read("parameters"), theirs.full.read("parameters"))
    assert ours.step(3).read("parameters").tobytes() == ours.full.read("parameters").tobytes()
    assert ours.evaluation(*ours._data, 2).read("W2").tobytes() == ours.full.read("W2").tobytes()


def test_buffers_are_copies_and_can_be_written():
    network, X, y = network_and_data(RunConfig(layers=(3, 4, 2), batch_size=2, clip_norm=1.0, optimizer="adam"), 4)
    step = network.full
    step.run(np.array([3, 1]))
    np.testing.assert_array_equal(step.read("rows"), [3, 1])
    np.testing.assert_array_equal(step.read("X"), X[[3, 1]])
    np.testing.assert_array_equal(step.read("Y"), y[[3, 1]])
    for name, buffer in step.program.buffers.items():
        assert step.read(name).shape == buffer.shape
        wanted = np.full(buffer.shape, 2)
        step.write(name, wanted)
        copy = step.read(name)
        np.testing.assert_array_equal(copy, wanted)
        copy += 1
        np.testing.assert_array_equal(step.read(name), wanted)


def test_data_of_another_dtype_or_shape_are_refused_and_other_layouts_accepted():
    network, X, y = network_and_data(RunConfig(layers=(3, 2), batch_size=2), 4)
    with pytest.raises(TypeError, match="float64"):
        network.full.attach(X.astype("float64"), y)
    with pytest.raises(ValueError, match="rows of"):
        network.full.attach(X[:, :2], y)
    with pytest.raises(ValueError, match="rows of"):
        network.full.attach(X, y[:3])
    before = network.full.read("parameters")
    loss = network.full.run(np.arange(2))
    network.full.write("parameters", before)
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    network.full.attach(frozen, y)
    assert network.full.run(np.arange(2, dtype=np.int32)) == loss


def test_row_and_class_numbers_are_clipped_to_the_data():
    """Like NumPy's `take` in mode `clip`: the nearest row or class is used."""
    network, X, y = network_and_data(RunConfig(layers=(3, 2), batch_size=2), 4)
    y[:] = [-5, 99, 0, 10**12]
    assert np.isfinite(network.full.run(np.array([-7, 10**9]))[0])
    np.testing.assert_array_equal(network.full.read("X"), X[[0, 3]])


def test_misuse_is_refused():
    backend = NumbaBackend()
    step = backend.bind(build(RunConfig(layers=(3, 2), batch_size=2)))
    with pytest.raises(RuntimeError, match="attach the data"):
        step.run(np.arange(2))
    with pytest.raises(TypeError, match="share"):
        backend.bind(step.program, share=get_backend("numpy").bind(step.program))
    step.attach(np.zeros((4, 3), "float32"), np.zeros(4, np.int64))
    with pytest.raises(ValueError, match="multiple of the batch size"):
        step.run(np.arange(3))


def test_a_schedule_that_needs_a_length_and_has_none_is_refused():
    config = RunConfig(layers=(3, 2), batch_size=1, schedule="cosine", warmup_steps=2, examples=None)
    step = NumbaBackend().bind(build(config))
    step.attach(np.ones((4, 3), "float32"), np.zeros(4, np.int64))
    step.run(np.arange(2))
    with pytest.raises(ValueError, match="needs its number of steps"):
        step.run(np.arange(1))


def test_other_threads_run_during_a_call():
    """Another Python thread counts during a long call, which is possible only if the call releases the interpreter's lock."""
    network, _, _ = network_and_data(RunConfig(layers=(64, 64, 10), batch_size=32), 32)
    rows = np.tile(np.arange(32), 2_000)
    count, begun, done = 0, threading.Event(), threading.Event()

    def work():
        begun.wait()
        network.full.run(rows)
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # whoever holds the lock keeps it, unless it gives it up
    try:
        begun.set()
        while not done.is_set():
            count += 1
            done.wait(0.001)
    finally:
        sys.setswitchinterval(interval)
        worker.join()
    assert count > 5


def test_phases_are_timed_without_a_tick_counter(monkeypatch):
    config = RunConfig(layers=(64, 64, 10), batch_size=32, optimizer="adam")
    one, other = beside(config, 64, "numba")
    monkeypatch.setattr("tuisim.backends.numba.bound.has_tick_counter", False)
    for first in (0, 32):
        rows = np.arange(first, first + 32)
        loss, phases = one.full.run_timed(rows)
        assert set(phases) == set(Phase)
        assert min(phases.values()) >= 0
        assert [loss] == other.full.run(rows)
    assert one.full.read("parameters").tobytes() == other.full.read("parameters").tobytes()


# ── rows narrower than a wide value ──


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 3, 4, 9])
@pytest.mark.parametrize("layers", [(1, 1, 1), (9, 5, 3, 2), (6, 7, 40, 4), (2, 16, 2), (70, 3, 8, 1)], ids=str)
def test_narrow_products_are_correct_and_write_only_their_buffers(layers, batch, dtype):
    config = RunConfig(
        layers=layers, batch_size=batch, loss="mse", hidden_activation="tanh", learning_rate=0.01, dtype=dtype, weight_decay=0.01
    )
    ours, theirs = beside(config, 3 * batch)
    buffers = ours.full._buffers
    used = np.zeros(buffers.own.size, bool)
    for name, buffer in ours.full.program.buffers.items():
        if not buffer.integer and buffers.views[name].base is not None and np.shares_memory(buffers.views[name], buffers.own):
            used[buffers.offsets[name] : buffers.offsets[name] + buffer.size] = True
    buffers.own[~used] = np.nan  # what lies between the buffers, and is read along
    for network in (ours, theirs):
        network.full.run(np.arange(3 * batch))
    tolerance = {"rtol": 1e-9, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-6}
    for name in ("parameters", "gradients"):
        np.testing.assert_allclose(ours.full.read(name), theirs.full.read(name), **tolerance)
    turned = max((n * m for n, m in pairwise(layers)), default=0)
    beyond = np.flatnonzero(~used)
    behind = beyond[(beyond < buffers.transposed) | (beyond >= buffers.transposed + turned)]
    assert np.isnan(buffers.own[behind]).all(), "something was written where no buffer is"


# ── products by BLAS ──

BLAS_MODULE = sys.modules["tuisim.backends.numpy.blas"]
NO_BLAS = "NumPy has no BLAS here that compiled code knows how to call"
callable_blas = pytest.mark.skipif(not gemm.address("float64"), reason=NO_BLAS)


@pytest.fixture
def all_by_blas(monkeypatch):
    for kind in gemm_dispatch.BLAS_MIN_PRODUCT:
        monkeypatch.setitem(gemm_dispatch.BLAS_MIN_PRODUCT, kind, 0)
    monkeypatch.setattr(gemm_dispatch, "BLAS_MIN_ROWS", 0)


@callable_blas
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("layers", "batch"), [((1, 1), 1), ((3, 5, 2), 1), ((17, 4, 9, 3), 7), ((64, 33, 10), 32)], ids=str)
def test_products_by_blas_are_correct(all_by_blas, layers, batch, dtype):
    config = RunConfig(layers=layers, batch_size=batch, loss="mse", hidden_activation="tanh", learning_rate=0.01, dtype=dtype)
    ours, theirs = beside(config, 3 * batch)
    assert (ours.full._table[:, table.CALL] != 0).sum() == 3 * (len(layers) - 1) - 1
    for network in (ours, theirs):
        network.full.run(np.arange(3 * batch))
    tolerance = {"rtol": 1e-9, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-6}
    for name in ("parameters", "gradients"):
        np.testing.assert_allclose(ours.full.read(name), theirs.full.read(name), **tolerance)
    assert ours.evaluate(*ours._data) == pytest.approx(theirs.evaluate(*theirs._data), rel=1e-4)


@callable_blas
@pytest.mark.parametrize("number", CASES)
def test_recorded_runs_by_blas(all_by_blas, number):
    check_recorded(number, "numba")


@callable_blas
def test_large_networks_are_compiled_and_name_the_blas():
    config = RunConfig(layers=(300, 300, 10), batch_size=64)
    ours, theirs = beside(config, 128)
    assert isinstance(ours.full, CompiledStep)
    calls = {op.kind for op, row in zip(ours.full.program.ops, ours.full._table, strict=True) if row[table.CALL]}
    assert calls == {Kind.DENSE, Kind.WEIGHT_GRADIENT, Kind.INPUT_GRADIENT}
    assert "Numba" in ours._backend.device()
    assert str(blas()) in ours._backend.device()
    for network in (ours, theirs):
        network.full.run(np.arange(128))
    np.testing.assert_allclose(ours.full.read("parameters"), theirs.full.read("parameters"), rtol=1e-4, atol=1e-6)


def test_a_gradient_of_many_weights_from_few_rows_does_not_use_blas():
    wide = {"inputs": 400, "outputs": 400}
    few, many = (Op(Kind.WEIGHT_GRADIENT, Phase.BACKWARD, 1, (), (), batch, **wide) for batch in (8, 32))
    assert not table.uses_blas(few)
    assert table.uses_blas(many)
    assert table.uses_blas(replace(few, kind=Kind.DENSE))


@pytest.fixture
def no_products():
    gemm.find_gemm.cache_clear()
    yield
    gemm.find_gemm.cache_clear()


def test_a_library_that_cannot_be_called_is_not_used(monkeypatch, no_products):
    monkeypatch.setattr(gemm, "mkl", lambda: None)
    monkeypatch.setattr(BLAS_MODULE, "pools", lambda: None)
    assert gemm.address("float32") == 0
    gemm.find_gemm.cache_clear()
    elsewhere = SimpleNamespace(info=lambda: [{"user_api": "blas", "filepath": "/nowhere/libblas.so"}, {"user_api": "openmp"}])
    monkeypatch.setattr(BLAS_MODULE, "pools", lambda: elsewhere)
    assert gemm.address("float64") == 0
    assert not gemm._is_correct(lambda *arguments: None, "float32"), "what computes nothing is not trusted"


@callable_blas
@pytest.mark.parametrize("wrong", ["transpose a", "transpose b", "beta"])
def test_a_gemm_function_with_wrong_results_is_not_used(wrong):
    (_, library), *_ = gemm._libraries()
    right = next(found for name in gemm._NAMES if (found := getattr(library, name.format("s"), None)) is not None)

    def product(order, trans_a, trans_b, rows, columns, terms, alpha, a, lda, b, ldb, beta, c, ldc):
        trans_a, lda = (gemm._NO_TRANSPOSE, terms) if wrong == "transpose a" else (trans_a, lda)
        trans_b, ldb = (gemm._NO_TRANSPOSE, columns) if wrong == "transpose b" else (trans_b, ldb)
        right(order, trans_a, trans_b, rows, columns, terms, alpha, a, lda, b, ldb, 0.0 if wrong == "beta" else beta, c, ldc)

    assert gemm._is_correct(right, "float32")
    assert not gemm._is_correct(product, "float32")


class FakeMkl:
    """A library with MKL's functions, which calls NumPy's BLAS."""

    def __init__(self, threads=5):
        self.threads = [threads]
        (_, real), *_ = gemm._libraries()
        names = {"cblas_sgemm_64": gemm._NAMES[1].format("s"), "cblas_dgemm_64": gemm._NAMES[1].format("d")}
        for ours, theirs in names.items():
            setattr(self, ours, getattr(real, theirs, None))

    def MKL_Get_Max_Threads(self):
        return self.threads[-1]

    def MKL_Set_Num_Threads(self, count):
        self.threads.append(count)


@callable_blas
def test_an_installed_mkl_is_used_named_and_limited(monkeypatch, no_products):
    found = mkl.Mkl(FakeMkl(), "MKL 2026.0")
    if found.library.cblas_dgemm_64 is None:
        pytest.skip("NumPy's BLAS has its products by another name")
    monkeypatch.setattr(gemm, "mkl", lambda: found)
    monkeypatch.setattr(mkl, "mkl", lambda: found)
    gemm.find_gemm.cache_clear()
    assert gemm.find_gemm("float64").library == "MKL 2026.0"
    ours, theirs = beside(RunConfig(layers=(100, 60, 10), batch_size=32, dtype="float64"), 64)
    for network in (ours, theirs):
        network.full.run(np.arange(64))
    np.testing.assert_allclose(ours.full.read("parameters"), theirs.full.read("parameters"), rtol=1e-9, atol=1e-13)
    with ours._backend.threads(3), ours._backend.threads(2):
        assert ours._backend.device().endswith("MKL 2026.0 ×2")
    assert found.library.threads == [5, 3, 2, 3, 5]


def test_a_broken_mkl_is_ignored(monkeypatch, tmp_path):
    for files in ((), ("lib/libmkl_rt.so.3",), ("lib/libmkl_core.so.3",)):
        listed = [SimpleNamespace(name=file.split("/")[-1], locate=lambda file=file: tmp_path / file) for file in files]
        monkeypatch.setattr(mkl.importlib.metadata, "distribution", lambda name, listed=listed: SimpleNamespace(files=listed))
        mkl.mkl.cache_clear()
        assert mkl.mkl() is None

    class Damaged:
        @property
        def files(self):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setattr(mkl.importlib.metadata, "distribution", lambda name: Damaged())
    mkl.mkl.cache_clear()
    assert mkl.mkl() is None
    mkl.mkl.cache_clear()
    names = ("libmkl_rt.so.3", "libmkl_rt.so", "mkl_rt.2.dll", "libmkl_rt.2.dylib", "libmkl_rt.dylib")
    assert all(mkl._FILE.search(name) for name in names)
    assert not mkl._FILE.search("libmkl_core.so.3")


# ── large networks ──


@pytest.fixture
def small_limit(monkeypatch):
    """Set a low limit for loops, and no BLAS that compiled code can call."""
    monkeypatch.setattr(numba, "LOOPS_MAX_PRODUCT", 100)
    monkeypatch.setattr(gemm, "address", lambda dtype: 0)


def test_a_large_network_uses_numpys_steps_where_blas_cannot_be_called(small_limit):
    config = RunConfig(layers=(8, 6, 3), batch_size=4, optimizer="adam", dtype="float64")
    ours, theirs = beside(config, 11)
    assert isinstance(ours.full, BlasStep)
    assert "Numba's loops would take longer" in ours._backend.device()
    for network in (ours, theirs):
        network.full.run(np.arange(8))
        network.step(1).run(np.array([9]))
        network.set_learning_rate(0.2)
        network.full.run_timed(np.arange(4))
    assert ours.full.read("parameters").tobytes() == theirs.full.read("parameters").tobytes()
    assert ours.evaluate(*ours._data) == theirs.evaluate(*theirs._data)
    assert ours.step(1).read("parameters").tobytes() == ours.full.read("parameters").tobytes()


def test_a_large_evaluation_uses_the_parameters_of_a_compiled_step(small_limit):
    config = RunConfig(layers=(8, 6, 3), batch_size=2, dtype="float64")
    ours, theirs = beside(config, 40)
    assert isinstance(ours.full, CompiledStep)
    evaluation = ours.evaluation(*ours._data, 40)
    assert isinstance(evaluation, BlasStep)
    for network in (ours, theirs):
        network.full.run(np.arange(8))
    assert ours.evaluate(*ours._data) == pytest.approx(theirs.evaluate(*theirs._data), rel=1e-12)
    evaluation.write("W1", np.ones((8, 6)))
    assert (ours.full.read("W1") == 1).all()
    assert "×1" in ours._backend.device()


# ── in the house ──


def test_it_trains_like_any_backend():
    summary = Trainer(RunConfig(layers=(2, 6, 2), dataset="moons", examples=61, epochs=3, backend="numba")).run()
    assert summary.ended == "completed"
    assert summary.backend == "numba"
    assert summary.validation_accuracy is not None


def test_divergence_is_detected():
    config = RunConfig(layers=(2, 6, 2), dataset="moons", examples=60, loss="mse", learning_rate=1e30, backend="numba")
    assert Trainer(config).run().ended == "diverged"


def test_compile_time_is_reported():
    backend = NumbaBackend()
    backend.bind(build(RunConfig(layers=(2, 2))))
    first = backend.compile_seconds
    assert first > 0
    backend.bind(build(RunConfig(layers=(5, 4, 3), loss="mse", optimizer="adam")))
    assert backend.compile_seconds == first, "one compilation serves every network"


def test_nothing_is_imported_or_compiled_before_it_is_used():
    code = (
        "import sys, tuisim.backends; assert 'numba' not in sys.modules\n"
        "tuisim.backends.get_backend('numpy'); assert 'numba' not in sys.modules\n"
        "assert tuisim.backends.get_backend('numba').compile_seconds is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=60)


def test_it_compiles_without_a_cache_folder():
    from numba import types

    from tuisim.backends.numba.compiler import shared_compiler

    made = {}
    exec("def seven():\n    return 7", made)  # no file, so no place beside it
    assert shared_compiler.compiled(made["seven"], types.int64())() == 7


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_a_pipe_or_device_in_the_cache_folder_does_not_block(tmp_path, kind):
    (tmp_path / "made.py").write_text("def seven():\n    return 7\n")
    code = (
        "import made; from numba import types; from tuisim.backends.numba.compiler import shared_compiler\n"
        "assert shared_compiler.compiled(made.seven, types.int64())() == 7"
    )
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(command, check=True, env=environment, timeout=60)
    kept = list((tmp_path / "cache").rglob("*.nb?"))
    assert sorted(path.suffix for path in kept) == [".nbc", ".nbi"]
    for path in kept:
        path.unlink()
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/null" if kind == "device" else path.name)
    subprocess.run(command, check=True, env=environment, timeout=60)


def test_code_compiled_from_other_sources_is_not_used(monkeypatch, tmp_path):
    from tuisim.backends.numba import compiler

    for name in ("compiler.py", "updates.py"):
        (tmp_path / name).write_text("one = 1")
    monkeypatch.setattr(compiler, "__file__", str(tmp_path / "compiler.py"))
    before = compiler.stamp()
    assert before == compiler.stamp() != 0
    (tmp_path / "updates.py").write_text("one = 2")
    assert compiler.stamp() != before
