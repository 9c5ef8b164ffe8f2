"""Text tables: separators, headings, classes or numbers, scaling, and the line and column of what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.table_files import X, Y, csv_text, load, refused, standardized, write
from tuisim import data
from tuisim.config import RunConfig
from tuisim.data.kept import Kept
from tuisim.data.tables import pandas_reader, reader
from tuisim.errors import MemoryNeeded


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["", "a{0}b{0}c{0}kind"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv_with_any_separator_and_header(tmp_path: Path, mark: str, header: str, ending: str) -> None:
    text = csv_text(header=header.format(mark), mark=mark).replace("\n", ending)
    dataset = load(write(tmp_path / "a.csv", "\ufeff" + text), validation=0, shuffle=False)
    rows, targets = dataset.batch_sampler(60).next_block().X, dataset.batch_sampler(60).next_block().Y
    assert np.allclose(rows, standardized(X))
    assert targets.tolist() == Y.tolist()
    assert dataset.kind == "classes"
    assert any("standardized" in note for note in dataset.notes)


def test_csv_target_by_name_or_number(tmp_path: Path) -> None:
    rows = [f"{y},{a!r},{b!r},{c!r}" for (a, b, c), y in zip(X.tolist(), Y.tolist(), strict=True)]
    path = write(tmp_path / "a.csv", "\n".join(["kind,a,b,c", *rows]))
    for target in ("kind", "1"):
        dataset = load(path, target=target, validation=0, shuffle=False)
        assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
        assert np.allclose(dataset.sample(60)[0].std(axis=0), 1)
    assert "kind, a, b, c, and numbers 1 to 4" in refused(path, target="colour")
    assert "1 to 4" in refused(path, target="5")


def test_csv_class_names_are_mapped_and_noted(tmp_path: Path) -> None:
    words = [("setosa", "versicolor", "virginica")[y] for y in Y]
    path = write(tmp_path / "iris.csv", csv_text(targets=words, header="a,b,c,species"))
    dataset = load(path, validation=0, shuffle=False)
    assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    assert "classes: setosa = 0, versicolor = 1, virginica = 2" in dataset.notes
    assert "has 3 classes, the output layer has 2: end the layers with 3" in refused(path, (3, 2))
    assert "use task classes" in refused(path, (3, 1), loss="mse", task="regression")


def test_csv_class_numbers_are_mapped_from_their_order(tmp_path: Path) -> None:
    dataset = load(write(tmp_path / "a.csv", csv_text(targets=Y * 10 - 5)), validation=0, shuffle=False)
    assert dataset.batch_sampler(60).next_block().Y.tolist() == Y.tolist()
    assert "classes: -5 = 0, 5 = 1, 15 = 2" in dataset.notes


def test_regression_is_told_from_fractions_and_standardized(tmp_path: Path) -> None:
    targets = X @ [1.0, 2.0, 3.0] + 100
    path = write(tmp_path / "a.csv", csv_text(targets=targets.tolist()))
    dataset = load(path, (3, 1), loss="mse", validation=0, shuffle=False)
    assert dataset.kind == "regression"
    assert np.allclose(dataset.batch_sampler(60).next_block().Y[:, 0], standardized(targets))
    assert any("targets standardized" in note for note in dataset.notes)
    assert "is not a class number" in refused(path, loss="cross_entropy")
    assert "use loss mse" in refused(path, loss="binary_cross_entropy")
    assert "end the layers with 1" in refused(path, (3, 2), loss="mse")


def test_task_and_loss_decide_where_values_cannot(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_text())
    assert load(path, (3, 3), loss="mse").kind == "classes"
    assert load(path, (3, 1), loss="mse").kind == "regression"
    assert load(path, (3, 1), loss="mse", task="regression").kind == "regression"
    assert "end the layers with 3" in refused(path, (3, 1), loss="mse", task="classes")
    assert "use loss mse" in refused(path, task="regression", loss="cross_entropy")
    two = write(tmp_path / "b.csv", csv_text(targets=(Y > 0) * 4 + 3))
    for loss in ("mse", "binary_cross_entropy"):
        dataset = load(two, (3, 1), loss=loss, validation=0)
        assert dataset.kind == "classes"
        assert set(dataset.sample(60)[1][:, 0]) == {0, 1}
    assert load(two, (3, 2), loss="mse").sample(5)[1].sum(axis=1).tolist() == [1] * 5
    many = write(tmp_path / "c.csv", csv_text(targets=range(60)))
    assert load(many, (3, 1), loss="mse").kind == "regression"
    assert "or use loss mse and end with 1" in refused(many, loss="cross_entropy")


def test_statistics_come_from_training_rows_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_text(targets=X.sum(axis=1).tolist()))
    dataset = load(path, (3, 1), loss="mse", validation=0.3)
    rows, targets = dataset.sample(60)
    assert len(rows) == 42
    assert np.allclose(rows.mean(axis=0), 0)
    assert np.allclose(rows.std(axis=0), 1)
    assert np.allclose((targets.mean(), targets.std()), (0, 1))
    assert dataset.validation is not None
    assert np.abs(dataset.validation[0].mean(axis=0)).max() > 1e-6
    part = load(path, (3, 1), loss="mse", validation=0.3, examples=10)
    assert np.allclose(part.sample(10)[0].mean(axis=0), 0)


def test_constant_columns_are_left_out_unless_the_network_counts_them(tmp_path: Path) -> None:
    rows = X.copy()
    rows[:, 1] = 0.1
    path = write(tmp_path / "a.csv", csv_text(rows))
    dataset = load(path)
    assert (dataset.sample(60)[0][:, 1] == 0).all()
    dataset = load(path, (2, 3))
    assert "columns left out: column 2 (one value, 0.1)" in dataset.notes
    assert (load(path, keep="2").sample(60)[0][:, 1] == 0).all()
    constant = load(write(tmp_path / "b.csv", csv_text(targets=[2.5] * 60)), (3, 1), loss="mse")
    assert "every training target" in " ".join(constant.notes)


BAD_CSV = {
    "a,b,c,y\n1,2,3,0\n1,red,3,1\n": "line 3, column 2 (b) is 'red': write a number",
    "1,2,3,0\n1,2,,1\n": "1 of 2 rows have a missing value, most of them column 3, 1, first in line 2: use drop 3, or",
    "1,2,3,0\n\n1,2,nan,1\n": "1 of 2 rows have a missing value, most of them column 3, 1, first in line 3",
    "1,2,3,0\n1,2,1e999,1\n": "line 2, column 3 is inf",
    "1,2,3,0\n1,2,3\n": "line 2 has 3 cells, the first row 4",
    "1,2,3,0\n1,2,3,\n": "most of them column 4, 1, first in line 2: name another target",
    "1,2,3,0\n1,2,3,one\n": "line 2, column 4 is 'one' among numbers",
    "1,2,3,0.5\n1,2,3,inf\n": "line 2, column 4 is inf",
    "1,2,3,0\n1,\x1b[2J,3,1\n": r"line 2, column 2 is '\x1b[2J'",
    "1,2,3,0\n1,2,3,0\n": "has 1 class only",
    "1\n2\n": "has one column",
    "a,b,c,y\n": "has no rows",
    "\n\n": "has no rows",
    "": "is empty",
    '1,2,3,0\n"' + "x" * 200_000 + "\n": "line 2 has 1 cells",
    '1,2,3,0\n1,2,3,"a\n' + "1,2,3,0\n" * 1_000: "line 2 opens a quote",
    '1,2,3,a\n1,2,3,"a\n' + "1,2,3,b\n" * 1_000 + '1,2,3,"b"\n': "line 2 opens a quote",
    '1,2,3,a\n\n1,2,3,"a\n' + "1,2,3,b\n" * 60 + '1,2,3,b"\n': "line 3 opens a quote",
    'a,b,"c,y\n' + "1,2,3,0\n" * 1_000: "line 1 opens a quote",
    '1,2,3,0\n1,2,3,"1\n' + "1,2,3,0\n" * 600_000: "line 2 opens a quote",
    "1,2,0\n3,2,1\n1,3,2\n": "has 2 inputs, the layers begin with 3: begin with 2",
    "1e300,2,3,0\n-1e300,2,3,1\n0,1,1,2\n": "too large to standardize",
    ",,,1\n1,2,3,0\n": "1 of 2 rows have a missing value, most of them column 1, 1, first in line 1",
}


@pytest.mark.parametrize("text", BAD_CSV, ids=range(len(BAD_CSV)))
def test_bad_csv_is_refused_by_line_and_column(tmp_path: Path, text: str) -> None:
    assert BAD_CSV[text] in refused(write(tmp_path / "a.csv", text), validation=0)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("rows", [3, 5_000, 300_000])
def test_a_text_that_is_not_utf8_is_read_as_latin1_and_its_line_is_named(tmp_path: Path, rows: int, ending: str) -> None:
    text = f"1,2,0,a{ending}2,1,5,b{ending}" * (rows // 2) + f"1,2,3,é{ending}1,2,3,é{ending}"
    dataset = load(write(tmp_path / "a.csv", text.encode("latin1")), validation=0)
    assert f"line {rows // 2 * 2 + 1:,} is not UTF-8: the file is read as Latin-1" in dataset.notes
    assert "classes: a = 0, b = 1, é = 2" in dataset.notes


def test_a_row_may_be_long_and_a_header_may_have_line_breaks(tmp_path: Path) -> None:
    width = 70_000
    rows = "".join(",".join(["0.5"] * width) + f",{row % 2}\n" for row in range(6))
    dataset = load(write(tmp_path / "wide.csv", rows), (width, 2))
    assert dataset.sample(6)[0].shape[1] == width
    found = load(write(tmp_path / "a.csv", '"a\nof three\nlines",b,c,y\n' + csv_text()))
    assert found.examples == load(write(tmp_path / "b.csv", csv_text())).examples


def test_a_target_may_have_zeros_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", csv_text())
    np.save(tmp_path / "a.npy", np.column_stack([X, Y]))
    for one in (path, tmp_path / "a.npy"):
        assert load(one, target="0000000004").examples == load(one, target="4").examples
        for target in ("0000000012", "0" * 12, "1" * 12, "5"):
            words = refused(one, target=target)
            assert f"has no column {target}:" in words
            assert "numbers 1 to 4" in words


def test_the_memory_of_a_table_is_checked_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "1,2,3,0\n4,5,6,1\n" * 2_000
    monkeypatch.setattr("tuisim.data.memory.available", lambda: 20 * len(text))
    with pytest.raises(MemoryNeeded, match=r"a\.csv: about 4,000 rows needs .* KiB are free: give fewer rows"):
        load(write(tmp_path / "a.csv", text))
    # Where the first rows are no measure of the others, it is asked again.
    monkeypatch.setattr("tuisim.data.tables.pandas_reader._CHUNK_CELLS", 3_000)
    longer = ("1." + "0" * 4_000 + ",2,3,0\n") * 6 + 10 * text
    monkeypatch.setattr("tuisim.data.memory.available", lambda: 300_000)
    with pytest.raises(MemoryNeeded, match=r"a\.csv: about [\d,]+ rows needs"):
        load(write(tmp_path / "a.csv", longer))
    monkeypatch.setattr("tuisim.data.memory.available", lambda: 10**9)
    assert load(tmp_path / "a.csv", (3, 2)).examples > 30_000


def test_too_little_memory_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("tuisim.data.tables.pandas_reader._joined", full)
    with pytest.raises(MemoryNeeded, match=r"a\.csv: there is not enough memory to read it: give fewer rows"):
        load(write(tmp_path / "a.csv", csv_text()))


LIMITED = """
import resource, sys
import numpy
from tuisim import RunConfig, data
from tuisim import data
from tuisim.config import RunConfig
from tuisim.data.tables import pandas_reader, reader
from tuisim.errors import MemoryNeeded
data.load(RunConfig(layers=(3, 2), dataset=sys.argv[2]).resolved())
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**24,) * 2)
try:
    data.load(RunConfig(layers=(3, 2), dataset=sys.argv[1]).resolved())
