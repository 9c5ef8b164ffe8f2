"""Cells of a table as text: missing values, numbers with thousands separators or percent signs, and dates."""

from __future__ import annotations

import re

MISSING = (
    "", "?", "-", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "-nan", "<NA>", "null", "NULL", "Null",
)  # fmt: skip
"""Texts that mean a missing value."""
BOOLEANS = {"true": 1.0, "false": 0.0}

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|infinity)", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?")
_GROUPED = {
    ".": re.compile(r"[+-]?\d{1,3}(?:([,'’  \u202f])\d{3})(?:\1\d{3})*(?:\.\d+)?"),
    ",": re.compile(r"[+-]?\d{1,3}(?:([.'’  \u202f])\d{3})(?:\1\d{3})*(?:,\d+)?"),
}
"""Numbers with a thousands separator, by the decimal separator of the file."""
_CODE = re.compile(r"[+-]?0\d+|0[xX][0-9a-fA-F]+")
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:z|utc|[+-]\d{2}:?\d{2}))?"
_DAY = (
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}", r"\d{1,2}([-/.])\d{1,2}\2\d{2,4}",
    rf"\d{{1,2}}[-/ .]{{1,2}}{_MONTH}[-/ .,]{{1,2}}\d{{2,4}}", rf"{_MONTH} \d{{1,2}},? \d{{4}}",
)  # fmt: skip
_DATE = re.compile(rf"(?:{'|'.join(_DAY)})(?:[ t,]{{1,2}}{_TIME})?|{_TIME}", re.IGNORECASE)
_DECIMAL_POINT = re.compile(r"[+-]?(?:\d*\.(?:\d{1,2}|\d{4,})|0\.\d+|\d{4,}\.\d+|\d*\.\d+[eE][+-]?\d+)%?")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d*,(?:\d{1,2}|\d{4,})|0,\d+|\d{4,},\d+|\d+,\d+[eE][+-]?\d+)%?")


def is_missing(cell: str) -> bool:
    """Return True if a stripped cell means a missing value."""
    return cell in MISSING


def to_number(cell: str, decimal: str = ".") -> float | None:
    """Return the number that a stripped cell means, with thousands separators and a percent sign; None if it is no number."""
    if cell.endswith("%"):
        cell = cell[:-1].rstrip()
    if _PLAIN.fullmatch(cell) and not (decimal == "," and (match := _GROUPED[","].fullmatch(cell)) and match[1] == "."):
        return float(cell)
    if decimal == "," and _COMMA.fullmatch(cell):
        return float(cell.replace(",", "."))
    if match := _GROUPED[decimal].fullmatch(cell):
        return float(cell.replace(match[1], "").replace(",", "."))
    return None


def is_plain(cell: str, decimal: str = ".") -> bool:
    """Return True if a stripped cell is a number without a thousands separator or a percent sign."""
    return bool((_COMMA if decimal == "," else _PLAIN).fullmatch(cell))


def is_code(cell: str) -> bool:
    """Return True if a cell is a code that looks like a number: 007, 0x1F."""
    return bool(_CODE.fullmatch(cell))


def is_date(cell: str) -> bool:
    """Return True if a stripped cell is a date, a time or both."""
    return bool(_DATE.fullmatch(cell))


def decimal_of(cells: list[str]) -> str:
    """Return the decimal separator: a comma if commas, and no points, are followed by other than three digits."""
    if any(_DECIMAL_POINT.fullmatch(cell) for cell in cells):
        return "."
    return "," if any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) else "."
