"""The caller's own arrays: used as they are, or refused with the shape that would fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuisim import data
from tuisim.config import RunConfig
from tuisim.errors import DataError

X = np.random.default_rng(0).normal(size=(50, 3))


def dataset(y: object, layers: tuple[int, ...] = (3, 2), inputs: object = X, **fields: Any) -> data.Dataset:
    config = RunConfig(**{"layers": layers, "shuffle": False, "validation": 0, **fields})
    return data.from_arrays(config, inputs, y)


def test_arrays_are_cast_and_not_scaled() -> None:
    y = np.arange(50) % 2
    block = dataset(y).batch_sampler(8).next_block()
    assert (X.astype(np.float32) == block.X).all()
    assert block.X.dtype == np.float32
    assert (y == block.Y).all()
    assert block.Y.dtype == np.int64
    assert block.order.tolist() == list(range(50))
    assert dataset(y).notes == ()
    assert (dataset(y, dtype="float64").batch_sampler(8).next_block().X == X).all()


def test_the_callers_arrays_stay_their_own() -> None:
    mine = X.copy()
    held = dataset(np.arange(50) % 2, inputs=mine, dtype="float64")
    mine[:] = 0
    assert (held.batch_sampler(8).next_block().X == X).all()
    assert mine.flags.writeable


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_rows_of_targets(loss: str) -> None:
    y = np.random.default_rng(1).random((50, 2))
    held = dataset(y, loss=loss)
    assert np.allclose(held.batch_sampler(8).next_block().Y, y)
    assert held.kind == ("regression" if loss == "mse" else "multi-label")
    assert dataset(y[:, 0], (3, 1), loss=loss).sample(50)[1].shape == (50, 1)
    assert dataset(np.arange(50) % 2, loss=loss).batch_sampler(8).next_block().Y[:3].tolist() == [[1, 0], [0, 1], [1, 0]]


def test_lists_columns_and_whole_floats_are_accepted() -> None:
    assert dataset([0.0, 1.0], inputs=[[1, 2, 3], [4, 5, 6]]).batch_sampler(8).next_block().Y.tolist() == [0, 1]
    assert dataset([[0], [1]], inputs=[[1, 2, 3], [4, 5, 6]]).batch_sampler(8).next_block().Y.tolist() == [0, 1]
    assert dataset([[0, 1], [1, 0]], inputs=[[1, 2, 3], [4, 5, 6]]).batch_sampler(8).next_block().Y.tolist() == [1, 0]


@pytest.mark.parametrize(("task", "kind"), [("auto", "classes"), ("regression", "regression")])
def test_one_hot_rows_and_zeros_and_ones_are_classes_unless_the_task_says_numbers(task: str, kind: str) -> None:
    y = np.arange(50) % 2
    for held, expected in (
        (dataset(np.eye(2)[y], loss="mse", task=task), np.eye(2)[y]),
        (dataset(y, (3, 1), loss="mse", task=task), y[:, None]),
    ):
        assert held.kind == kind
        assert held.batch_sampler(8).next_block().Y.tolist() == expected.tolist()
    assert dataset(np.zeros((50, 2)), loss="mse").kind == "regression"


def test_split_of_arrays_is_stratified_and_notes_the_passes() -> None:
    held = dataset(np.arange(50) % 2, validation=0.2, shuffle=True, examples=100)
    assert held.validation is not None
    assert np.bincount(held.validation[1]).tolist() == [5, 5]
    assert held.examples == 100
    assert any("volume 100 of 40 rows: 2.5 passes" in note for note in held.notes)


def with_value(value: float) -> np.ndarray:
    wrong = X.copy()
    wrong[4, 1] = value
    return wrong


@pytest.mark.parametrize(
    ("y", "fields", "says"),
    [
        (np.arange(50) % 3, {}, "y: row 3 is 2, no class number: the output layer has 2, give 0 to 1"),
        (np.arange(50) % 2 - 1, {}, "row 1 is -1"),
        (np.arange(50) / 2, {"loss": "cross_entropy"}, "row 2 is 0.5, no class number"),
        (np.arange(49) % 2, {}, "X has 50 rows"),
        (np.zeros((50, 2)), {"loss": "cross_entropy"}, "give shape (50,)"),
        (np.zeros(50), {"layers": (3, 1), "loss": "cross_entropy"}, "binary_cross_entropy"),
        (np.zeros(50), {"loss": "mse"}, "give shape (50, 2)"),
        (np.zeros((50, 3)), {"loss": "mse"}, "give shape (50, 2)"),
        (np.full((50, 2), 2.0), {"loss": "binary_cross_entropy"}, "from 0 to 1"),
        (np.full((50, 2), np.nan), {"loss": "mse"}, "y: row 1, column 1 is nan"),
        (np.full((50, 2), 1e300), {"loss": "mse"}, "too large for float32"),
        (["a"] * 50, {}, "y has dtype <U1"),
        ([[1], [1, 2]], {}, "y is not an array"),
        (0, {}, "give a target for each row"),
        (np.zeros(50, int), {"inputs": with_value(np.inf)}, "X: row 5, column 2 is inf"),
        (np.zeros(50, int), {"inputs": with_value(1e300)}, "too large for float32"),
        (np.zeros(50, int), {"inputs": X[:, :2]}, "X has shape (50, 2), the layers begin with 3: give shape (50, 3)"),
        (np.zeros(50, int), {"inputs": X[:, 0]}, "give shape (50, 3)"),
        (np.zeros(50, int), {"inputs": 1.0}, "give shape (0, 3)"),
        ([], {"inputs": X[:0]}, "X has no rows"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(y: object, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        dataset(y, **fields)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "options", "remedy"),
    [
        ((30, 10), {"dataset": "digits"}, "begin with 64"),
        ((64, 3), {"dataset": "digits"}, "end the layers with 10"),
        ((784, 10), {"dataset": "fashion_mnist"}, None),
        ((2, 2), {"dataset": "sine"}, "begin with 1"),
        ((4, 1), {"loss": "cross_entropy"}, "binary_cross_entropy"),
        ((64, 10), {}, None),
        ((3, 2), {"dataset": "rows.csv"}, None),
    ],
)
def test_a_misfit_is_known_without_loading(layers, options, remedy):
    reason = data.misfit(RunConfig(layers=layers, **options))
    assert reason is None if remedy is None else remedy in reason
