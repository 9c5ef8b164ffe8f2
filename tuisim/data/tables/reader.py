"""Reading of table files: the columns get roles, and a `Table` has the inputs and targets; previews are kept for the process."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from tuisim.data import npz, reading
from tuisim.data.kept import Kept
from tuisim.data.table import Table, TableLayout
from tuisim.data.tables import foreign, pandas_reader, text_reader
from tuisim.data.tables.columns import Column
from tuisim.data.tables.interpretation import Interpretation, LikeTraining
from tuisim.data.tables.roles import (
    CATEGORY,
    LEFT_OUT,
    NUMBER,
    TARGET,
    Heading,
    TableColumn,
    TableOptions,
    Verdict,
    dtype_of,
    input_role,
)
from tuisim.data.tables.text_reader import SHOWN, TableContent
from tuisim.data.tables.text_source import TextSource
from tuisim.data.targets import MAX_INFERRED_CLASSES
from tuisim.errors import DataError, MemoryNeeded
from tuisim.files import display_name

_KNOWN = 64
"""Previews that are kept for the process."""
_KEPT_BYTES = 2**27
"""Size of the columns that are kept for the process."""


@dataclass(frozen=True, slots=True)
class TablePreview:
    """A table file as read: its columns with their roles, its rows, and the inputs and outputs that follow from them."""

    name: str
    columns: tuple[TableColumn, ...]
    has_heading: bool
    rows: int
    """Rows in the file."""
    rows_dropped: int
    """Rows that are left out for a missing value."""
    inputs: int
    outputs: int
    """Classes, or numbers per row."""
    kind: str
    """classes or regression, by the values."""
    classes: tuple[str, ...]
    """The classes' names in the order of their numbers; empty for numbers."""
    notes: tuple[str, ...]


_previews: Kept[TablePreview] = Kept(_KNOWN)
_contents: Kept[TableContent] = Kept(_KEPT_BYTES, lambda content: content.nbytes)


def table_preview(path: str | Path, options: TableOptions | None = None) -> TablePreview:
    """Return the preview of a table file, which is read once per set of options. Raises DataError or MemoryNeeded."""
    options = options or TableOptions()
    path = Path(os.path.expanduser(path))
    with reading.opened(path) as (file, size):
        key = (*reading.identity(file), options)
        known = _previews.get(key)
        if known is None:
            known = _read(file, size, path, options, 4)[1]
        return known


def known_preview(path: Path, options: TableOptions) -> TablePreview | None:
    """Return the preview of a table file without reading it; None if it was not read with these options."""
    with reading.opened(path) as (file, _):
        return _previews.get((*reading.identity(file), options))


def column_guesses(path: Path, options: TableOptions) -> tuple[TableColumn, ...]:
    """Return the columns of a table file that these options do not fit, to be changed; empty if it is unreadable."""
    try:
        with reading.opened(path) as (file, size):
            content = _content(file, size, path, display_name(path), (), 4)
    except (DataError, MemoryNeeded):
        return ()
    heading, columns = content.heading, []
    roles = {LEFT_OUT: options.drop, CATEGORY: options.categorical, NUMBER: options.keep, TARGET: options.target}
    asked = {heading.find(name): role for role, names in roles.items() for name in names}
    for place, column in enumerate(content.columns):
        name = heading.names[place] if heading.names else ""
        verdict = Verdict(asked[place], "as asked") if place in asked else input_role(column, name or None)
        missing = int(column.missing.sum())
        columns.append(
            TableColumn(place + 1, name, dtype_of(column), verdict.role, verdict.reason, content.first[place], missing, 0)
        )
    return tuple(columns)


def read(
    file: IO[bytes], size: int, path: Path, options: TableOptions, itemsize: int = 4, layout: TableLayout | None = None
) -> Table:
    """Return the rows of a file of `size` bytes; `itemsize` is that of the run's dtype. Raises DataError or MemoryNeeded.

    `layout` is that of the training rows if these are its validation rows: their columns and categories are used.
    """
    name = display_name(path)
    if layout is not None:
        asked = tuple(layout.names[place] if layout.names else str(place + 1) for place in layout.targets)
        return LikeTraining(_content(file, size, path, name, asked, itemsize), options, layout).table()
    return _read(file, size, path, options, itemsize)[0]


