"""A person's own files as tables: the format told from how the file begins, the answers found in it or beside it.

It does not know the network, only which column or array the run names as the answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import archive, idx, npy, reading
from tuisim.data import csv_reader as separated
from tuisim.data.table import Table, check_finite, numbered
from tuisim.errors import DataError, printable

Array = NDArray[Any]

INPUTS = ("X", "x", "data", "x_train", "X_train")
ANSWERS = ("y", "Y", "target", "targets", "labels", "y_train")


def read(config: RunConfig, path: Path) -> Table:
    """The rows of a CSV, NPY, NPZ, IDX or IDX.gz file. Raises DataError in one line, MemoryNeeded where it is too large."""
    name = reading.name_of(path)
    with reading.opened(path) as (file, size):
        start = file.read(8)
        file.seek(0)
        if not start:
            raise DataError(f"{name} is empty: give at least one row")
        if start.startswith(npy.MAGIC):
            return _columns(config, name, npy.read(file, size, size, name))
        if start.startswith(b"PK"):
            return _arrays(config, file, size, name)
        if not (start.startswith(idx.GZIP) or idx.looks_so(start)):
            return _text(config, path, file, size, name)
    if config.target is not None:
        raise DataError(
            f"{name}: target = {printable(config.target)}, and an IDX file has its answers in a file of their own: leave it out"
        )
    return images_table(path, name)


def _text(config: RunConfig, path: Path, file: IO[bytes], size: int, name: str) -> Table:
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz", ".gz"):
        raise DataError(f"{name} does not begin as a {suffix[1:].upper()} file: it is broken, or named wrongly")
    return separated.read(file, size, name, config)


def _table(name: str, X: Array, answers: Array, classes: int | None = None) -> Table:
    """Inputs flattened to rows of numbers, all checked; bytes are divided by 255."""
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} has text for inputs: save numbers")
    if len(answers) != len(X) or answers.ndim > 2:
        raise DataError(
            f"{name} has {len(X):,} rows of inputs, and answers of shape {answers.shape}: give one answer to each row"
        )
    X = X.reshape(len(X), -1)
    check_finite(name, X)
    names = None
    if answers.dtype.kind in "US":
        if answers.ndim > 1:
            raise DataError(f"{name} has several columns of text for answers: give one")
        names, answers = archive.text_classes(answers)
    check_finite(f"{name}, answers", answers)
    if X.dtype == np.uint8:
        return Table(name, X, answers, names, classes, divide=255.0, notes=("bytes divided by 255",))
    return Table(name, X, answers, names, classes)


def _columns(config: RunConfig, name: str, array: Array) -> Table:
    """One array: rows of inputs with the answers in the column named by number, or the last."""
    if array.ndim != 2 or array.shape[1] < 2:
        raise DataError(
            f"{name} has shape {array.shape}: give rows of inputs and an answer in one array, or X and y in an NPZ file"
        )
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds text: save numbers")
    check_finite(name, array)
    columns = array.shape[1]
    column = columns - 1 if config.target is None else numbered(config.target, columns)
    if column is None:
        raise DataError(f"{name} has no column {printable(config.target)}: its columns are the numbers 1 to {columns}")
    inputs = array[:, :-1] if column == columns - 1 else np.delete(array, column, axis=1)
    return _table(name, inputs, array[:, column])


def _arrays(config: RunConfig, file: IO[bytes], size: int, name: str) -> Table:
    """An NPZ file: the inputs and the answers by their usual names, or the answers by the name given."""
    with archive.Archive(file, size, name) as arrays:
        wanted = ANSWERS if config.target is None else (config.target,)
        answers = next((key for key in wanted if key in arrays.names), None)
        inputs = next((key for key in INPUTS if key in arrays.names and key != answers), None)
        if inputs is None or answers is None:
            absent = "inputs named X" if inputs is None else f"answers named {printable(wanted[0])}"
            held = printable(", ".join(arrays.names), 120) or "no arrays"
            raise DataError(f"{name} has no {absent}: it has {held}; save them as X and y")
        return _table(name, arrays.read(inputs), arrays.read(answers))


def images_table(path: Path, name: str, classes: int | None = None) -> Table:
    """An IDX file of inputs with the labels file beside it."""
    beside = idx.labels_beside(path)
    if beside is None:
        raise DataError(f"{name}: no labels beside it; give an images file such as train-images-idx3-ubyte "
                        "with train-labels-idx1-ubyte in the same folder")  # fmt: skip
    images, labels = idx.read(path), idx.read(beside)
    if labels.ndim != 1 or labels.dtype.kind == "f":
        raise DataError(f"{reading.name_of(beside)} has no list of class numbers: give labels of one dimension")
    if classes is not None and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(f"{reading.name_of(beside)} has classes {labels.min()} to {labels.max()}, {name} has 0 to {classes - 1}")
    return _table(name, images, labels, classes)
