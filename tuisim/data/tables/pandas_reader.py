"""Reading of tables with pandas; the only module that imports it, and only when a table is read."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import reading
from tuisim.data.tables import cells
from tuisim.data.tables.columns import Column, merge
from tuisim.data.tables.text_format import TableFormat
from tuisim.data.tables.text_source import TextSource
from tuisim.errors import DataError, MemoryNeeded

_CHUNK_CELLS = 2**20
"""Cells that are parsed between two checks of the memory."""
_EXCEL_ENGINES = {".xlsx": "openpyxl", ".xlsm": "openpyxl", ".xls": "xlrd", ".ods": "odfpy"}
_MODULES = {"odfpy": "odf"}


class Unparsed(Exception):
    """A row that pandas cannot parse; the message does not name its line in the file."""


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError:
        raise DataError("reading a table needs pandas: pip install pandas") from None


def read_text(source: TextSource, form: TableFormat, as_text: set[int], check: Callable[[int], None]) -> list[Column]:
    """Return the columns of a text, and more, which have a value where a row is too long. Raises Unparsed or DataError.

    `as_text` are the columns read as text; those that turn out to have texts are added. `check` is called with the rows read.
    """
    while True:
        before = len(as_text)
        columns = _read_once(source, form, as_text, check)
        if len(as_text) == before:
            return columns


def _read_once(source: TextSource, form: TableFormat, as_text: set[int], check: Callable[[int], None]) -> list[Column]:
    pandas = _pandas()
    width = form.widest + 1
    precision = {"float_precision": "round_trip"} if pandas.__version__.startswith(("2.", "3.0.")) else {}
    numeric = [place for place in range(width) if place not in as_text]
    blocks: list[NDArray[np.float64]] = []
    codes: dict[int, list[NDArray[np.int32]]] = {place: [] for place in as_text}
    seen: dict[int, dict[str, int]] = {place: {} for place in as_text}
    rows, found = 0, False
    try:
        with source.data(form) as text, pandas.read_csv(
            text, sep=form.separator, header=None, names=range(width), index_col=False, dtype=dict.fromkeys(as_text, object),
            na_values=list(cells.MISSING), keep_default_na=False, skipinitialspace=True, decimal=form.decimal, low_memory=False,
            chunksize=max(1, _CHUNK_CELLS // width), **precision,
        ) as frames:  # fmt: skip
            for frame in frames:
                kinds = [dtype.kind for dtype in frame.dtypes]
                texts = {place for place in numeric if kinds[place] not in "iuf"}
                found = found or bool(texts)
                as_text |= texts
                rows += len(frame)
                check(rows)
                if found:
                    continue
                blocks.append(frame[numeric].to_numpy(dtype=np.float64))
                for place, known in seen.items():
                    codes[place].append(_codes(pandas, frame[place], known))
    except pandas.errors.EmptyDataError:
        return []
    except pandas.errors.ParserError as error:
        if "out of memory" in str(error):
            raise MemoryNeeded(f"{source.name}: there is not enough memory to read it: give fewer rows") from None
        raise Unparsed(str(error)) from None
    if found:
        return []
    numbers = _joined(blocks, rows, len(numeric))
    at = {place: number for number, place in enumerate(numeric)}
    return [
        Column(numbers=numbers[:, at[place]]) if place in at else merge(codes[place], tuple(seen[place]), form.decimal)
        for place in range(width)
    ]


def _joined(blocks: list[NDArray[np.float64]], rows: int, width: int) -> NDArray[np.float64]:
    """Return the blocks as one array; each is released when it is copied."""
    joined = np.empty((rows, width), order="F")
    blocks.reverse()
    start = 0
    while blocks:
        block = blocks.pop()
        joined[start : start + len(block)] = block
        start += len(block)
    return joined


def _codes(pandas: Any, values: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Return the position of each text in `known`, to which new ones are added; -1 for a missing one."""
    codes, different = pandas.factorize(values.to_numpy(dtype=object))
    places = [known.setdefault(str(text), len(known)) for text in different]
    mapped: NDArray[np.int32] = np.array([*places, -1], dtype=np.int32)[codes]
    return mapped


# ── other formats ──


def _require(package: str, name: str, what: str) -> None:
    try:
        import_module(_MODULES.get(package, package))
    except ImportError:
        raise DataError(f"{name}: reading {what} needs {package}: pip install {package}, or save it as CSV") from None


def excel_as_text(file: IO[bytes], suffix: str, name: str) -> str:
    """Return the first sheet of a spreadsheet as CSV. Raises DataError if the package that reads it is not installed."""
    pandas = _pandas()
    engine = _EXCEL_ENGINES[suffix]
    _require(engine, name, "Excel files" if suffix != ".ods" else "ODS files")
    frame = pandas.read_excel(file, header=None, dtype=object, engine=_MODULES.get(engine, engine), na_filter=False)
    return str(frame.to_csv(index=False, header=False))


def read_parquet(file: IO[bytes], size: int, name: str) -> tuple[tuple[str, ...], list[Column]]:
    """Return names and columns of a Parquet file. Raises DataError if pyarrow is not installed."""
    pandas = _pandas()
    _require("pyarrow", name, "Parquet files")
    parquet: Any = import_module("pyarrow.parquet")
    metadata = parquet.ParquetFile(file).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    reading.check_size(name, max(8 * metadata.num_rows * metadata.num_columns, sum(one.total_byte_size for one in groups)), size)
    file.seek(0)
    frame = pandas.read_parquet(file, engine="pyarrow").reset_index(drop=True)
    return tuple(map(str, frame.columns)), [_frame_column(pandas, frame.iloc[:, place]) for place in range(frame.shape[1])]


def _frame_column(pandas: Any, values: Any) -> Column:
    if values.dtype.kind in "iuf":
        return Column(numbers=values.to_numpy(dtype=np.float64, na_value=np.nan))
    known: dict[str, int] = {}
    codes = _codes(pandas, values.astype(object), known)
    return merge([codes], tuple(known), ".")
