"""The scalar backend: its tally equals the ledger, and its results those of PyTorch and NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.recorded import CASES, check_recorded
from tests.support.scalar_steps import bound, configs
from tuisim import RunConfig, Trainer
from tuisim.accounting import FORMULAS
from tuisim.backends import get_backend, precision
from tuisim.backends.scalar import updates
from tuisim.backends.scalar.bound import KERNELS
from tuisim.backends.scalar.buffers import ScalarTally
from tuisim.program import Kind, build


@settings(max_examples=300, deadline=None)
@given(configs(), st.booleans(), st.integers(1, 3))
def test_the_tally_equals_the_ledger_for_each_operation(config, learning, steps):
    step = bound(config, learning)
    rows = np.arange(config.batch_size)
    for _ in range(steps):
        losses = step.run(rows) if learning else [step.evaluate(rows)]
        assert np.isfinite(losses).all()
    for op, tally in zip(step.program.ops, step.tallies, strict=True):
        assert tally.as_dict() == (FORMULAS[op.kind].count(op) * steps).as_dict(), op


@settings(max_examples=100, deadline=None)
@given(configs())
def test_results_equal_those_of_numpy(config):
    scalar = bound(config, rows=3 * config.batch_size)
    vectors = get_backend("numpy").bind(build(config))
    vectors.write("parameters", scalar.read("parameters"))
    X, y = scalar._data
    vectors.attach(X, y)
    scalar.set_learning_rate(0.01)
    vectors.set_learning_rate(0.01)
    rows = np.arange(len(X))
    np.testing.assert_allclose(vectors.run(rows), scalar.run(rows), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(vectors.read("parameters"), scalar.read("parameters"), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("number", CASES)
def test_recorded_runs(number):
    check_recorded(number, "scalar")


def test_each_kind_of_operation_has_a_scalar_kernel():
    assert set(KERNELS) == set(Kind) - {Kind.GATHER}


def test_it_trains_like_any_backend():
    summary = Trainer(RunConfig(layers=(2, 6, 2), dataset="moons", examples=60, epochs=3, backend="scalar")).run()
    assert summary.ended == "completed"
    assert summary.backend == "scalar"
    assert summary.validation_accuracy is not None


def test_divergence_is_detected():
    config = RunConfig(layers=(2, 6, 2), dataset="moons", examples=60, loss="mse", learning_rate=1e30, backend="scalar")
    assert Trainer(config).run().ended == "diverged"


@pytest.mark.parametrize(("dtype", "said"), [("float32", True), ("float64", False)])
def test_a_run_notes_that_it_computes_in_float64(dtype, said):
    config = RunConfig(layers=(3, 2), backend="scalar", dtype=dtype, epochs=1, examples=20, validation=0)
    document = Trainer(config).run().to_dict()
    assert ("backend scalar: computes in float64, not in float32" in document["notes"]) is said
    assert "float64" in document["device"]


def test_headings_name_the_computed_dtype():
    assert precision("scalar", "float32") == "float32, computed in float64"
    assert [precision(name, "float32") for name in ("numpy", "numba", "cupy", "auto", "of another version")] == ["float32"] * 5
    assert precision("scalar", "float64") == "float64"


class Counting(float):
    """A number that tallies the arithmetic in which it takes part; a square root of one is one again."""

    tally = ScalarTally()

    def _made(self, kind: str, value: float) -> float:
        setattr(Counting.tally, kind, getattr(Counting.tally, kind) + 1)
        return Counting(value)

    def __mul__(self, other):
        return self._made("multiply", float(self) * float(other))

    def __add__(self, other):
        return self._made("add", float(self) + float(other))

    def __sub__(self, other):
        return self._made("add", float(self) - float(other))

    def __rsub__(self, other):
        return self._made("add", float(other) - float(self))

    def __truediv__(self, other):
        return self._made("divide", float(self) / float(other))

    __rmul__, __radd__ = __mul__, __add__


@pytest.mark.parametrize(
    ("optimizer", "decay", "clip"),
    [("sgd", 0.1, 1.0), ("momentum", 0.0, None), ("nesterov", 0.0, None), ("rmsprop", 0.0, None), ("adam", 0.0, None),
     ("adamw", 0.1, 1.0)],
)  # fmt: skip
def test_the_declared_counts_of_a_rule_are_those_of_its_arithmetic(optimizer, decay, clip, monkeypatch):
    def sqrt(value: float) -> float:
        Counting.tally.sqrt += isinstance(value, Counting)
        return Counting(float(value) ** 0.5)

    config = RunConfig(layers=(3, 2), batch_size=2, optimizer=optimizer, weight_decay=decay, clip_norm=clip).of_known_length()
    step = bound(config)
    monkeypatch.setattr(updates, "math", SimpleNamespace(sqrt=sqrt))
    buffers = step._buffers
    counted = 0
    for op in step.program.ops:
        kernel = updates.KERNELS.get(op.kind)
        if kernel is None or kernel.__name__ != "kernel":
            continue
        for name in op.reads:
            buffers.put(name, [Counting(0.5)] * len(buffers.get(name)))
        Counting.tally, declared = ScalarTally(), ScalarTally()
        kernel(op, buffers, declared)
        assert declared.as_dict() == Counting.tally.as_dict(), op
        counted += 1
    assert counted
