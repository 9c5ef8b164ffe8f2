"""Text tables, CSV and its kin: separator and heading are found out, and a wrong cell is named by its line and column.

It does not know whether answers are classes or numbers beyond what words they are written in.
"""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from tuisim.config import RunConfig
from tuisim.data.table import Table
from tuisim.errors import DataError, printable

_LINE_LIMIT = 2**22
_SNIFFED = 5


def read(file: IO[bytes], name: str, config: RunConfig) -> Table:
    """The rows of a text table in UTF-8. Raises DataError naming line and column, or what the decoder raises."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        return _Reader(name, config).table(text)
    except UnicodeDecodeError:
        raise DataError(f"{name} is not UTF-8 text: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{name} is no CSV file: {printable(str(error), 100)}: save it as CSV again") from None
    finally:
        text.detach()


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 0
    while line := text.readline(_LINE_LIMIT):
        number += 1
        if len(line) >= _LINE_LIMIT:
            raise DataError(f"{name}, line {number:,} is longer than {_LINE_LIMIT:,} characters: end each row with a line break")
        yield line


def _separator(first: list[str]) -> str:
    """Tab or semicolon where each of the first lines has as many of them, else the comma."""
    for mark in ("\t", ";"):
        counts = {len(row) for row in csv.reader(first, delimiter=mark)}
        if len(counts) == 1 and counts.pop() > 1:
            return mark
    return ","


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@dataclass
class _Reader:
    """One table while it is read: cells go into flat arrays, so that a row costs 8 bytes a column."""

    name: str
    config: RunConfig
    heading: list[str] | None = None
    columns: int = 0
    target: int = 0
    inputs: array[float] = field(default_factory=lambda: array("d"))
    answers: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))

    def table(self, text: io.TextIOWrapper) -> Table:
        lines = _lines(text, self.name)
        first = [line for _, line in zip(range(_SNIFFED), lines, strict=False)]
        rows = csv.reader(_chain(first, lines), delimiter=_separator([line for line in first if line.strip()]))
        seen: dict[str, str] = {}
        for row in rows:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if not self.columns and self._begin(row):
                continue
            self._take(row, rows.line_num, seen)
        if not self.lines:
            raise DataError(f"{self.name} has no rows: give at least one")
        return self._finished()

    def _begin(self, row: list[str]) -> bool:
        """What the first row settles; whether it is a heading."""
        self.columns = len(row)
        if self.columns < 2:
            raise DataError(f"{self.name} has one column: at least an input and an answer are needed, "
                            "separated by commas, semicolons or tabs")  # fmt: skip
        cells = [cell.strip() for cell in row]
        named = self.config.target in cells and not _is_number(self.config.target or "")
        guess = self.columns - 1 if self.config.target is None else self._numbered(self.config.target)
        others = [cell for place, cell in enumerate(cells) if place != guess]
        is_heading = named or (any(others) and not any(_is_number(cell) for cell in others))
        self.heading = cells if is_heading else None
        self.target = self._target(cells if is_heading else [], guess)
        return is_heading

    def _numbered(self, target: str) -> int | None:
        """The column that a number from 1 names."""
        return int(target) - 1 if target.isascii() and target.isdigit() and 1 <= int(target[:9]) <= self.columns else None

    def _target(self, heading: list[str], guess: int | None) -> int:
        if self.config.target is not None and self.config.target in heading:
            return heading.index(self.config.target)
        if guess is None:
            columns = printable(", ".join(heading), 120) if heading else "no names"
            raise DataError(
                f"{self.name} has no column {printable(self.config.target)}: it has {columns}, and numbers 1 to {self.columns}"
            )
        return guess

    def _cell(self, line: int, column: int) -> str:
        named = f" ({printable(self.heading[column], 30)})" if self.heading and self.heading[column] else ""
        return f"{self.name}, line {line:,}, column {column + 1}{named}"

    def _take(self, row: list[str], line: int, seen: dict[str, str]) -> None:
        if len(row) != self.columns:
            raise DataError(
                f"{self.name}, line {line:,} has {len(row):,} cells, the first row {self.columns:,}: give each row as many"
            )
        answer = row.pop(self.target).strip()
        if not answer:
            raise DataError(f"{self._cell(line, self.target)} is empty: give an answer to each row")
        before = len(self.inputs)
        try:
            self.inputs.extend(map(float, row))
        except ValueError:
            place = len(self.inputs) - before
            raise DataError(self._wrong(row[place], line, place + (place >= self.target))) from None
        self.answers.append(seen.setdefault(answer, answer))
        self.lines.append(line)

    def _wrong(self, cell: str, line: int, column: int) -> str:
        where = self._cell(line, column)
        if not cell.strip():
            return f"{where} is empty: fill it or leave the row out"
        point = ", with a point for decimals" if "," in cell else ""
        return f"{where} is {printable(repr(cell))}: write a number{point}"

    def _finished(self) -> Table:
        inputs = np.frombuffer(self.inputs, dtype=np.float64).reshape(-1, self.columns - 1)
        if not np.isfinite(inputs).all():
            row, place = (int(index) for index in np.argwhere(~np.isfinite(inputs))[0])
            where = self._cell(self.lines[row], place + (place >= self.target))
            raise DataError(f"{where} is {inputs[row, place]}: every value must be a finite number")
        different = sorted(set(self.answers))
        words = [answer for answer in different if not _is_number(answer)]
        if words and (len(words) == len(different) or self.config.task == "classes"):
            number = {answer: place for place, answer in enumerate(different)}
            codes = np.fromiter((number[answer] for answer in self.answers), dtype=np.int64, count=len(self.answers))
            return Table(self.name, inputs, codes, names=tuple(different))
        return Table(self.name, inputs, self._numbers(set(words)))

    def _numbers(self, words: set[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        for row, answer in enumerate(self.answers):
            where = self._cell(self.lines[row], self.target)
            if answer in words:
                raise DataError(f"{where} is {printable(repr(answer))} where others are numbers: mend it, or use task classes")
            if not math.isfinite(float(answer)):
                raise DataError(f"{where} is {printable(answer)}: every value must be a finite number")
        return np.fromiter(map(float, self.answers), dtype=np.float64, count=len(self.answers))


def _chain(first: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from rest
