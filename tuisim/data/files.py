"""Files as tables: a user's own, whose format is told from the first bytes, the shipped digits, and Fashion-MNIST."""

from __future__ import annotations

import os
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import csv_reader, idx, npz, reading
from tuisim.data.table import Table, check_finite, column_number, only_target
from tuisim.errors import DataError, printable
from tuisim.files import display_name

Array = NDArray[Any]

INPUTS = ("X", "x", "data", "x_train", "X_train")
TARGETS = ("y", "Y", "target", "targets", "labels", "y_train")
FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""The folder of Debian's package dataset-fashion-mnist."""
VARIABLE = "TUISIM_DATA"
"""The variable that names another folder, searched first: of the files themselves, or with a folder fashion-mnist of them."""
_IMAGES = "train-images-idx3-ubyte"


def read(config: RunConfig, path: Path) -> Table:
    """Return the rows of a CSV, NPY, NPZ, IDX or IDX.gz file. Raises DataError, or MemoryNeeded if it is too large."""
    name = display_name(path)
    with reading.opened(path) as (file, size):
        start = file.read(8)
        file.seek(0)
        if not start:
            raise DataError(f"{name} is empty: give at least one row")
        if start.startswith(npz.MAGIC):
            return _from_array(config, name, npz.read_array(file, size, size, name))
        if start.startswith(b"PK"):
            return _from_archive(config, file, size, name)
        if not (start.startswith(idx.GZIP) or idx.is_idx(start)):
            suffix = path.suffix.lower()
            if suffix in (".npy", ".npz", ".gz"):
                raise DataError(f"{name} does not begin as a {suffix[1:].upper()} file: it is broken, or has the wrong name")
            return csv_reader.read(file, size, name, config)
    if config.target is not None:
        raise DataError(f"{name}: target = {printable(config.target)}, but an IDX file has its targets in a second file: "
                        "leave it out")  # fmt: skip
    return read_images(path, name)


def _table(name: str, X: Array, targets: Array, classes: int | None = None) -> Table:
    """Return inputs flattened to rows of numbers and targets, all checked; bytes will be divided by 255."""
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} has text as inputs: save numbers")
    if len(targets) != len(X) or targets.ndim > 2:
        raise DataError(f"{name} has {len(X):,} rows of inputs, and targets of shape {targets.shape}: give one target per row")
    X = X.reshape(len(X), -1)
    check_finite(name, X)
    names = None
    if targets.dtype.kind in "US":
        if targets.ndim > 1:
            raise DataError(f"{name} has several columns of text as targets: give one")
        texts = np.char.decode(targets, "utf-8") if targets.dtype.kind == "S" else targets
        different, targets = np.unique(texts, return_inverse=True)
        names = tuple(map(str, different.tolist()))
    check_finite(f"{name}, targets", targets)
    if X.dtype == np.uint8:
        return Table(name, X, targets, names, classes, divide=255.0, notes=("bytes divided by 255",))
    return Table(name, X, targets, names, classes)


def _from_array(config: RunConfig, name: str, array: Array) -> Table:
    """Return the rows of one array with the targets in the column given by number, or the last."""
    if array.ndim != 2 or array.shape[1] < 2:
        raise DataError(f"{name} has shape {array.shape}: give inputs and a target per row, or X and y in an NPZ file")
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds text: save numbers")
    check_finite(name, array)
    columns = array.shape[1]
    target = only_target(name, config.target)
    column = columns - 1 if target is None else column_number(target, columns)
    if column is None:
        raise DataError(f"{name} has no column {printable(target)}: its columns are the numbers 1 to {columns}")
    inputs = array[:, :-1] if column == columns - 1 else np.delete(array, column, axis=1)
    return _table(name, inputs, array[:, column])


def _from_archive(config: RunConfig, file: IO[bytes], size: int, name: str) -> Table:
    """Return the rows of an NPZ file: inputs and targets by their usual names, or targets by the name given."""
    with closing(npz.Archive(file, size, name)) as arrays:
        target = only_target(name, config.target)
        names = TARGETS if target is None else (target,)
        targets = next((key for key in names if key in arrays.names), None)
        inputs = next((key for key in INPUTS if key in arrays.names and key != targets), None)
        if inputs is None or targets is None:
            absent = "inputs named X" if inputs is None else f"targets named {printable(names[0])}"
            found = printable(", ".join(arrays.names), 120) or "no arrays"
            raise DataError(f"{name} has no {absent}: it has {found}; save them as X and y")
        return _table(name, arrays.read(inputs), arrays.read(targets))


def read_images(path: Path, name: str, classes: int | None = None) -> Table:
    """Return the rows of an IDX file of images and of the labels file beside it. Raises DataError."""
    beside = idx.find_labels(path)
    if beside is None:
        raise DataError(f"{name}: no labels beside it; give an images file such as train-images-idx3-ubyte "
                        "with train-labels-idx1-ubyte in the same folder")  # fmt: skip
    images, labels = idx.read(path), idx.read(beside)
    if labels.ndim != 1 or labels.dtype.kind == "f":
        raise DataError(f"{display_name(beside)} has no list of class numbers: give labels of one dimension")
    if classes is not None and len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(f"{display_name(beside)} has classes {labels.min()} to {labels.max()}, {name} has 0 to {classes - 1}")
    return _table(name, images, labels, classes)


# ── named datasets ──


def read_digits() -> Table:
    """Return the 1,797 handwritten digits: 64 pixels of 0 to 16 and a class of 0 to 9; source and licence are in `digits.txt`."""
    with resources.files("tuisim.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Table("digits", arrays["X"], arrays["y"], classes=10, divide=16.0, notes=("pixels of 0 to 16, divided by 16",))


def read_fashion_mnist() -> Table:
    """Return the 60,000 training images of Fashion-MNIST, 28×28 bytes, ten classes. Raises DataError."""
    images = _fashion_images()
    if images is None:
        raise DataError(f"fashion_mnist: {fashion_missing()}")
    return read_images(images, name="fashion_mnist", classes=10)


def fashion_missing() -> str | None:
    """Return why Fashion-MNIST is not available and the remedy; None if it is."""
    if _fashion_images():
        return None
    return f"not on this machine; apt-get install dataset-fashion-mnist puts it in {FOLDER}, or set {VARIABLE} to its folder"


def _fashion_images() -> Path | None:
    named = os.environ.get(VARIABLE)
    folders = [Path(named, "fashion-mnist"), Path(named), FOLDER] if named else [FOLDER]
    candidates = (folder / (_IMAGES + suffix) for folder in folders for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file() and idx.find_labels(path)), None)
