"""The datasets that come with the package: their rows, what fits them, how they are split, and their streams of rng."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuisim import data
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS
from tuisim.data import preprocessing, rng
from tuisim.errors import DataError

DIGITS = RunConfig(layers=(64, 10))


def make(layers: tuple[int, ...], dataset: str = "teacher", **fields: Any) -> data.Dataset:
    return data.load(RunConfig(**{"layers": layers, "dataset": dataset, "examples": 2_000, **fields}))


def refused(layers: tuple[int, ...], dataset: str, **fields: Any) -> str:
    with pytest.raises(DataError) as caught:
        make(layers, dataset, **fields)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ── Digits and the split ─────────────────────────────────────────────────────────────────────────────────────────────


def test_digits_are_all_there_in_unit_range() -> None:
    X, Y = data.load(replace(DIGITS, validation=0)).sample(1797)
    assert X.shape == (1797, 64)
    assert (X.min(), X.max()) == (0, 1)
    assert X.dtype == np.float32
    assert Y.dtype == np.int64
    assert np.bincount(Y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert "CC BY 4.0" in files("tuisim.data").joinpath("digits.txt").read_text()


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.333, 0.5, 0.999])
def test_digits_split_is_exact_stratified_and_leaks_nothing(fraction: float) -> None:
    dataset = data.load(replace(DIGITS, validation=fraction))
    assert dataset.validation is not None
    X, Y = dataset.validation
    trained, _ = dataset.sample(1797)
    assert len(X) == int(1797 * fraction)
    assert len(X) + dataset.examples == 1797
    assert data.rows(replace(DIGITS, validation=fraction)) == dataset.examples
    assert not {row.tobytes() for row in X} & {row.tobytes() for row in trained}
    whole = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert np.abs(np.bincount(Y, minlength=10) - whole * len(X) / 1797).max() < 1


def test_rows_are_read_only() -> None:
    dataset = data.load(DIGITS)
    assert dataset.validation is not None
    for array in (*dataset.validation, dataset.batch_sampler(8).next_block().X):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_no_validation_is_none() -> None:
    assert data.load(replace(DIGITS, validation=0)).validation is None
    assert make((2, 2), "moons", examples=5).validation is None


def test_split_follows_the_seed_alone() -> None:
    first, same, other = (
        data.load(replace(DIGITS, **change)) for change in ({}, {"batch_size": 3, "initializer": "zeros"}, {"seed": 1})
    )
    assert first.validation is not None
    assert same.validation is not None
    assert other.validation is not None
    assert (first.validation[0] == same.validation[0]).all()
    assert (first.validation[0] != other.validation[0]).any()


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(1, 50), min_size=1, max_size=12), share=st.floats(0, 0.999))
def test_quotas_are_exact_and_fair(counts: list[int], share: float) -> None:
    total = int(sum(counts) * share)
    got = preprocessing.quotas(np.array(counts), total)
    assert got.sum() == total
    exact = np.array(counts) * total / sum(counts)
    assert (got <= np.array(counts)).all()
    assert np.abs(got - exact).max() < 1


def test_nothing_left_to_train_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.info.validation_rows", lambda rows, _: rows)
    with pytest.raises(DataError, match="leaves none to train on"):
        data.load(DIGITS)


# ── Synthetic ────────────────────────────────────────────────────────────────────────────────────────────────────────

SHAPES = [
    ("moons", (2, 2)), ("spirals", (2, 5)), ("xor", (2, 2)), ("blobs", (7, 4)), ("teacher", (30, 30)), ("teacher", (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layers"), SHAPES)
@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "binary_cross_entropy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tasks_fit_layers_and_loss(name: str, layers: tuple[int, ...], loss: str, dtype: str) -> None:
    dataset = make(layers, name, loss=loss, dtype=dtype)
    X, Y = dataset.sample(1000)
    assert X.shape == (1000, layers[0])
    assert X.dtype == dtype
    assert np.isfinite(X).all()
    if loss == "cross_entropy":
        assert (Y.shape, Y.dtype) == ((1000,), np.dtype(np.int64))
        assert set(Y.tolist()) == set(range(layers[-1])) or name == "teacher"
        assert 0 <= Y.min() <= Y.max() < layers[-1]
    else:
        assert (Y.shape, Y.dtype) == ((1000, layers[-1]), np.dtype(dtype))
        assert name == "teacher" or (Y.sum(axis=1) == 1).all()
    kinds = {
        "cross_entropy": "classes",
        "mse": "regression",
        "binary_cross_entropy": "multi-label" if layers[-1] > 1 else "classes",
    }
    assert dataset.kind == (kinds[loss] if name == "teacher" else "classes")
    assert dataset.validation is not None
    assert len(dataset.validation[0]) == 200


@pytest.mark.parametrize("name", ["moons", "spirals", "xor", "blobs", "teacher"])
@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
def test_one_output_is_binary(name: str, loss: str) -> None:
    _, Y = make((2, 1), name, loss=loss).sample(1000)
    assert Y.shape == (1000, 1)
    if name != "teacher" or loss != "mse":
        assert set(Y[:, 0].tolist()) == {0, 1}
        assert 0.4 < Y.mean() < 0.6


def test_sine_is_a_sine() -> None:
    X, Y = make((1, 1), "sine", loss="mse", dtype="float64").sample(2_000)
    assert np.std(Y - np.sin(np.pi * X)) == pytest.approx(0.05, rel=0.1)


def test_classes_can_be_told_apart() -> None:
    X, Y = make((2, 2), "xor").sample(2_000)
    assert ((X[:, 0] * X[:, 1] < 0) == Y).mean() > 0.9
    X, Y = make((20, 4), "blobs").sample(2_000)
    centres = np.stack([X[k == Y].mean(axis=0) for k in range(4)])
    assert (np.argmin(((X[:, None] - centres) ** 2).sum(axis=2), axis=1) == Y).mean() > 0.9
    X, Y = make((2, 3), "spirals").sample(2_000)
    turn = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) - np.hypot(X[:, 0], X[:, 1]) / 2
    assert (np.round((turn % 1) * 3) % 3 == Y).mean() > 0.85


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_teacher_targets_can_be_reached(activation: str) -> None:
    _, Y = make((30, 30), loss="mse", output_activation=activation).sample(2_000)
    lowest = {"relu": 0, "sigmoid": 0, "softplus": 0, "tanh": -1, "elu": -1, "gelu": -0.2, "silu": -0.3}.get(activation, -np.inf)
    highest = {"sigmoid": 1, "tanh": 1}.get(activation, np.inf)
    assert lowest <= Y.min() < Y.max() <= highest
    assert Y.std() > 0.05


def test_teacher_classes_are_balanced() -> None:
    _, Y = make((64, 10)).sample(2_000)
    assert np.bincount(Y, minlength=10).min() > 80
    _, Y = make((64, 10), loss="binary_cross_entropy").sample(2_000)
    assert np.abs(Y.mean(axis=0) - 0.5).max() < 0.1


@pytest.mark.parametrize(("name", "layers"), [*SHAPES, ("sine", (1, 1))])
def test_rows_follow_the_seed_and_not_the_rest_of_the_run(name: str, layers: tuple[int, ...]) -> None:
    loss = "mse" if name == "sine" else "cross_entropy"
    base = RunConfig(layers=layers, dataset=name, loss=loss, examples=1_000)
    X, Y = data.load(base).sample(500)
    for change in ({"validation": 0.5}, {"batch_size": 1}, {"initializer": "zeros"}, {"examples": 500}, {"shuffle": False}):
        again, targets = data.load(replace(base, **change)).sample(500)
        assert (again == X).all()
        assert np.allclose(Y, targets)
    other, _ = data.load(replace(base, seed=1)).sample(500)
    assert (other != X).any()


def test_chunks_are_the_same_whether_kept_or_made_again() -> None:
    kept, made = (make((2, 2), "moons", examples=examples) for examples in (40_000, 200_000))
    assert (kept.sample(40_000)[0] == made.sample(40_000)[0]).all()
    assert (kept.sample(40_000)[1] == made.sample(40_000)[1]).all()


def test_validation_rows_of_synthetic_datasets_are_not_trained_on() -> None:
    dataset = make((2, 2), "moons", examples=200_000, validation=0.5)
    assert dataset.validation is not None
    assert len(dataset.validation[0]) == 10_000
    trained, _ = dataset.sample(50_000)
    assert not {row.tobytes() for row in dataset.validation[0]} & {row.tobytes() for row in trained}
    assert dataset.examples == 200_000


def test_random_streams_are_independent() -> None:
    keys = [(0,), (1,), (2,), (3,), (1, 0), (3, 0), (3, 1), (3, 0, 0), (3, 0, 1)]
    drawn = {rng.generator(0, *key).random() for key in keys}
    assert len(drawn) == len(keys)


# ── What does not fit ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("layers", "dataset", "fields", "says"),
    [
        ((30, 10), "digits", {}, "digits has 64 inputs, the layers begin with 30: begin with 64"),
        ((64, 3), "digits", {}, "digits has 10 classes, the output layer has 3: end the layers with 10"),
        ((64, 1), "digits", {"loss": "mse"}, "end the layers with 10"),
        ((64, 1), "digits", {"loss": "cross_entropy"}, "cross_entropy needs two outputs or more"),
        ((64, 10), "digits", {"task": "regression"}, "use task classes"),
        ((3, 2), "moons", {}, "moons has 2 inputs, the layers begin with 3: begin with 2"),
        ((2, 3), "xor", {}, "xor has 2 classes, the output layer has 3: end the layers with 2"),
        ((2, 3), "moons", {"loss": "mse"}, "end the layers with 2, or with 1"),
        ((2, 1), "blobs", {"loss": "cross_entropy"}, "binary_cross_entropy"),
        ((8, 1), "teacher", {"loss": "cross_entropy"}, "binary_cross_entropy"),
        ((2, 1), "sine", {"loss": "mse"}, "sine has 1 input, the layers begin with 2: begin with 1"),
        ((1, 2), "sine", {"loss": "mse"}, "1 number per target, the output layer has 2: end the layers with 1"),
        ((1, 2), "sine", {"loss": "cross_entropy"}, "use loss mse"),
        ((1, 1), "sine", {"loss": "binary_cross_entropy"}, "use loss mse"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    layers: tuple[int, ...], dataset: str, fields: dict[str, Any], says: str
) -> None:
    assert says in refused(layers, dataset, **fields)


# ── Row counts and the folder of Fashion-MNIST ────────────────────────────────────────────────────────────────────────────


def test_rows_are_known_without_making_any() -> None:
    assert data.rows(RunConfig(layers=(64, 10), validation=0.2)) == 1438
    assert data.rows(RunConfig(layers=(30, 30))) == 10_000
    assert data.rows(RunConfig(layers=(30, 30), examples=7)) == 7
    assert data.rows(RunConfig(layers=(784, 10), dataset="fashion_mnist")) == 54_000
    assert data.rows(RunConfig(layers=(3, 2), dataset="./absent.csv")) is None
    assert data.rows(RunConfig(layers=(3, 2), dataset="./absent.csv", examples=5)) == 5


def test_counting_rows_imports_no_arrays() -> None:
    code = (
        "import sys; from tuisim import data; from tuisim.config import RunConfig; "
        "print(data.rows(RunConfig(layers=(2, 2), dataset='xor')), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["10000", "False"]


def _idx(path: Path, array: np.ndarray) -> None:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def test_fashion_mnist_is_found_in_the_folder_that_the_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.files.FOLDER", tmp_path / "absent")
    monkeypatch.delenv("TUISIM_DATA", raising=False)
    reason = data.available("fashion_mnist")
    assert reason is not None
    assert "apt-get install dataset-fashion-mnist" in reason
    config = RunConfig(layers=(784, 10), dataset="fashion_mnist")
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        data.load(config)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28))
    _idx(tmp_path / "train-images-idx3-ubyte", pixels)
    _idx(tmp_path / "train-labels-idx1-ubyte", np.arange(40) % 10)
    monkeypatch.setenv("TUISIM_DATA", str(tmp_path))
    assert data.available("fashion_mnist") is None
    dataset = data.load(config)
    assert (dataset.name, dataset.examples) == ("fashion_mnist", 36)
    assert "bytes divided by 255" in dataset.notes
    assert dataset.sample(36)[0].max() <= 1
    _idx(tmp_path / "train-labels-idx1-ubyte", np.full(40, 12))
    with pytest.raises(DataError, match="has classes 12 to 12"):
        data.load(config)


def test_other_names_are_available() -> None:
    assert data.available("digits") is None
    assert data.available("teacher") is None
    assert "no such file" in (data.available("./absent.csv") or "")
