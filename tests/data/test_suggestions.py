"""Suggestions: fields that do not go together with the data, each with a value that does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tuisim import RunConfig, Trainer, data
from tuisim.config import FIELDS
from tuisim.data.suggestions import suggestions


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, []),
        ({"layers": "64-8-10"}, []),
        ({"layers": "30-30-30", "loss": "mse", "output_activation": "relu"}, []),  # the teacher's targets are made for it
        ({"layers": "64-8-10", "dataset": "digits", "loss": "mse"}, [("loss", "cross_entropy", False)]),
        ({"layers": "64-8-10", "dataset": "digits", "loss": "binary_cross_entropy"}, [("loss", "cross_entropy", False)]),
        ({"layers": "64-8-10", "output_activation": "relu"}, [("output_activation", "identity", False)]),
        ({"layers": "30-8-3", "dataset": "digits"}, [("layers", "64-8-10", True)]),
        (
            {"layers": "30-30-30", "dataset": "digits", "loss": "mse", "output_activation": "relu"},
            [("layers", "64-30-10", True), ("loss", "cross_entropy", False), ("output_activation", "identity", False)],
        ),
        ({"layers": "2-8-1", "dataset": "moons"}, []),
        ({"layers": "2-8-1", "dataset": "moons", "loss": "cross_entropy"}, [("layers", "2-8-2", True)]),
        ({"layers": "2-8-2", "dataset": "xor", "loss": "binary_cross_entropy"}, []),
        ({"layers": "3-8-5", "dataset": "spirals"}, [("layers", "2-8-5", True)]),
        ({"layers": "1-8-1", "dataset": "sine", "loss": "cross_entropy"}, [("loss", "mse", True)]),
        ({"layers": "1-8-1", "dataset": "sine", "output_activation": "tanh"}, []),
        ({"layers": "1-8-1", "dataset": "sine", "output_activation": "relu"}, [("output_activation", "identity", False)]),
        ({"layers": "9-8-4", "dataset": "teacher", "loss": "binary_cross_entropy"}, []),
        ({"layers": "9-8-4", "dataset": "missing.csv", "loss": "mse"}, []),
    ],
)
def test_what_does_not_go_together(given, found):
    config = RunConfig(**given)
    assert [(one.field, one.proposed, one.refused) for one in suggestions(config)] == found
    for one in suggestions(config):
        assert one.words.isprintable()
        assert len(one.words) < 160


@pytest.mark.parametrize(
    ("targets", "given", "found"),
    [
        ("class", {"layers": "auto-8-auto"}, []),
        ("class", {"layers": "3-8-3", "loss": "mse"}, [("loss", "cross_entropy", False)]),
        ("class", {"layers": "3-8-1", "loss": "mse"}, []),  # class numbers as numbers
        ("class", {"layers": "7-8-2"}, [("layers", "3-8-3", True)]),
        ("number", {"layers": "3-8-1", "loss": "cross_entropy"}, [("loss", "mse", True)]),
        ("number", {"layers": "3-8-1", "output_activation": "sigmoid"}, [("output_activation", "identity", False)]),
        ("number", {"layers": "3-8-4"}, [("layers", "3-8-1", True)]),
    ],
)
def test_what_does_not_go_with_a_file(
    tmp_path: Path, targets: str, given: dict[str, str], found: list[tuple[str, str, bool]]
) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.arange(60) % 3 if targets == "class" else X.sum(axis=1)
    np.savetxt(tmp_path / "a.csv", np.column_stack([X, y]), delimiter=",", fmt="%.6g")
    config = RunConfig(dataset=str(tmp_path / "a.csv"), **given)
    assert [(one.field, one.proposed, one.refused) for one in suggestions(config)] == found
    applied = replace(config, **{one.field: FIELDS[one.field].parse(one.proposed) for one in suggestions(config)})
    assert suggestions(applied) == ()
    assert Trainer(replace(applied, epochs=1)).run().ended.value == "completed"


def test_a_file_is_read_once_as_long_as_it_does_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuisim.data import files

    path, reads, read = tmp_path / "a.csv", [], files.read
    path.write_text("1,2,0\n3,4,1\n5,6,1\n")
    monkeypatch.setattr(files, "read", lambda *given: reads.append(1) or read(*given))
    config = RunConfig(layers="auto-4-auto", dataset=str(path))
    assert data.fitted(config).layers == (2, 4, 2)
    assert data.fitted(config).loss == "cross_entropy"
    assert len(reads) == 1
    path.write_text("1,2,9,0\n3,4,9.5,1\n5,6,9,2.5\n")
    assert (data.fitted(config).layers, data.fitted(config).loss) == ((3, 4, 1), "mse")
    assert len(reads) == 2
