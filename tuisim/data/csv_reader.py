"""CSV files: the separator and the header are detected, and a wrong cell is reported by its line and column."""

from __future__ import annotations

import codecs
import csv
import io
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import IO

import numpy as np

from tuisim.config import RunConfig
from tuisim.data import memory
from tuisim.data.table import Table, column_number, only_target
from tuisim.errors import DataError, printable

_LINE_LIMIT = 2**22
_SNIFFED = 5
_HEADER_LINES = 10
"""Maximum lines of a header, whose names may contain line breaks."""
_INPUT_BYTES, _ROW_BYTES = 22, 190
"""Peak memory measured while a table is read and prepared: per input, beside its value in the run's dtype, and per row, whose
target may be a text."""
_CHECKED = 2**20
"""Values after which the memory is checked again."""


def read(file: IO[bytes], size: int, name: str, config: RunConfig) -> Table:
    """Return the rows of a CSV file of `size` bytes in UTF-8. Raises DataError with line and column, or MemoryNeeded."""
    csv.field_size_limit(max(csv.field_size_limit(), _LINE_LIMIT))
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        return _Reader(name, config, file, size, only_target(name, config.target)).table(text)
    except UnicodeDecodeError:
        line = _undecodable_line(file)
        raise DataError(f"{name}, line {line:,} is not UTF-8 text: save the file as CSV in UTF-8") from None
    finally:
        text.detach()


def _undecodable_line(file: IO[bytes]) -> int:
    """Return the number, from 1, of the first line that is not UTF-8."""
    file.seek(0)
    decoder, line, last = codecs.getincrementaldecoder("utf-8")(), 1, b""
    while piece := file.read(2**20):
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            return line + _breaks(last, error.object[: error.start])
        line, last = line + _breaks(last, piece), piece[-1:]
    return line


def _breaks(last: bytes, piece: bytes) -> int:
    """Count the line breaks of any system in a piece that follows the byte `last`."""
    both = (last == b"\r" and piece.startswith(b"\n")) + piece.count(b"\r\n")
    return piece.count(b"\n") + piece.count(b"\r") - both


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 0
    while line := text.readline(_LINE_LIMIT):
        number += 1
        if len(line) >= _LINE_LIMIT:
            raise DataError(f"{name}, line {number:,} is longer than {_LINE_LIMIT:,} characters: end each row with a line break")
        yield line


