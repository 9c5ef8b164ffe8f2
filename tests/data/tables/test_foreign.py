"""Files that are no tables: each refusal names the format and the remedy. Packed files and spreadsheets keep their limits."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import lzma
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.table_files import X, Y, csv_text, load, refused, write
from tuisim import data
from tuisim.errors import DataError

OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


FOREIGN = {
    "a.json": (b'[{"a": 1, "y": 2}]', "is JSON: save it as CSV"),
    "lines.json": (b'{"a": 1}\n{"a": 2}\n', "is JSON: save it as CSV"),
    "a.html": (b"\n<!DOCTYPE html>\n<html>", "is an HTML page: download the raw file"),
    "a.xml": (b'<?xml version="1.0"?><a/>', "is XML: save the table as CSV"),
    "a.csv": (b"version https://git-lfs.github.com\n", "a Git LFS pointer and not the data: fetch them with git lfs pull"),
    "a.arff": (b"@RELATION iris\n@ATTRIBUTE a REAL\n@DATA\n5,1\n", "is an ARFF file"),
    "a.svm": (b"1 1:0.5 3:0.2\n-1 2:1 3:4\n", "is in LIBSVM's sparse format"),
    "a.pdf": (b"%PDF-1.7\n", "is a PDF document"),
    "a.png": (b"\x89PNG\r\n\x1a\n", "is a PNG image: save the pixels of all images as NPZ"),
    "a.h5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file: save its arrays as NPZ"),
    "a.mat": (b"MATLAB 5.0 MAT-file", "is a MATLAB file"),
    "a.db": (b"SQLite format 3\0", "is an SQLite database: export one table as CSV"),
    "a.pkl": (pickle.dumps({"X": [1]}), "is a Python pickle, which is never read"),
    "a.tar": (tar(b"1,2,3\n"), "is a tar archive: unpack it"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
    "a.bin": (b"1,2,3,0\n4,5,6,1\n7,\0,3,1\n", "line 3 has a zero byte and is not text"),
    "one.txt": (b"1\n2\n3\n", "has one column"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_another_format_is_refused_with_its_name_and_the_remedy(tmp_path: Path, name: str) -> None:
    content, says = FOREIGN[name]
    words = refused(write(tmp_path / name, content))
    assert words.startswith(f"…{tmp_path / name}"[-20:]) or name in words
    assert says in words


def test_a_zip_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", csv_text())
        archive.writestr("b.csv", csv_text())
    assert "is a zip archive of 2 files (a.csv, b.csv): give one with a single table" in refused(path)


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packer: Any) -> None:
    monkeypatch.setattr("tuisim.data.reading.PACKED_LIMIT", 2**20)
    bomb = packer(b"1,2,3,0\n" * 1_000_000)
    assert "MiB: not read, unpack it first" in refused(write(tmp_path / "a.csv.x", bomb))
    words = refused(write(tmp_path / "cut.csv.x", packer(csv_text().encode())[:-60]))
    assert "broken" in words or "cannot be read" in words


def test_a_zip_archive_that_claims_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.reading.PACKED_LIMIT", 2**20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "1,2,3,0\n" * 1_000_000)
    assert "claims 7.6 MiB in" in refused(tmp_path / "a.zip")


def workbook(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return path


@pytest.mark.parametrize(
    ("name", "start", "package"),
    [("a.xlsx", None, "openpyxl"), ("a.xls", OLD_EXCEL, "xlrd"), ("a.parquet", b"PAR1" + b"\0", "pyarrow")],
)  # fmt: skip
def test_a_reader_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, start: bytes | None, package: str
) -> None:
    from tuisim.data.tables import pandas_reader

    def absent(module: str) -> Any:
        if module == package:
            raise ImportError
        return importlib.import_module(module)

    monkeypatch.setattr(pandas_reader, "import_module", absent)
    path = workbook(tmp_path / name) if start is None else write(tmp_path / name, start)
    assert f"needs {package}: pip install {package}, or save it as CSV" in refused(path)


def test_pandas_is_named_where_it_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> Any:
        raise ImportError

    monkeypatch.setattr("tuisim.data.tables.pandas_reader.import_module", absent)
    assert refused(write(tmp_path / "a.csv", csv_text())) == "reading a table needs pandas: pip install pandas"


@pytest.mark.skipif(importlib.util.find_spec("openpyxl") is None, reason="openpyxl is not installed")
def test_an_excel_file_is_read(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["a", "b", "c", "kind"])
    for row, target in zip(X.tolist(), Y.tolist(), strict=True):
        book.active.append([*row, ("red", "green", "blue")[target]])
    book.save(tmp_path / "a.xlsx")
    found = data.table_preview(tmp_path / "a.xlsx")
    assert (found.rows, found.inputs, found.classes, found.has_heading) == (60, 3, ("blue", "green", "red"), True)
    block = load(tmp_path / "a.xlsx", validation=0, shuffle=False, scaling="none").batch_sampler(60).next_block()
    assert np.allclose(block.X, X)


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "kind": [("red", "green", "blue")[y] for y in Y]})
    frame.to_parquet(tmp_path / "a.parquet")
    found = data.table_preview(tmp_path / "a.parquet")
    assert (found.rows, found.inputs, found.classes) == (60, 3, ("blue", "green", "red"))
    block = load(tmp_path / "a.parquet", validation=0, shuffle=False, scaling="none").batch_sampler(60).next_block()
    assert (block.X == X).all()


def test_a_broken_spreadsheet_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(workbook(tmp_path / "a.xlsx"))
    assert len(str(caught.value).splitlines()) == 1
