"""The format of a text table, detected from its first lines: encoding, separator, comments, heading and decimal separator.

It knows nothing of pandas, nor of what the columns are for.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tuisim.data.tables import cells
from tuisim.errors import DataError, printable

BLANKS = r"\s+"
"""The separator of tables whose cells are separated by runs of blanks."""
SEPARATORS = ("\t", ";", "|", ",", BLANKS)
MAX_LINE = 2**22
"""Maximum bytes of a line."""
MAX_CELL_LINES = 50
"""Maximum line breaks in a quoted cell."""
_ROWS = 200
"""Maximum rows that are examined."""
_CELLS = 50_000
"""Cells after which no more rows are examined, if there are _LEAST_ROWS of them."""
_LEAST_ROWS = 10
_SCORED_CELLS = 2_000
"""Cells, after those of the first row, whose share of numbers tells the separator."""
_USUAL = 0.9
"""The share of rows that must have the same number of cells."""
_NUMBERED = 5
"""Minimum columns at which 0, 1, 2, … above whole numbers is a heading."""
_QUOTED = re.compile(r'"(?:[^"]|"")*"|[^\s"]\S*|"\S*')
_SEP_LINE = re.compile(r'\ufeff?"?sep=([,;|:\t])"?\s*', re.IGNORECASE)

Row = list[str]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """The format in which a text file has its table."""

    encoding: str
    separator: str
    skip: int
    """Lines before the first row of data."""
    heading: tuple[str, ...] | None
    """The columns' names, empty for a nameless one; None without a heading."""
    columns: int
    decimal: str
    has_comments: bool
    classes: tuple[str, ...] = ()
    """The classes' names of a count line, as scikit-learn's files have it."""
    first: tuple[tuple[str, ...], ...] = ()
    """The stripped cells of the first rows of data."""

    @property
    def widest(self) -> int:
        """The number of cells of the longest of the first rows, or of a usual one."""
        return max(self.columns, *map(len, self.first), 0)

    @property
    def first_columns(self) -> list[Row]:
        """The cells of the first rows by column."""
        return [[row[place] for row in self.first if place < len(row)] for place in range(self.columns)]


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a text that begins with `sample`; UTF-8 unless its bytes rule that out."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    pairs = sample[: 2 * min(len(sample) // 2, 200)]
    if pairs and not any(pairs[1::2]) and all(pairs[::2]):
        return "utf-16-le"
    if pairs and not any(pairs[::2]) and all(pairs[1::2]):
        return "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return latin_encoding(sample)
    return "utf-8-sig"


def latin_encoding(sample: bytes) -> str:
    """Return the 8-bit encoding of Western Europe that has a character for each byte of `sample`."""
    try:
        sample.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def is_comment(line: str) -> bool:
    """Return True for a line that begins with #."""
    return line.lstrip(" \t\ufeff").startswith("#")


