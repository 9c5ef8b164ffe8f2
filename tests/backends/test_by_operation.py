"""A step timed by operation: the same results, and a time for each operation of the program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuisim.backends import get_backend
from tuisim.backends.op_timing import clock_seconds, seconds_by_op
from tuisim.config import RunConfig
from tuisim.engine import initializers
from tuisim.engine.network import Network
from tuisim.program import Kind, Phase, build

CASES = [
    RunConfig(layers=(7, 5, 6, 3), batch_size=4, hidden_activation=("relu", "gelu"), optimizer="sgd"),
    RunConfig(layers=(7, 5, 3), batch_size=4, loss="mse", hidden_activation="tanh", optimizer="adamw", weight_decay=0.1),
    RunConfig(
        layers=(7, 5, 3), batch_size=1, loss="binary_cross_entropy", optimizer="rmsprop", clip_norm=0.5, schedule="step",
        schedule_steps=9, dtype="float64",
    ),
]  # fmt: skip


def network(config: RunConfig, backend: str) -> Network:
    config = config.resolved()
    made = Network(config, get_backend(backend), config.batch_size)
    made.load(initializers.parameters(config))
    rng = np.random.default_rng(1)
    targets: Any = rng.integers(0, 3, 8) if config.loss == "cross_entropy" else rng.random((8, 3)).astype(config.dtype)
    made.attach(rng.standard_normal((8, 7)).astype(config.dtype), targets)
    return made


@pytest.mark.parametrize("config", CASES, ids=["sgd", "adamw", "clipped"])
@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_a_step_timed_by_operation_equals_a_plain_step(config, backend):
    ours, theirs = network(config, backend), network(config, backend)
    rows = np.arange(config.batch_size)
    loss, seconds = ours.full.run_by_operation(rows)
    assert [loss] == theirs.full.run(rows)
    np.testing.assert_array_equal(ours.full.read("parameters"), theirs.full.read("parameters"))
    assert len(seconds) == len(ours.full.program.ops)
    assert all(spent >= 0 for spent in seconds)


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_every_operation_that_computes_takes_time(backend):
    ours = network(CASES[0], backend)
    ours.full.run_by_operation(np.arange(4))  # the first touches every page
    spent = np.max([ours.full.run_by_operation(np.arange(4))[1] for _ in range(5)], axis=0)
    assert all(one > 0 for one in spent), list(zip(ours.full.program.ops, spent, strict=True))


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_a_loss_that_is_not_finite_has_no_times_and_keeps_the_parameters(backend):
    ours = network(CASES[0], backend)
    ours.full.write("b3", np.full(3, np.inf))
    before = ours.full.read("parameters")
    loss, seconds = ours.full.run_by_operation(np.arange(4))
    assert not np.isfinite(loss)
    assert seconds == []
    np.testing.assert_array_equal(ours.full.read("parameters"), before)


def test_without_a_tick_counter_each_operation_is_timed_by_a_call(monkeypatch):
    from tuisim.backends.numba import bound

    monkeypatch.setattr(bound, "has_tick_counter", False)
    ours, theirs = network(CASES[1], "numba"), network(CASES[1], "numba")
    loss, seconds = ours.full.run_by_operation(np.arange(4))
    assert [loss] == theirs.full.run(np.arange(4))
    np.testing.assert_array_equal(ours.full.read("parameters"), theirs.full.read("parameters"))
    assert len(seconds) == len(ours.full.program.ops)


def test_the_time_of_a_fused_update_is_divided_by_parameters():
    program = build(CASES[0].resolved())
    first = next(op for op in program.ops if op.kind is Kind.SGD)
    dense = next(op for op in program.ops if op.kind is Kind.DENSE)
    seconds = seconds_by_op(program, {first: 1.0, dense: 0.25})
    shares = {op.layer: spent for op, spent in zip(program.ops, seconds, strict=True) if op.phase is Phase.UPDATE}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares[1] / shares[2] == pytest.approx((8 * 5) / (6 * 6))
    rest = [spent for op, spent in zip(program.ops, seconds, strict=True) if op.phase is not Phase.UPDATE]
    assert sum(rest) == 0.25


def test_reading_the_clock_takes_less_than_ten_microseconds():
    assert 0 < clock_seconds() < 1e-5
