"""Files that are not text tables, detected by their first bytes: each is refused with its format and the remedy."""

from __future__ import annotations

import re

START = 4_096
"""The first bytes of each format, by which it is detected."""
PARQUET = b"PAR1"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY = (
    (b"%PDF", "a PDF document", "save its table as CSV"),
    (b"\x89PNG", "a PNG image", "save the pixels of all images as NPZ with X and y"),
    (b"\xff\xd8\xff", "a JPEG image", "save the pixels of all images as NPZ with X and y"),
    (b"GIF8", "a GIF image", "save the pixels of all images as NPZ with X and y"),
    (b"\x89HDF", "an HDF5 file", "save its arrays as NPZ with X and y"),
    (b"MATLAB 5.0", "a MATLAB file", "save its arrays as NPZ with X and y"),
    (b"SQLite format 3", "an SQLite database", "export one table as CSV"),
    (b"ARROW1", "a Feather file", "save it as Parquet or CSV"),
    (b"FEA1", "a Feather file", "save it as Parquet or CSV"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it and give one table"),
    (b"Rar!", "a RAR archive", "unpack it and give one table"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it"),
    (b"RDX", "an R data file", "write it with write.csv"),
    (b"\x7fELF", "a program", "give a table"),
)
_TEXT = (
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer and not the data", "fetch them with git lfs pull"),
    (re.compile(rb"<!doctype html|<html|<head|<table", re.IGNORECASE), "an HTML page", "download the raw file"),
    (re.compile(rb"<\?xml|<svg", re.IGNORECASE), "XML", "save the table as CSV"),
    (re.compile(rb"[\[{]\s*(?:[\"{\[\]}]|-?\d)"), "JSON", "save it as CSV, with a row for each example"),
    (re.compile(rb"@relation\b", re.IGNORECASE), "an ARFF file", "save it as CSV, without the lines of @"),
    (re.compile(rb"-?[\d.eE+-]+(?: \d+:[\d.eE+-]+){2,}\s"), "in LIBSVM's sparse format", "save it as CSV with every column"),
)  # fmt: skip
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")


def refusal(start: bytes, suffix: str) -> str | None:
    """Return the format of a file that begins with `start` and the remedy; None if it may be a table."""
    for mark, what, remedy in _BINARY:
        if start.startswith(mark):
            return f"is {what}: {remedy}"
    if suffix in _PICKLES or re.match(rb"\x80[\x02-\x05]", start):
        return "is a Python pickle, which is never read: save its arrays as NPZ with X and y"
    if start[257:262] == b"ustar":
        return "is a tar archive: unpack it and give one table"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, what, remedy in _TEXT:
        if pattern.match(text):
            return f"is {what}: {remedy}"
    return None


def spreadsheet(start: bytes, members: tuple[str, ...]) -> str | None:
    """Return the suffix of a spreadsheet's format, given the names in its archive if it is one; None if it is no spreadsheet."""
    if any(name.startswith("xl/") for name in members):
        return ".xlsx"
    if "content.xml" in members:
        return ".ods"
    return ".xls" if start.startswith(_OLD_EXCEL) else None