def parse_rows(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """Yield the rows of lines without comments; a blank line is an empty row. Raises csv.Error."""
    if separator == BLANKS:
        return ([_unquoted(cell) for cell in _QUOTED.findall(line)] for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def is_blank(row: Row) -> bool:
    """Return True for a row without cells, or with a single blank one."""
    return not row or (len(row) == 1 and not row[0].strip())


def numbered_rows(lines: Iterable[tuple[int, str]], separator: str, name: str) -> Iterator[tuple[int, Row]]:
    """Yield each row that is not blank with the number of its last line, given numbered lines without comments.

    Raises DataError for a quote that is not closed.
    """
    last = 0

    def texts() -> Iterator[str]:
        nonlocal last
        for number, line in lines:
            last = number
            yield line

    rows, before = parse_rows(texts(), separator), 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if last - before > 1:
                raise unclosed(name, before + 1) from None
            words = printable(str(error), 100)
            raise DataError(f"{name}, line {last:,} is not a row of a table ({words}): save it again") from None
        if any(cell.count("\n") + cell.count("\r") > MAX_CELL_LINES for cell in row if len(cell) > MAX_CELL_LINES):
            raise unclosed(name, before + 1)
        before = last
        if not is_blank(row):
            yield last, row


def unclosed(name: str, line: int) -> DataError:
    """Return the error for a quote that is opened on a line."""
    return DataError(f"{name}, line {line:,} opens a quote and does not close it within {MAX_CELL_LINES} lines: close it")


def detect(lines: list[str], encoding: str, name: str, targets: tuple[str, ...] = ()) -> TableFormat:
    """Return the format of a table that begins with `lines`, each with its line break; `targets` are the columns asked for.

    Raises DataError if the lines are no table.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    start = next((place for place, line in enumerate(lines) if line.strip()), 0)
    match = _SEP_LINE.fullmatch(lines[start]) if lines else None
    start += match is not None
    has_comments = _has_comments(lines[start:])
    numbered = [(place + 1, line) for place, line in enumerate(lines) if place >= start]
    body = [(number, line) for number, line in numbered if not (has_comments and is_comment(line))]
    if not any(line.strip() for _, line in body):
        raise DataError(f"{name} has no rows: give at least one")
    separator = match[1] if match else _separator([line for _, line in body], name)
    rows = [(line, [cell.strip() for cell in row]) for line, row in _examined(numbered_rows(body, separator, name))]
    comments = [line for number, line in numbered if has_comments and is_comment(line) and number < rows[0][0]]
    form = TableFormat(encoding, separator, 0, None, _usual_length([row for _, row in rows]), ".", has_comments)
    form, taken = _read_heading(form, [row for _, row in rows], comments, targets)
    return replace(form, skip=rows[taken - 1][0] if taken else start, first=tuple(tuple(row) for _, row in rows[taken:]))


def _examined(rows: Iterable[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
    """Yield the first rows, as many as are examined."""
    cells = 0
    for number, (line, row) in enumerate(rows, 1):
        yield line, row
        cells += len(row)
        if number == _ROWS or (number >= _LEAST_ROWS and cells >= _CELLS):
            return


def _has_comments(lines: list[str]) -> bool:
    """Return True if the lines that begin with # are comments, and not the rows of a table."""
    present = [line for line in lines if line.strip()]
    rows = sum(not is_comment(line) for line in present)
    return 0 < rows < len(present) and not (rows == 1 and not is_comment(present[0]))


def _separator(lines: list[str], name: str) -> str:
    """Return the separator with which the rows are equally long and most cells are numbers. Raises DataError."""
    best: tuple[float, int, float, int] | None = None
    for place, mark in enumerate(SEPARATORS):
        rows = _first_rows(lines, mark)
        length = _usual_length(rows) if rows else 0
        if length > 1:
            share = sum(len(row) == length for row in rows) / len(rows)
            sample = list(islice((cell for row in rows[1:] for cell in row), _SCORED_CELLS)) or rows[0]
            numbers = sum(cells.to_number(cell.strip(), ",") is not None for cell in sample) / len(sample)
            score = (float(share >= _USUAL) or share, round(numbers * 10), share, -place)
            best = score if best is None else max(best, score)
    if best is None:
        raise DataError(f"{name} has one column: at least an input and a target are needed, "
                        "separated by commas, semicolons, tabs, | or blanks")  # fmt: skip
    return SEPARATORS[-best[3]]


def _first_rows(lines: list[str], separator: str) -> list[Row]:
    try:
        return list(islice((row for row in parse_rows(lines, separator) if not is_blank(row)), _ROWS))
    except csv.Error:  # another separator, or numbered_rows names the line
        return []


def _usual_length(rows: list[Row]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _read_heading(form: TableFormat, rows: list[Row], comments: list[str], targets: tuple[str, ...]) -> tuple[TableFormat, int]:
    """Return the format completed from the first rows and the comments above them, and the number of rows that are not data."""
    taken, classes = 0, None
    if len(rows) > 1 and (classes := _count_line(rows[0], _usual_length(rows[1:]))) is not None:
        taken, rows = 1, rows[1:]
    columns = _usual_length(rows)
    decimal = cells.decimal_of([cell for row in rows[1:] or rows for cell in row])
    heading = _heading(rows, columns, decimal, targets)
    if heading is not None:
        taken += 1
    elif comments:
        heading = _commented_heading(comments[-1], columns, form.separator)
    names = None if heading is None else tuple(heading)
    return replace(form, columns=columns, heading=names, decimal=decimal, classes=classes or ()), taken


def _count_line(row: Row, columns: int) -> tuple[str, ...] | None:
    """Return the names of classes in a line of the numbers of rows and inputs; None if it is no such line."""
    if not (len(row) > 2 and row[0].isdecimal() and row[1].isdecimal() and int(row[1]) == columns - 1):
        return None
    names = tuple(row[2:])
    if not any(names):
        return ()
    is_named = all(name and cells.to_number(name) is None for name in names) and len(names) > 1
    return names if is_named else None


def _commented_heading(comment: str, columns: int, separator: str) -> Row | None:
    """Return the cells of a comment if it has one for each column."""
    row = next(parse_rows([comment.strip().lstrip("#").strip()], separator), [])
    names = [cell.strip() for cell in row]
    return names if len(names) == columns and all(names) else None


def _heading(rows: list[Row], columns: int, decimal: str, targets: tuple[str, ...]) -> Row | None:
    """Return the first row as names, one for each column, if it is a heading, judged by the types of the cells below."""
    first = rows[0]
    below = [[row[place] for row in rows[1:] if place < len(row)] for place in range(columns)]
    while len(first) > columns and not first[-1]:
        first = first[:-1]
    if len(first) == columns - 1 and columns > 2 and all(first) and not any(_is_number(cell, decimal) for cell in first):
        # The names of rows have no name themselves, or each row ends with a separator.
        first = [*first, ""] if not any(below[-1]) else ["", *first]
    if len(first) != columns:
        return None
    if any(
        target in first and not _is_number(target, decimal) and target not in below[first.index(target)] for target in targets
    ):
        return first
    if _is_counting(first, below, decimal):
        return first
    votes = [_vote(cell, column, decimal) for cell, column in zip(first, below, strict=True)]
    if sum(votes) > 0:
        return first
    is_text = not any(votes) and any(first) and not any(_is_number(cell, decimal) for cell in first)
    names = [cell for cell in first if cell]
    return first if is_text and len(set(names)) == len(names) else None


def _vote(cell: str, below: Row, decimal: str) -> int:
    """Return 1 if a cell differs in type from the cells below, as a name does; -1 if it is like them; 0 if undecided."""
    present = [one for one in below if not cells.is_missing(one)]
    if not cell or not present:
        return 0
    numeric = all(_is_number(one, decimal) for one in present)
    if _is_number(cell, decimal):
        fractions = all(decimal in one for one in present) and cell.isdecimal()
        return (1 if fractions else -1) if numeric else 0
    if cells.is_missing(cell):
        return -1 if numeric else 0
    if numeric or sum(_is_number(one, decimal) for one in present) > len(present) / 2:
        return 1
    return -1 if cell in present else 0


def _is_counting(first: Row, below: list[Row], decimal: str) -> bool:
    """Return True for 0, 1, 2, … or 1, 2, 3, … over decimal fractions, or 0, 1, 2, … over many columns."""
    zero = first == [str(number) for number in range(len(first))]
    one = first == [str(number) for number in range(1, len(first) + 1)]
    if not (zero or one) or not below[0]:
        return False
    return any(decimal in cell for column in below for cell in column) or (zero and len(first) >= _NUMBERED)


def _is_number(cell: str, decimal: str) -> bool:
    return cells.to_number(cell, decimal) is not None
