"""The step program: its operations, their order, and its buffers."""

import pytest

from tuisim import RunConfig
from tuisim.backends.numpy.bound import KERNELS
from tuisim.config.choices import HYPERPARAMETERS, OPTIMIZERS
from tuisim.program import Kind, Phase, build


def kinds(program, phase=None):
    return [op.kind for op in program.ops if phase in (None, op.phase)]


def test_operations_are_in_execution_order():
    program = build(RunConfig(layers=(4, 3, 2), loss="mse"))
    assert kinds(program) == [
        Kind.GATHER, Kind.DENSE, Kind.ACTIVATION, Kind.DENSE, Kind.MSE,
        Kind.WEIGHT_GRADIENT, Kind.BIAS_GRADIENT, Kind.INPUT_GRADIENT,
        Kind.ACTIVATION_GRADIENT, Kind.WEIGHT_GRADIENT, Kind.BIAS_GRADIENT,
        Kind.SGD, Kind.SGD,
    ]  # fmt: skip
    assert [op.phase for op in program.ops] == sorted((op.phase for op in program.ops), key=list(Phase).index)


def test_buffers_are_written_before_they_are_read():
    program = build(RunConfig(layers=(4, 3, 3, 2), hidden_activation=("relu", "identity"), optimizer="adamw", weight_decay=0.1))
    known = {name for name, buffer in program.buffers.items() if buffer.role in ("parameter", "optimizer")} | {"rows"}
    for op in program.ops:
        assert set(op.reads) <= known | {f"g{k}" for k in (1, 2, 3)}
        known |= set(op.writes)
        assert known <= set(program.buffers)


def test_the_evaluation_program_has_no_backward_pass():
    program = build(RunConfig(layers=(4, 3, 2)), 7, learning=False)
    assert kinds(program) == [Kind.GATHER, Kind.DENSE, Kind.ACTIVATION, Kind.DENSE, Kind.CROSS_ENTROPY]
    assert not any(op.phase in (Phase.BACKWARD, Phase.UPDATE) for op in program.ops)
    assert not any(buffer.role in ("gradient", "optimizer") for buffer in program.buffers.values())
    assert program.buffers["X"].shape == (7, 4)


def test_parts_cover_their_flat_buffer_without_overlap():
    program = build(RunConfig(layers=(5, 4, 3), optimizer="adam", weight_decay=0.1))
    for flat, part in (
        ("parameters", "theta"),
        ("gradients", "g"),
        ("first_moment", "first_moment"),
        ("decayed_gradients", "decayed"),
    ):
        at = 0
        for layer in (1, 2):
            buffer = program.buffers[f"{part}{layer}"]
            assert (buffer.part_of, buffer.offset) == (flat, at)
            at += buffer.size
        assert at == program.buffers[flat].size == 39
    assert program.buffers["b2"].offset + 3 == 39


def test_a_program_is_immutable():
    program = build(RunConfig(layers=(4, 2)))
    with pytest.raises(AttributeError):
        program.ops[0].batch = 3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_has_an_update_for_each_layer(optimizer):
    program = build(RunConfig(layers=(4, 3, 2), optimizer=optimizer, weight_decay=0.1))
    updates = [op for op in program.ops if op.phase is Phase.UPDATE and op.layer is not None]
    assert {op.layer for op in updates} == {1, 2}
    assert tuple(program.hyperparameters) == HYPERPARAMETERS[optimizer]


def test_each_kind_of_operation_has_a_numpy_kernel():
    assert set(KERNELS) == set(Kind) - {Kind.GATHER}  # gathering is `attach`'s
