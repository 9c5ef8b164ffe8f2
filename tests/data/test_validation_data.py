"""Validation rows from a second file, or from the file's own part: in the classes, columns and scaling of the training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.table_files import PICTURES, X, Y, csv_text, idx_bytes, load, refused, write
from tuisim.config import RunConfig
from tuisim.data import info
from tuisim.errors import ConfigError

TRAIN, TEST = slice(0, 40), slice(40, 60)


def scaled(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.asarray((rows - by.mean(axis=0)) / by.std(axis=0))


def check(path: Path, targets: list[int] | None = None, **fields: Any) -> tuple[str, ...]:
    """Check that the first 40 rows are trained on, and the last 20 validate, scaled by the first; return the notes."""
    dataset = load(path, shuffle=False, **fields)
    block = dataset.batch_sampler(40).next_block()
    assert np.allclose(block.X, scaled(X[TRAIN], X[TRAIN]))
    assert block.Y.tolist() == Y[TRAIN].tolist()
    assert dataset.validation is not None
    assert np.allclose(dataset.validation[0], scaled(X[TEST], X[TRAIN]))
    assert dataset.validation[1].tolist() == (Y[TEST].tolist() if targets is None else targets)
    return dataset.notes


NAMES = {
    "keras": ("x_train", "y_train", "x_test", "y_test"),
    "capitals": ("X_train", "Y_train", "X_test", "Y_test"),
    "images": ("train_images", "train_labels", "test_images", "test_labels"),
    "validation": ("x_train", "y_train", "x_val", "y_val"),
    "one word": ("X", "y", "X_test", "y_test"),
    "unnamed": ("arr_0", "arr_1", "arr_2", "arr_3"),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_the_test_part_of_an_archive_is_the_validation_set(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **dict(zip(names, (X[TRAIN], Y[TRAIN], X[TEST], Y[TEST]), strict=True)))
    notes = check(path)
    assert notes[-1].startswith("validation: 20 rows of ")
    assert notes[-1].endswith(f"a.npz, {names[2]} and {names[3]}")
    assert load(path, validation=0).validation is None


def test_a_validation_part_comes_before_a_test_part(tmp_path: Path) -> None:
    arrays = {"train_images": X[TRAIN], "train_labels": Y[TRAIN], "val_images": X[TEST], "val_labels": Y[TEST][:, None]}
    np.savez(tmp_path / "a.npz", **arrays, test_images=X[TRAIN], test_labels=Y[TRAIN])
    assert "arrays not used: test_images, test_labels" in check(tmp_path / "a.npz")


def test_a_second_file_of_any_kind(tmp_path: Path) -> None:
    test = str(write(tmp_path / "test.csv", csv_text(X[TEST], Y[TEST])))
    notes = check(write(tmp_path / "train.csv", csv_text(X[TRAIN], Y[TRAIN])), validation_data=test)
    assert notes[-1].startswith("validation: 20 rows of ")
    assert notes[-1].endswith("test.csv")
    np.save(tmp_path / "X_train.npy", X[TRAIN])
    np.save(tmp_path / "y_train.npy", Y[TRAIN])
    np.save(tmp_path / "X_test.npy", X[TEST])
    np.save(tmp_path / "y_test.npy", Y[TEST])
    assert "targets from y_train.npy" in check(tmp_path / "X_train.npy", validation_data=str(tmp_path / "X_test.npy"))
    check(tmp_path / "X_train.npy", validation_data=test)
    np.savez(tmp_path / "both.npz", x_train=X[TRAIN], y_train=Y[TRAIN], x_test=X[TRAIN], y_test=Y[TRAIN])
    check(tmp_path / "both.npz", validation_data=test)


def test_idx_files_of_mnist(tmp_path: Path) -> None:
    for name, part in (("train", TRAIN), ("t10k", TEST)):
        write(tmp_path / f"{name}-images-idx3-ubyte", idx_bytes(PICTURES[part]))
        write(tmp_path / f"{name}-labels-idx1-ubyte", idx_bytes(Y[part]))
    test = str(tmp_path / "t10k-images-idx3-ubyte")
    dataset = load(tmp_path / "train-images-idx3-ubyte", (4, 3), validation_data=test)
    assert dataset.examples == 40
    assert dataset.validation is not None
    assert np.allclose(dataset.validation[0], PICTURES[TEST].reshape(20, 4) / 255)
    assert dataset.validation[1].tolist() == Y[TEST].tolist()


def test_classes_keep_the_numbers_of_the_training_rows(tmp_path: Path) -> None:
    words = np.array(["ant", "bee", "cat"])
    train = write(tmp_path / "train.csv", csv_text(X[TRAIN], words[Y[TRAIN]]))
    only = write(tmp_path / "test.csv", csv_text(X[TEST], ["cat"] * 20))
    check(train, [2] * 20, validation_data=str(only))
    numbers = write(tmp_path / "numbers.csv", csv_text(X[TRAIN], Y[TRAIN] + 5))
    check(numbers, [1] * 20, validation_data=str(write(tmp_path / "test.csv", csv_text(X[TEST], [6] * 20))))
    write(only, csv_text(X[TEST], ["dog"] * 20))
    assert "test.csv has the class dog, which no training row has" in refused(train, validation_data=str(only))


def test_targets_of_several_columns_and_numbers(tmp_path: Path) -> None:
    y = X * 3 + 1
    np.savez(tmp_path / "a.npz", x_train=X[TRAIN], y_train=y[TRAIN], x_test=X[TEST], y_test=y[TEST])
    dataset = load(tmp_path / "a.npz", loss="mse")
    assert dataset.validation is not None
    assert np.allclose(dataset.validation[1], scaled(y[TEST], y[TRAIN]))
    labels = (X > 3).astype(int)
    np.savez(tmp_path / "b.npz", x_train=X[TRAIN], y_train=labels[TRAIN], x_test=X[TEST], y_test=labels[TEST])
    dataset = load(tmp_path / "b.npz", loss="binary_cross_entropy")
    assert dataset.kind == "multi-label"
    assert dataset.validation is not None
    assert dataset.validation[1].tolist() == labels[TEST].tolist()
    np.savez(tmp_path / "c.npz", x_train=X[TRAIN], y_train=np.eye(3)[Y[TRAIN]], x_test=X[TEST], y_test=np.eye(3)[Y[TEST]])
    check(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x_train=X[TRAIN], y_train=y[TRAIN], x_test=X[TEST], y_test=y[TEST, :2])
    assert "has 2 target columns, the training rows have 3 of numbers" in refused(tmp_path / "d.npz", loss="mse")


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", csv_text(X[TRAIN], Y[TRAIN]))
    narrow = write(tmp_path / "narrow.csv", csv_text(X[TEST, :2], Y[TEST]))
    message = refused(train, validation_data=str(narrow))
    assert "narrow.csv has 2 inputs" in message
    assert "train.csv has 3: give the same columns" in message
    assert "absent.csv: no such file" in refused(train, validation_data=str(tmp_path / "absent.csv"))
    assert "moons is generated" in refused(Path("moons"), (2, 2), validation_data=str(train))


def test_a_fraction_and_a_file_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"validation = 0\.2: leave it out"):
        RunConfig(layers=(3, 3), dataset="a.csv", validation=0.2, validation_data="b.csv")


def test_all_rows_of_a_named_dataset_are_trained_on_beside_a_file(tmp_path: Path) -> None:
    pixels = np.arange(2 * 64).reshape(2, 64) % 17
    np.savez(tmp_path / "test.npz", X=pixels, y=[3, 9])
    config = RunConfig(layers=(64, 10), validation_data=str(tmp_path / "test.npz"))
    assert info.rows(config) == 1_797
    dataset = load(Path("digits"), (64, 10), validation_data=str(tmp_path / "test.npz"))
    assert dataset.examples == 1_797
    assert dataset.validation is not None
    assert np.allclose(dataset.validation[0], pixels / 16)
    assert dataset.validation[1].tolist() == [3, 9]
