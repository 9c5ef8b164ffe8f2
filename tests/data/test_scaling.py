"""Scaling of the inputs: with statistics of the training rows alone, and said in a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.table_files import load, refused
from tuisim import data
from tuisim.config import RunConfig

TRAIN = np.array([[0.0, -10.0, 7.0], [4.0, 10.0, 7.0], [2.0, 0.0, 7.0]])
TEST = np.array([[6.0, 0.0, 8.0]])
STANDARD = np.array([[-1.5, -1.5, 0], [1.5, 1.5, 0], [0, 0, 0]]) / np.sqrt(1.5)
EXPECTED = {
    "auto": (STANDARD, [[3 / np.sqrt(1.5), 0, 0]], "inputs standardized with training statistics"),
    "standard": (STANDARD, [[3 / np.sqrt(1.5), 0, 0]], "inputs standardized with training statistics"),
    "minmax": ([[0, 0, 0], [1, 1, 0], [0.5, 0.5, 0]], [[1.5, 0.5, 0]],
               "inputs scaled to 0..1 by the training minimum and maximum"),
    "none": (TRAIN, TEST, "inputs not scaled"),
}  # fmt: skip


@pytest.mark.parametrize("scaling", EXPECTED)
def test_inputs_are_scaled_by_the_training_rows_alone(tmp_path: Path, scaling: str) -> None:
    np.savez(tmp_path / "a.npz", x_train=TRAIN, y_train=[0, 1, 2], x_test=TEST, y_test=[1])
    dataset = load(tmp_path / "a.npz", scaling=scaling, shuffle=False)
    train, test, note = EXPECTED[scaling]
    assert np.allclose(dataset.batch_sampler(3).next_block().X, train)
    assert dataset.validation is not None
    assert np.allclose(dataset.validation[0], test)
    assert note in dataset.notes


BYTES = np.array([[0, 51, 255], [255, 0, 255]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("scaling", "expected", "note"),
    [
        ("auto", [[0, 0.2, 1], [1, 0, 1]], "bytes divided by 255"),
        ("standard", [[-1, 1, 0], [1, -1, 0]], "inputs standardized with training statistics"),
        ("minmax", [[0, 1, 0], [1, 0, 0]], "inputs scaled to 0..1 by the training minimum and maximum"),
        ("none", BYTES, "inputs not scaled"),
    ],
)
def test_bytes_are_divided_only_by_default(tmp_path: Path, scaling: str, expected: Any, note: str) -> None:
    np.savez(tmp_path / "a.npz", X=BYTES, y=[0, 1])
    dataset = load(tmp_path / "a.npz", (3, 2), scaling=scaling, validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(2).next_block().X, expected)
    assert dataset.notes == (note,)


@pytest.mark.parametrize(
    ("largest", "scaled", "note"),
    [
        (1, [-1, 1], "inputs standardized with training statistics"),
        (16, [-1, 1], "inputs standardized with training statistics"),
        (127, [-1, 1], "inputs standardized with training statistics"),
        (128, [0, 128 / 255], "bytes divided by 255"),
        (255, [0, 1], "bytes divided by 255"),
    ],
)
def test_bytes_are_divided_by_255_if_they_use_their_range(tmp_path: Path, largest: int, scaled: list[float], note: str) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.array([[0], [largest]], dtype=np.uint8), y_train=[0, 1],
             x_test=np.array([[2 * (largest // 2)]], dtype=np.uint8), y_test=[1])  # fmt: skip
    dataset = load(tmp_path / "a.npz", (1, 2), shuffle=False)
    assert np.allclose(dataset.batch_sampler(2).next_block().X[:, 0], scaled)
    assert note in dataset.notes
    assert dataset.validation is not None
    share = 2 * (largest // 2) / largest
    assert np.allclose(dataset.validation[0], scaled[0] + share * (scaled[1] - scaled[0])), "with the training rows' rule"


@pytest.mark.parametrize(("scaling", "expected"), [("auto", TRAIN), ("none", TRAIN), ("minmax", EXPECTED["minmax"][0])])
def test_arrays_of_the_caller_are_scaled_on_request_only(scaling: str, expected: Any) -> None:
    config = RunConfig(layers=(3, 3), scaling=scaling, validation=0, shuffle=False)
    assert np.allclose(data.from_arrays(config, TRAIN, [0, 1, 2]).batch_sampler(3).next_block().X, expected)


def test_targets_are_standardized_whatever_the_scaling_of_the_inputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=TRAIN, y=[100.5, 200.5, 300.5])
    dataset = load(tmp_path / "a.npz", (3, 1), loss="mse", scaling="none", validation=0, shuffle=False)
    assert np.allclose(dataset.batch_sampler(3).next_block().Y[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5))


def test_what_cannot_be_scaled_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=[[1e308, 0], [-1e308, 1]], y=[0, 1])
    assert "inputs: the numbers of column 1 are too large to scale to 0..1" in refused(
        tmp_path / "a.npz", (2, 2), scaling="minmax", validation=0
    )
    assert "generated inputs are not scaled: leave scaling out" in refused(Path("moons"), (2, 2), scaling="standard")
    assert data.misfit(RunConfig(layers=(2, 2), dataset="moons", scaling="none")) is None
