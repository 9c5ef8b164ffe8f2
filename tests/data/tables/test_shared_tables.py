"""The iris table as people have it, in 26 ways of writing: rows, columns, classes and what is said, and a run that learns."""

from __future__ import annotations

import bz2
import gzip
import lzma
import statistics
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tuisim
from tuisim import data
from tuisim.config import RunConfig
from tuisim.data.tables.roles import TableOptions

TABLES = Path(__file__).parent
NAMES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
CLASSES = {
    "bool.csv": ("False", "True"),
    "boolR.csv": ("FALSE", "TRUE"),
    "code.csv": ("007", "0x1F", "1e5"),
    "latin1.csv": ("Iris-sétosa", *NAMES[1:]),
    "onehot.csv": ("setosa", "versicolor", "virginica"),
    **dict.fromkeys(("fixed.txt", "mixedlab.csv", "savetxt_head.csv", "savetxt_sp.txt"), ("0", "1", "2")),
}
HEADLESS = ("fixed.txt", "savetxt_sp.txt", "trail.csv")
DROPPED = ("NA.csv", "nan.csv")
IRIS = sorted(path.name for path in TABLES.iterdir() if path.suffix in (".csv", ".txt") and path.name != "years.csv")
REFERENCE = np.genfromtxt(TABLES / "comment.csv", delimiter=",", comments="#", skip_header=3, usecols=range(4))


@pytest.mark.parametrize("name", IRIS)
def test_a_table_is_read_rightly(name: str) -> None:
    found = data.table_preview(TABLES / name)
    assert (found.rows, found.inputs, found.outputs, found.kind) == (150, 4, len(found.classes), "classes")
    assert found.classes == CLASSES.get(name, NAMES)
    assert found.has_heading == (name not in HEADLESS)
    assert found.rows_dropped == (name in DROPPED)
    said = f"1 of 150 rows left out: a value is missing ({found.columns[0].label} 1)"
    assert (said in found.notes) == (name in DROPPED)


@pytest.mark.parametrize("name", IRIS)
def test_the_values_are_those_of_iris(name: str) -> None:
    classes = len(CLASSES.get(name, NAMES))
    config = RunConfig(layers=(4, classes), dataset=str(TABLES / name), validation=0, shuffle=False, dtype="float64")
    rows = data.load(config).batch_sampler(150).next_block()
    expected = REFERENCE.copy()
    if name in DROPPED:
        gap = next(number for number, line in enumerate((TABLES / name).read_text().splitlines()[1:]) if line[0] in "Nn,")
        expected = np.delete(expected, gap, axis=0)
    assert np.allclose(rows.X, (expected - expected.mean(axis=0)) / expected.std(axis=0))
    if classes == 3 and name not in DROPPED:
        second, third = (2, 1) if name == "code.csv" else (1, 2)
        assert rows.Y.tolist() == [0] * 50 + [second] * 50 + [third] * 50


@pytest.mark.parametrize("name", IRIS)
def test_a_run_learns_from_it(name: str) -> None:
    classes = len(CLASSES.get(name, NAMES))
    config = RunConfig(
        layers=(4, 16, classes), dataset=str(TABLES / name), validation=0.2, batch_size=8, epochs=20, optimizer="adam",
        learning_rate=0.01, threads=1,
    )  # fmt: skip
    runs = [tuisim.Trainer(replace(config, seed=seed)).run() for seed in range(3)]
    assert statistics.mean(run.validation_accuracy or 0 for run in runs) >= 0.9


def test_whole_numbers_over_decimals_are_a_heading() -> None:
    found = data.table_preview(TABLES / "years.csv")
    assert (found.rows, found.inputs, found.outputs, found.kind, found.has_heading) == (40, 3, 1, "regression", True)
    assert [column.name for column in found.columns] == ["1990", "2000", "2010", "2015"]
    config = RunConfig(layers=(3, 16, 1), dataset=str(TABLES / "years.csv"), loss="mse", epochs=20, batch_size=8, threads=1)
    loss = tuisim.Trainer(config).run().validation_loss
    assert loss is not None
    assert loss < 0.05


def test_columns_of_one_name_are_told_apart_by_number() -> None:
    found = data.table_preview(TABLES / "dup.csv", TableOptions(target=("5",), drop=("2",)))
    assert [column.role for column in found.columns] == ["number", "left out", "number", "number", "target"]
    with pytest.raises(tuisim.errors.DataError, match=r"has 5 columns named a: give the number, one of 1, 2, 3, 4, 5"):
        data.table_preview(TABLES / "dup.csv", TableOptions(target=("a",)))


def test_an_index_that_pandas_saved_is_no_input() -> None:
    found = data.table_preview(TABLES / "pandas_index.csv")
    assert (found.columns[0].role, found.columns[0].reason) == ("left out", "a row number in order")
    assert "columns left out: column 1 (a row number in order)" in found.notes
    assert data.table_preview(TABLES / "pandas_index.csv", TableOptions(keep=("1",))).inputs == 5


def test_one_hot_targets_may_be_named() -> None:
    found = data.table_preview(TABLES / "onehot.csv", TableOptions(target=("setosa", "versicolor", "virginica")))
    assert (found.inputs, found.classes) == (4, ("setosa", "versicolor", "virginica"))
    found = data.table_preview(TABLES / "onehot.csv", TableOptions(target=("virginica",)))
    assert (found.inputs, found.classes) == (6, ("0", "1"))


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_a_packed_table_is_read(tmp_path: Path, suffix: str) -> None:
    content, path = (TABLES / "bar.csv").read_bytes(), tmp_path / f"iris.csv{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/", "")
            archive.writestr("folder/iris.csv", content)
            archive.writestr("__MACOSX/iris.csv", b"\0\1")
    else:
        packers = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
        path.write_bytes(packers[suffix](content))
    found = data.table_preview(path)
    assert (found.rows, found.inputs, found.classes) == (150, 4, NAMES)


@pytest.mark.parametrize("suffix", [".tsv", ".dat", ".data", ".txt", ""])
def test_the_name_of_a_table_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"iris{suffix}"
    path.write_bytes((TABLES / "utf16.csv").read_bytes())
    assert data.table_preview(path).rows == 150
