"""The content of a text table: columns, heading and the places of cells; a malformed row is reported with its line."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tuisim.data import memory
from tuisim.data.tables import cells, pandas_reader, text_format
from tuisim.data.tables.columns import Column
from tuisim.data.tables.pandas_reader import Unparsed
from tuisim.data.tables.roles import Heading
from tuisim.data.tables.text_format import TableFormat
from tuisim.data.tables.text_source import TextSource
from tuisim.errors import DataError

SHOWN = 5
"""First cells of each column that are kept to be shown."""
_INPUT_BYTES, _TEXT_BYTES, _CODE_BYTES = 26, 250, 16
"""Peak memory measured while a table is read and prepared, per row: for an input, beside its value in the run's dtype; for a text
that is different in most rows; and for one that is repeated."""


@dataclass
class TableContent:
    """A table as it was read, before its columns are given roles."""

    name: str
    columns: list[Column]
    heading: Heading
    first: list[tuple[str, ...]]
    """The first cells of each column."""
    classes: tuple[str, ...] = ()
    """The classes' names of a count line."""
    notes: tuple[str, ...] = ()
    source: TextSource | None = field(default=None, repr=False)
    form: TableFormat | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].missing) if self.columns else 0

    @property
    def nbytes(self) -> int:
        """The size of the columns: numbers, codes and different texts."""
        arrays = (array for column in self.columns for array in (column.numbers, column.codes) if array is not None)
        return sum(array.nbytes for array in arrays) + _TEXT_BYTES * sum(len(column.texts) for column in self.columns)

    def where(self, row: int, place: int) -> str:
        """Describe a cell by its line, or its row, and its column."""
        at = f"row {row + 1:,}"
        if self.source is not None and self.form is not None:
            lines = (line for number, (line, _) in enumerate(self.source.rows(self.form)) if number == row)
            at = f"line {next(lines, row + 1):,}"
        named = f" ({self.heading.label(place)})" if self.heading.names and self.heading.names[place] else ""
        return f"{self.name}, {at}, column {place + 1}{named}"


class _CommentFound(Exception):
    """A comment line was found among the rows."""


def read(source: TextSource, targets: tuple[str, ...], itemsize: int) -> TableContent:
    """Return the columns of a text, those of the targets as texts. Raises DataError or MemoryNeeded."""
    with source.open_bytes(wide=True) as stream:
        encoding = text_format.encoding_of(stream.read(2**16))
    for tried in (encoding, "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):  # the rows after the first 64 KiB may not be in this encoding
            return _read(source, tried, targets, itemsize)
    return _read(source, "latin-1", targets, itemsize)  # in which every byte is a character


def _read(source: TextSource, encoding: str, targets: tuple[str, ...], itemsize: int) -> TableContent:
    lines = source.first_lines(encoding)
    form = text_format.detect(lines, encoding, source.name, targets)
    heading = Heading(source.name, form.heading, form.columns)
    first_columns = form.first_columns
    last = next((place for place in range(form.columns - 1, 0, -1) if any(first_columns[place])), form.columns - 1)
    usual = last if heading.target is None else heading.target
    asked = {place for target in targets if (place := heading.find(target)) is not None} or {usual}
    texts = {place for place, column in enumerate(first_columns) if not all(_is_plain(cell, form.decimal) for cell in column)}
    # The target may be different in each row.
    various = 1 + sum(2 * len(set(first_columns[place])) > len(first_columns[place]) for place in texts)
    row_bytes = (_INPUT_BYTES + itemsize) * (form.columns - 1) + _TEXT_BYTES * various + _CODE_BYTES * len(texts)

    def check(rows: int) -> None:
        memory.require(rows * row_bytes, f"{source.name}: about {rows:,} rows", "give fewer rows")

    check(source.size * len(lines) // max(1, sum(map(len, lines))))
    try:
        columns = _columns(source, form, asked | texts, check)
    except _CommentFound:
        form = replace(form, has_comments=True)
        columns = _columns(source, form, asked | texts, check)
    first = [tuple(column[:SHOWN]) for column in first_columns]
    notes = () if encoding not in ("cp1252", "latin-1") else (_latin_note(source),)
    return TableContent(source.name, columns, heading, first, form.classes, notes, source, form)


def _is_plain(cell: str, decimal: str) -> bool:
    return cells.is_missing(cell) or cells.is_plain(cell, decimal)


def _columns(source: TextSource, form: TableFormat, as_text: set[int], check: Callable[[int], None]) -> list[Column]:
    """Return the columns. Raises DataError if a row is too short or too long; `check` is called with the rows to come."""

    def check_rest(rows: int) -> None:
        share = source.share_read
        check(int(rows / share) - rows if share else 0)

    try:
        columns = pandas_reader.read_text(source, form, as_text, check_rest)
    except Unparsed as error:
        _check_rows(source, form)
        if "inside string" in str(error):
            lines = [form.skip, *(line for line, _ in source.rows(form))]
            raise text_format.unclosed(source.name, lines[-2] + 1) from None
        raise DataError(f"{source.name} is not a table ({error}): save it as CSV") from None
    if not columns or not len(columns[0].missing):
        raise DataError(f"{source.name} has no rows: give at least one")
    columns, beyond = columns[: form.columns], columns[form.columns :]
    if not all(column.missing.all() for column in beyond) or columns[-1].missing.any():
        _check_rows(source, form)
    _check_quotes(source, form, columns)
    return columns


def _check_rows(source: TextSource, form: TableFormat) -> None:
    """Raise DataError with the line of the first row that has too few or too many cells."""
    for line, row in source.rows(form):
        if len(row) == form.columns or (len(row) > form.columns and not any(cell.strip() for cell in row[form.columns :])):
            continue
        if row[0].lstrip().startswith("#") and not form.has_comments:
            raise _CommentFound
        raise DataError(
            f"{source.name}, line {line:,} has {len(row):,} cells, the first row {form.columns:,}: give each row as many"
        )


def _check_quotes(source: TextSource, form: TableFormat, columns: list[Column]) -> None:
    """Raise DataError if a quoted cell has so many lines that its quote was not closed."""
    limit = text_format.MAX_CELL_LINES
    for column in columns:
        if any(len(text) > limit and text.count("\n") + text.count("\r") > limit for text in column.texts):
            for _ in source.rows(form):
                pass


def _latin_note(source: TextSource) -> str:
    return f"line {_undecodable_line(source):,} is not UTF-8: the file is read as Latin-1"


def _pieces(source: TextSource) -> Iterator[bytes]:
    with source.open_bytes(wide=True) as stream:
        while piece := stream.read(2**20):
            yield piece


def _undecodable_line(source: TextSource) -> int:
    """Return the number, from 1, of the first line that is not UTF-8."""
    decoder, line, last = codecs.getincrementaldecoder("utf-8")(), 1, b""
    for piece in _pieces(source):
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
