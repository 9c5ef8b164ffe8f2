"""The reading of a file to import: its columns and rows, and the network that fits them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tuisim import data
from tuisim.config import RunConfig
from tuisim.data import shape
from tuisim.data.tables import reader
from tuisim.data.tables.roles import TableColumn, TableOptions
from tuisim.errors import TuisimError


@dataclass(frozen=True, slots=True)
class FilePreview:
    """A data file as read; the columns alone if it cannot be used with these options."""

    columns: tuple[TableColumn, ...] = ()
    """Empty for a file of arrays."""
    rows: int = 0
    rows_dropped: int = 0
    kind: str = ""
    """classes, labels or numbers."""
    classes: tuple[str, ...] = ()
    """The classes' names; empty for numbers."""
    config: RunConfig | None = None
    """The run with its ends, loss and output activation decided by the data; None if the file cannot be used as asked."""
    validation_rows: int | None = None
    """Rows of the validation file; None without one."""
    notes: tuple[str, ...] = ()
    mistake: str = ""
    """Why the file cannot be used as asked."""


def read(config: RunConfig) -> FilePreview:
    """Return the preview of a run's file, also if it cannot be used as asked. Raises DataError or MemoryNeeded if unreadable.

    The shape and the preview are kept for the session, so that the form reads the file no second time.
    """
    path, options = Path(os.path.expanduser(config.dataset)), TableOptions.of(config)
    try:
        found = shape.of_file(config)
        fitted = config.fitted(found)
        validation = None
        if config.validation_data is not None:
            validation = data.load(fitted).validation
    except TuisimError as error:
        columns = reader.column_guesses(path, options)
        if not columns:
            raise
        return FilePreview(columns, mistake=str(error))
    preview = reader.known_preview(path, options)
    rows = None if validation is None else len(validation[0])
    if preview is None:
        return FilePreview(rows=found.rows or 0, kind=found.kind, config=fitted, validation_rows=rows)
    return FilePreview(
        preview.columns, preview.rows, preview.rows_dropped, found.kind, preview.classes, fitted, rows, preview.notes,
    )  # fmt: skip