def _read(file: IO[bytes], size: int, path: Path, options: TableOptions, itemsize: int) -> tuple[Table, TablePreview]:
    name = display_name(path)
    content = _content(file, size, path, name, options.target, itemsize)
    found = Interpretation(content, options)
    table = found.table()
    kind, outputs, classes = _outputs(table)
    preview = TablePreview(
        name, found.table_columns(), content.heading.names is not None, content.rows, found.rows_dropped, table.X.shape[1],
        outputs, kind, classes, table.notes,
    )  # fmt: skip
    _previews.put((*reading.identity(file), options), preview)
    return table, preview


def _outputs(table: Table) -> tuple[str, int, tuple[str, ...]]:
    """Return the kind of the targets by their values, the number of outputs, and the classes' names."""
    if table.names is not None:
        return "classes", len(table.names), table.names
    if table.targets.ndim > 1:
        is_binary = bool(((table.targets == 0) | (table.targets == 1)).all())
        return "classes" if is_binary else "regression", table.targets.shape[1], ()
    different = np.unique(table.targets)
    if len(different) <= MAX_INFERRED_CLASSES and bool((different == np.floor(different)).all()):
        return "classes", len(different), tuple(f"{value:g}" for value in different.tolist())
    return "regression", 1, ()


def _content(file: IO[bytes], size: int, path: Path, name: str, targets: tuple[str, ...], itemsize: int) -> TableContent:
    """Return the columns of a table, which are kept: a preview, the shape of a run's data and the run follow each other.

    Raises DataError or MemoryNeeded.
    """
    key = (*reading.identity(file), path, targets)
    content = _contents.get_or_make(key, lambda: _read_content(file, size, path, name, targets, itemsize))
    return content if content.source is None else replace(content, source=TextSource(file, size, name))


def _read_content(file: IO[bytes], size: int, path: Path, name: str, targets: tuple[str, ...], itemsize: int) -> TableContent:
    """Return the columns of a table in any format that is read. Raises DataError or MemoryNeeded."""
    file.seek(0)
    start, suffix = file.read(foreign.START), path.suffix.lower()
    if reason := foreign.refusal(start, suffix):
        raise DataError(f"{name} {reason}")
    file.seek(0)
    if start.startswith(foreign.PARQUET):
        names, columns = pandas_reader.read_parquet(file, size, name)
        return TableContent(name, columns, Heading(name, names, len(columns)), [_first_values(column) for column in columns])
    if sheet := _spreadsheet(file, size, start, name):
        text = pandas_reader.excel_as_text(file, sheet, name).encode()
        content = text_reader.read(TextSource(io.BytesIO(text), len(text), name), targets, itemsize)
        return replace(content, source=None)
    return text_reader.read(TextSource(file, size, name), targets, itemsize)


def _spreadsheet(file: IO[bytes], size: int, start: bytes, name: str) -> str | None:
    """Return the suffix of a spreadsheet's format; None if the file is none. Raises DataError for other documents."""
    if not start.startswith(b"PK"):
        return foreign.spreadsheet(start, ())
    archive = npz.Archive(file, size, name)
    members = archive.members
    archive.close()
    file.seek(0)
    sheet = foreign.spreadsheet(start, tuple(member.filename for member in members))
    if sheet is not None:
        reading.check_size(name, sum(member.file_size for member in members), size)
    return sheet


def _first_values(column: Column) -> tuple[str, ...]:
    if column.numbers is not None:
        return tuple(f"{value:g}" for value in column.numbers[:SHOWN].tolist())
    assert column.codes is not None
    return tuple(column.texts[code] if code >= 0 else "" for code in column.codes[:SHOWN].tolist())