except MemoryNeeded as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no limits of memory for a process that can be set here")
def test_a_file_that_memory_cannot_hold_is_not_called_broken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "1,2,3,0\n4,5,6,1\n" * 400_000)
    small = write(tmp_path / "b.csv", "1,2,3,0\n4,5,6,1\n" * 4)
    command = [sys.executable, "-c", LIMITED, str(path), str(small)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "there is not enough memory to read it" in done.stdout


def test_text_in_other_encodings(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        dataset = load(write(tmp_path / "a.csv", csv_text(header="a,b,c,y").encode(encoding)), validation=0, shuffle=False)
        assert np.allclose(dataset.batch_sampler(60).next_block().X, standardized(X))
    assert "zero byte and is not text" in refused(write(tmp_path / "a.csv", b"1,2,3,0\n4,5,6,1\n\0\1,2,3,1\n"))
    assert "line 1 is longer than" in refused(write(tmp_path / "a.csv", b"1" * 5_000_000))


def test_a_table_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shape of a run's data, its preview and the run itself follow each other."""
    reads: list[str] = []
    read_text = pandas_reader.read_text
    monkeypatch.setattr(
        pandas_reader, "read_text", lambda source, *rest: (reads.append(source.name), read_text(source, *rest))[1]
    )
    path = write(tmp_path / "a.csv", csv_text())
    config = RunConfig(layers=("auto", 4, "auto"), dataset=str(path))
    first = data.load(config)
    assert reader.table_preview(path).rows == 60
    assert (data.load(config).sample(9)[0] == first.sample(9)[0]).all()
    assert len(reads) == 1
    path.write_text("1,2,3,0\n4,5,6,1\n" * 4)
    assert data.load(config).examples < first.examples
    assert len(reads) == 2
    monkeypatch.setattr(reader, "_contents", Kept(10, lambda content: content.nbytes))
    write(path, csv_text())
    for _ in range(2):
        data.load(config)
    assert len(reads) > 3, "a large table is not kept"
