"""The first command of somebody with data, `tuisim run --dataset FILE`, on fifteen sets: it ends, and the network has learned.

Four tables are the public ones, three have the shape of public ones, the digits are shipped, the images have the shape of
Fashion-MNIST, and six sets are generated. `tests/default_quality.py` compares the defaults with scikit-learn's.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.made_tables import MADE
from tests.support.table_files import write
from tuisim.cli import main

DATA = Path(__file__).parent
PUBLIC = {
    "iris": "tables/sep.csv", "wine": "public/wine.csv", "breast_cancer": "public/breast_cancer.csv.gz",
    "diabetes": "public/diabetes.csv",
}  # fmt: skip
MADE_LIKE = {"titanic": ["--target", "Survived"], "boston": [], "adult": []}

SETS = {
    "iris": ("4-64-3", 0.8), "wine": ("13-64-3", 0.85), "breast_cancer": ("30-64-2", 0.9), "digits": ("64-64-10", 0.93),
    "diabetes": ("10-64-1", 0.2), "moons": ("2-64-2", 0.97), "spirals": ("2-64-3", 0.9), "xor": ("2-64-2", 0.9),
    "blobs": ("2-64-3", 0.75), "sine": ("1-64-1", 0.95), "teacher": ("30-64-3", 0.7), "titanic": ("10-64-2", 0.65),
    "boston": ("13-64-1", 0.9), "adult": ("106-64-2", 0.85), "images": ("784-64-10", 0.9),
}  # fmt: skip
"""The network that is chosen, and the accuracy, or R², that the validation rows at least have."""


def arguments(name: str, folder: Path) -> list[str]:
    """Return the words that name a set to `tuisim run`."""
    if name in PUBLIC:
        return ["--dataset", str(DATA / PUBLIC[name])]
    if name in MADE_LIKE:
        return ["--dataset", str(write(folder / f"{name}.csv", MADE[name](np.random.default_rng(11)).text)), *MADE_LIKE[name]]
    if name == "images":
        return ["--dataset", str(fashion_like(folder))]
    return ["--dataset", name]


def fashion_like(folder: Path) -> Path:
    """Write IDX files of 1,500 images of 28 × 28 bytes: a pattern for each of ten classes, under noise."""
    rng = np.random.default_rng(3)
    patterns, labels = rng.integers(0, 256, (10, 28, 28)), rng.integers(0, 10, 1_500)
    images = np.clip(0.5 * patterns[labels] + rng.normal(60, 70, (1_500, 28, 28)), 0, 255).astype(np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", labels.astype(np.uint8))):
        heading = np.array([0x800 + array.ndim, *array.shape], dtype=">i4").tobytes()
        (folder / f"train-{name}-ubyte").write_bytes(heading + array.tobytes())
    return folder / "train-images-idx3-ubyte"


@pytest.mark.parametrize("name", SETS)
def test_a_run_with_nothing_but_its_data_learns_them(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers, least = SETS[name]
    assert main(["run", *arguments(name, tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ended"] == "completed"
    assert "-".join(map(str, document["config"]["layers"])) == layers
    score = document["validation_r2"] if document["config"]["loss"] == "mse" else document["validation_accuracy"]
    assert score >= least