def _separator(first: list[str]) -> str:
    """Return tab or semicolon if each of the first lines has the same number of them, else the comma."""
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
    """A table while it is read: cells go into flat arrays, so that a row costs 8 bytes per column."""

    name: str
    config: RunConfig
    file: IO[bytes]
    size: int
    asked: str | None
    header: list[str] | None = None
    columns: int = 0
    target: int = 0
    inputs: array[float] = field(default_factory=lambda: array("d"))
    targets: list[str] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    check_at: int = field(default_factory=lambda: _CHECKED)

    def table(self, text: io.TextIOWrapper) -> Table:
        lines = _lines(text, self.name)
        first = [line for _, line in zip(range(_SNIFFED), lines, strict=False)]
        mark = _separator([line for line in first if line.strip()])
        usual = first[1:] or first
        lengths, cells = sum(map(len, usual)), csv.reader(usual[-1:], delimiter=mark)
        self._check_memory(self.size * len(usual) // max(1, lengths), len(next(cells, ())))
        seen: dict[str, str] = {}
        for line, row in self._rows(chain(first, lines), mark):
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if not self.columns and self._start(row):
                continue
            self._add(row, line, seen)
        if not self.lines:
            raise DataError(f"{self.name} has no rows: give at least one")
        return self._finish()

    def _rows(self, lines: Iterator[str], mark: str) -> Iterator[tuple[int, list[str]]]:
        """Yield each row with the number of its last line. Raises DataError if a row but the header takes several."""
        rows, before = csv.reader(lines, delimiter=mark), 0
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                if rows.line_num - before > 1:
                    raise self._unclosed(before + 1) from None
                words = printable(str(error), 100)
                raise DataError(
                    f"{self.name}, line {rows.line_num:,} is not a row of a CSV file ({words}): save it again"
                ) from None
            lines_taken = rows.line_num - before
            if lines_taken > 1 and (self.columns or lines_taken > _HEADER_LINES):
                raise self._unclosed(before + 1)
            before = rows.line_num
            yield before, row

    def _unclosed(self, line: int) -> DataError:
        return DataError(f"{self.name}, line {line:,} opens a quote and does not close it: close it, each cell on one line")

    def _check_memory(self, rows: int, columns: int) -> None:
        """Raise MemoryNeeded if memory cannot hold `rows` rows while they are read and prepared."""
        each = (_INPUT_BYTES + np.dtype(self.config.dtype).itemsize) * max(0, columns - 1) + _ROW_BYTES
        memory.require(rows * each, f"{self.name}: about {rows:,} rows", "give fewer rows")

    def _start(self, row: list[str]) -> bool:
        """Set columns, header and target from the first row; return True if it is a header."""
        self.columns = len(row)
        if self.columns < 2:
            raise DataError(f"{self.name} has one column: at least an input and a target are needed, "
                            "separated by commas, semicolons or tabs")  # fmt: skip
        cells = [cell.strip() for cell in row]
        named = self.asked in cells and not _is_number(self.asked or "")
        guess = self.columns - 1 if self.asked is None else column_number(self.asked, self.columns)
        others = [cell for place, cell in enumerate(cells) if place != guess]
        is_header = named or (any(others) and not any(_is_number(cell) for cell in others))
        self.header = cells if is_header else None
        self.target = self._find_target(cells if is_header else [], guess)
        return is_header

    def _find_target(self, header: list[str], guess: int | None) -> int:
        if self.asked is not None and self.asked in header:
            return header.index(self.asked)
        if guess is None:
            columns = printable(", ".join(header), 120) if header else "no names"
            raise DataError(
                f"{self.name} has no column {printable(self.asked)}: it has {columns}, and numbers 1 to {self.columns}"
            )
        return guess

    def _cell(self, line: int, column: int) -> str:
        named = f" ({printable(self.header[column], 30)})" if self.header and self.header[column] else ""
        return f"{self.name}, line {line:,}, column {column + 1}{named}"

    def _add(self, row: list[str], line: int, seen: dict[str, str]) -> None:
        if len(row) != self.columns:
            raise DataError(
                f"{self.name}, line {line:,} has {len(row):,} cells, the first row {self.columns:,}: give each row as many"
            )
        target = row.pop(self.target).strip()
        if not target:
            raise DataError(f"{self._cell(line, self.target)} is empty: give a target for each row")
        before = len(self.inputs)
        try:
            self.inputs.extend(map(float, row))
        except ValueError:
            place = len(self.inputs) - before
            raise DataError(self._bad_cell(row[place], line, place + (place >= self.target))) from None
        if len(self.inputs) >= self.check_at:
            self.check_at += _CHECKED
            done = len(self.lines)
            self._check_memory(done * self.size // max(1, self.file.tell()) - done, self.columns)
        self.targets.append(seen.setdefault(target, target))
        self.lines.append(line)

    def _bad_cell(self, cell: str, line: int, column: int) -> str:
        where = self._cell(line, column)
        if not cell.strip():
            return f"{where} is empty: fill it or leave the row out"
        point = ", with a point for decimals" if "," in cell else ""
        return f"{where} is {printable(repr(cell))}: write a number{point}"

    def _finish(self) -> Table:
        inputs = np.frombuffer(self.inputs, dtype=np.float64).reshape(-1, self.columns - 1)
        if not np.isfinite(inputs).all():
            row, place = (int(index) for index in np.argwhere(~np.isfinite(inputs))[0])
            where = self._cell(self.lines[row], place + (place >= self.target))
            raise DataError(f"{where} is {inputs[row, place]}: every value must be a finite number")
        different = sorted(set(self.targets))
        words = [target for target in different if not _is_number(target)]
        if words and (len(words) == len(different) or self.config.task == "classes"):
            number = {target: place for place, target in enumerate(different)}
            codes = np.fromiter((number[target] for target in self.targets), dtype=np.int64, count=len(self.targets))
            return Table(self.name, inputs, codes, names=tuple(different))
        return Table(self.name, inputs, self._numeric_targets(set(words)))

    def _numeric_targets(self, words: set[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        for row, target in enumerate(self.targets):
            where = self._cell(self.lines[row], self.target)
            if target in words:
                raise DataError(f"{where} is {printable(repr(target))} among numbers: correct it, or use task classes")
            if not math.isfinite(float(target)):
                raise DataError(f"{where} is {printable(target)}: every value must be a finite number")
        return np.fromiter(map(float, self.targets), dtype=np.float64, count=len(self.targets))
