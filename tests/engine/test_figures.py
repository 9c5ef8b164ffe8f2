"""Accuracy, confusion matrix and errors of the validation rows, against values computed by hand and on every backend."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.gpu import emulated_gpu
from tuisim import RunConfig, Trainer, data
from tuisim.engine.figures import MAX_CLASSES, Confusion, Figures, FigureSums


def measured(outputs: Any, y: Any, loss: str, batches: int = 2, **fields: Any) -> Figures:
    """Return the figures of a network with these outputs (rows, outputs) for the targets y, fed in several batches."""
    outputs = np.array(outputs, dtype=float)
    config = RunConfig(layers=(1, outputs.shape[1]), loss=loss, validation=0, shuffle=False, dtype="float64", **fields)
    dataset = data.from_arrays(config, np.zeros((len(outputs), 1)), np.array(y))
    sums = FigureSums(dataset, dataset.batch_sampler(1).next_block().Y)
    for part in np.array_split(np.arange(len(outputs)), batches):
        rows = slice(int(part[0]), int(part[-1]) + 1)
        sums.add(rows, outputs[rows])
    return sums.figures(0.25)


SCORES = [[3, 1, 2], [0, 5, 4], [-1, -2, -3], [0, 0, 1], [7, 7, 2]]  # the largest: 0, 1, 0, 2, the first of two equal ones
CLASSES = [0, 2, 0, 2, 1]


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "binary_cross_entropy"])
@pytest.mark.parametrize("one_hot", [False, True])
def test_the_largest_output_is_the_predicted_class_whatever_the_loss(loss: str, one_hot: bool) -> None:
    figures = measured(SCORES, np.eye(3, dtype=int)[CLASSES] if one_hot else CLASSES, loss)
    counts = ((2, 0, 0), (1, 0, 0), (0, 1, 1))
    assert figures == Figures(0.25, accuracy=3 / 5, confusion=Confusion(("0", "1", "2"), counts))


@pytest.mark.parametrize(("loss", "threshold"), [("binary_cross_entropy", 0.0), ("mse", 0.5)])
def test_one_output_tells_two_classes_apart(loss: str, threshold: float) -> None:
    figures = measured(np.array([[-1], [1], [1], [0.1], [0]]) + threshold, [[0], [1], [0], [1], [1]], loss)
    assert figures == Figures(0.25, accuracy=3 / 5, confusion=Confusion(("0", "1"), ((1, 1), (1, 2))))


def test_multi_label_outputs_are_counted_one_by_one_beside_no_everywhere() -> None:
    outputs = [[1, -1, -1], [1, 1, -2], [-1, -1, -1], [3, -1, 2]]
    figures = measured(outputs, [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]], "binary_cross_entropy")
    assert figures == Figures(0.25, accuracy=9 / 12, baseline=6 / 12)


def test_errors_of_a_regression() -> None:
    targets = [[1.0, 10.0], [2.0, 10.0], [3.0, 40.0], [6.0, 20.0]]
    outputs = [[2.0, 10.0], [2.0, 16.0], [3.0, 40.0], [6.0, 12.0]]
    figures = measured(outputs, targets, "mse")
    # Squared errors 1 and 36 + 64; squared deviations from the means 3 and 20: 4 + 1 + 0 + 9 and 100 + 100 + 400 + 0.
    assert figures.rmse == pytest.approx((math.sqrt(1 / 4) + math.sqrt(100 / 4)) / 2)
    assert figures.r2 == pytest.approx(((1 - 1 / 14) + (1 - 100 / 600)) / 2)
    assert (figures.accuracy, figures.confusion, figures.baseline) == (None, None, None)


def test_a_constant_target_has_no_r2_and_a_loss_that_is_not_finite_no_figures() -> None:
    figures = measured([[1.0], [3.0]], [[2.0], [2.0]], "mse")
    assert (figures.rmse, figures.r2) == (1.0, None)
    sums = FigureSums(data.from_arrays(RunConfig(layers=(1, 2), validation=0), [[0.0]], [1]), np.array([1]))
    sums.add(slice(0, 1), np.array([[np.nan, 1.0]]))
    assert sums.figures(math.inf) == Figures(math.inf)


def test_the_task_decides_about_zeros_and_ones() -> None:
    figures = measured([[0.5], [1.0]], [[0.0], [1.0]], "mse", task="regression")
    assert (figures.rmse, figures.accuracy) == (math.sqrt(0.25 / 2), None)


def test_many_classes_have_an_accuracy_but_no_matrix() -> None:
    many = MAX_CLASSES + 1
    figures = measured(np.eye(many), np.arange(many), "cross_entropy")
    assert figures == Figures(0.25, accuracy=1.0)


KINDS = {
    "classes": (4, "cross_entropy"),
    "classes, binary": (4, "binary_cross_entropy"),
    "classes, mse": (4, "mse"),
    "one output": (1, "binary_cross_entropy"),
    "multi-label": (3, "binary_cross_entropy"),
    "regression": (2, "mse"),
}


def rows_of(kind: str, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 3))
    if kind.startswith("classes"):
        return X, rng.integers(0, outputs, 90)
    if kind == "regression":
        return X, X[:, :outputs] * 2 + 1
    return X, (rng.random((90, outputs)) < 0.3).astype(float)


@pytest.mark.parametrize("backend", ["numpy", "numba", "scalar", "cupy"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_reports_the_figures_of_its_outputs_on_every_backend(
    kind: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, loss = KINDS[kind]
    config = RunConfig(layers=(3, 5, outputs), loss=loss, backend=backend, epochs=2, validation=0.5, dtype="float64")
    given = rows_of(kind, outputs)
    with emulated_gpu(monkeypatch) if backend == "cupy" else contextlib.nullcontext():
        trainer = Trainer(config, data=given)
        summary = trainer.run()
        (W1, b1), (W2, b2) = trainer.parameters()
    validation = data.from_arrays(trainer.config, *given).validation
    assert validation is not None
    X, Y = validation
    found = np.maximum(X @ W1 + b1, 0) @ W2 + b2
    if kind.startswith("classes") or kind == "one output":
        predicted = found.argmax(axis=1) if outputs > 1 else (found[:, 0] > 0).astype(int)
        labels = Y if Y.ndim == 1 else Y.argmax(axis=1) if outputs > 1 else Y[:, 0].astype(int)
        assert summary.validation_accuracy == np.mean(predicted == labels)
        counts = np.zeros((max(2, outputs),) * 2, int)
        np.add.at(counts, (labels, predicted), 1)
        assert summary.to_dict()["confusion"] == {"classes": list(map(str, range(len(counts)))), "counts": counts.tolist()}
    elif kind == "multi-label":
        assert summary.validation_accuracy == np.mean((found > 0) == (Y > 0))
        assert summary.validation_baseline_accuracy == np.mean(Y == 0)
    else:
        errors = ((found - Y) ** 2).mean(axis=0)
        assert summary.validation_rmse == pytest.approx(np.sqrt(errors).mean(), rel=1e-9)
        assert summary.validation_r2 == pytest.approx(1 - (errors / Y.var(axis=0)).mean(), rel=1e-9)
    assert summary.to_dict()["validation_r2"] == summary.validation_r2


def test_the_rmse_is_in_the_targets_own_unit(tmp_path: Path) -> None:
    """A network of zeros answers the mean of the training targets, 1050; the validation targets are 30 and 40 away from it."""
    np.savez(tmp_path / "a.npz", x_train=[[0.0], [1.0]], y_train=[1000.0, 1100.0], x_test=[[0.0], [1.0]], y_test=[1080.0, 1010.0])
    fields = {"dataset": str(tmp_path / "a.npz"), "task": "regression", "dtype": "float64", "epochs": 1}
    config = RunConfig(layers=(1, 1), loss="mse", learning_rate=1e-300, **fields)
    summary = Trainer(config, parameters=[(np.zeros((1, 1)), np.zeros(1))]).run()
    assert summary.validation_rmse == pytest.approx(math.sqrt((30**2 + 40**2) / 2))
    assert summary.validation_r2 == pytest.approx(1 - (30**2 + 40**2) / (2 * 35**2))
    assert summary.validation_loss == pytest.approx((30**2 + 40**2) / 2 / 50**2)
