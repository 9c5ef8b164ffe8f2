"""The figures of the training rows, against values computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuisim import RunConfig, data
from tuisim.backends.scalar.activations import ACTIVATIONS
from tuisim.engine.health.data_facts import RANGES, DataFacts, data_facts


def facts(X: Any, y: Any, outputs: int, **fields: Any) -> DataFacts:
    config = RunConfig(layers=(len(X[0]), outputs), validation=0, dtype="float64", shuffle=False, scaling="none", **fields)
    return data_facts(data.from_arrays(config, np.array(X, float), np.array(y)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_ranges_are_those_of_the_activations(name: str) -> None:
    values = [ACTIVATIONS[name].value(z) for z in np.linspace(-500.0, 500.0, 200_001).tolist()]
    if name not in RANGES:
        assert min(values) < -4
        assert max(values) > 4
        return
    low, high = RANGES[name]
    assert low <= min(values) <= low + 1e-4
    assert max(values) <= high
    assert max(values) > 100 or max(values) == pytest.approx(high)


def test_the_constant_loss_of_classes_is_their_entropy() -> None:
    found = facts([[1.0]] * 4, [0, 2, 2, 2], 3, loss="cross_entropy")
    assert found.constant_loss == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75))
    assert (found.kind, found.largest_class, found.largest_share) == ("classes", "2", 0.75)
    assert (found.out_of_range, found.nonzero_outputs) == (0.0, 3)


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_two_classes_in_one_column_or_two(outputs: int, loss: str) -> None:
    found = facts([[1.0]] * 4, [0, 1, 1, 1], outputs, loss=loss)
    assert (found.kind, found.largest_class, found.largest_share) == ("classes", "1", 0.75)
    entropy = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert found.constant_loss == pytest.approx(entropy if loss == "binary_cross_entropy" else 0.75 * 0.25)


def test_the_largest_class_has_the_name_of_its_targets(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{k / 7},{'yes' if k % 5 == 0 else 'no'}\n" for k in range(50)))
    found = data_facts(data.load(RunConfig(layers=(1, 2), dataset=str(path), validation=0)))
    assert (found.largest_class, found.largest_share) == ("no", 0.8)


def test_multi_label_targets_have_no_largest_class() -> None:
    found = facts([[1.0]] * 4, [[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 0]], 3, loss="binary_cross_entropy")
    assert (found.kind, found.largest_class, found.largest_share) == ("multi-label", None, None)
    entropy = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert found.constant_loss == pytest.approx((entropy + entropy + 0) / 3)
    assert found.nonzero_outputs == 2


def test_the_targets_of_a_regression_that_an_activation_cannot_reach() -> None:
    targets = [[-2.0], [-0.9], [0.5], [2.0]]
    shares = {
        name: facts([[1.0]] * 4, targets, 1, loss="mse", output_activation=name).out_of_range for name in ("identity", *RANGES)
    }
    assert shares == {
        "identity": 0.0, "relu": 0.5, "sigmoid": 0.75, "tanh": 0.5, "gelu": 0.5, "silu": 0.5, "softplus": 0.5, "elu": 0.25,
    }  # fmt: skip
    assert facts([[1.0]] * 4, targets, 1, loss="mse").constant_loss == pytest.approx((2**2 + 0.9**2 + 0.5**2 + 2**2) / 4 - 0.1**2)


def test_the_input_scale_is_the_root_mean_square_of_the_largest_column() -> None:
    found = facts([[3.0, 0.1], [4.0, 0.1]], [0, 1], 2, loss="cross_entropy")
    assert found.input_scale == pytest.approx(np.sqrt(12.5))
