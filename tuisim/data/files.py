"""Files as tables: a user's own, whose format is told from the first bytes, the shipped digits, and Fashion-MNIST."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import idx, npz, reading
from tuisim.data.table import Table, TableLayout, check_finite, column_number, only_target
from tuisim.data.tables import reader
from tuisim.data.tables.roles import TableOptions
from tuisim.errors import DataError, printable
from tuisim.files import display_name

Array = NDArray[Any]

INPUTS = ("x_train", "train_images", "train_x", "train_data", "x", "data", "images", "inputs", "features", "arr_0")
"""Names of inputs in an NPZ file, in any case; the first that is there is taken."""
TARGETS = (
    "y_train", "train_labels", "train_y", "train_targets", "y", "target", "targets", "labels", "label", "arr_1",
)  # fmt: skip
PARTS = ("val", "valid", "validation", "test")
"""Names of a validation part: `x_val`, `val_images`, `x_test` beside `x_train`; the first that is there is taken."""
_UNNAMED = {"arr_0": "arr_2", "arr_1": "arr_3"}
"""The validation part as numpy.savez names arrays that were given without names."""
_BESIDE = {
    "x": ("y",),
    "inputs": ("targets", "labels", "outputs"),
    "images": ("labels", "targets"),
    "features": ("labels", "targets"),
    "data": ("target", "targets", "labels"),
}
"""The word that stands for targets where a file name has a word for inputs."""
HALF_OF_BYTES = 127
"""Bytes are divided by 255 if one is above this; others are counts or categories, or pixels of fewer levels, as in `digits`."""
FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""The folder of Debian's package dataset-fashion-mnist."""
VARIABLE = "TUISIM_DATA"
"""The variable that names another folder, searched first: of the files themselves, or with a folder fashion-mnist of them."""
_IMAGES = "train-images-idx3-ubyte"


def read(config: RunConfig, path: Path, layout: TableLayout | None = None) -> Table:
    """Return the rows of a table, NPY, NPZ, IDX or IDX.gz file. Raises DataError, or MemoryNeeded if it is too large.

    `layout` is that of the training rows if these are its validation rows.
    """
    name = display_name(path)
    with reading.opened(path) as (file, size):
        start = file.read(8)
        file.seek(0)
        if not start:
            raise DataError(f"{name} is empty: give at least one row")
        if start.startswith(npz.MAGIC):
            return _from_array(config, path, npz.read_array(file, size, size, name))
        if start.startswith(b"PK") and (path.suffix.lower() == ".npz" or _has_arrays(file, size, name)):
            return _from_archive(config, file, size, name)
        if not idx.is_images(file):
            kind = path.suffix[1:].upper()
            if kind in ("NPY", "NPZ"):
                raise DataError(f"{name} does not begin as an {kind} file: it is broken, or has the wrong name")
            return reader.read(file, size, path, TableOptions.of(config), np.dtype(config.dtype).itemsize, layout)
    if config.target is not None:
        raise DataError(f"{name}: target = {printable(config.target)}, but an IDX file has its targets in a second file: "
                        "leave it out")  # fmt: skip
    return read_images(path, name)


def _has_arrays(file: IO[bytes], size: int, name: str) -> bool:
    """Return True if a zip archive has arrays."""
    with closing(npz.Archive(file, size, name)) as archive:
        found = any(member.filename.endswith(".npy") for member in archive.members)
    file.seek(0)
    return found


def _table(name: str, X: Array, targets: Array, classes: int | None = None, notes: tuple[str, ...] = ()) -> Table:
    """Return inputs flattened to rows of numbers and targets, all checked.

    Bytes that use their range will be divided by 255; smaller ones are counts or categories, scaled like other numbers.
    """
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} has text as inputs: save numbers")
    if len(targets) != len(X) or targets.ndim > 2:
        raise DataError(f"{name} has {len(X):,} rows of inputs, and targets of shape {targets.shape}: give one target per row")
    if X.ndim > 2:
        shape = " × ".join(map(str, X.shape[1:]))
        notes = (f"images of {shape} flattened to {math.prod(X.shape[1:]):,} inputs", *notes)
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
    if X.dtype == np.uint8 and X.max(initial=0) > HALF_OF_BYTES:
        return Table(name, X, targets, names, classes, divide=255.0, divide_words="bytes divided by 255", notes=notes)
    return Table(name, X, targets, names, classes, notes=notes)


def _from_array(config: RunConfig, path: Path, array: Array) -> Table:
    """Return the rows of one array with the targets in the file beside it, in the column given by number, or in the last."""
    name = display_name(path)
    beside = _find_targets(path) if config.target is None else None
    if beside is not None:
        shown = display_name(beside)
        with reading.opened(beside) as (file, size):
            targets = npz.read_array(file, size, size, shown)
        return _table(name, array, targets, notes=(f"targets from {printable(beside.name)}",))
    if array.ndim != 2 or array.shape[1] < 2:
        raise DataError(f"{name} has shape {array.shape}: give inputs and a target per row, targets in a second file "
                        "(X.npy with y.npy beside it), or X and y in an NPZ file")  # fmt: skip
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


def targets_beside(path: Path) -> Path | None:
    """Return the file of targets or labels that belongs to a file of inputs or images by its name; None if there is none."""
    return _find_targets(path) or idx.find_labels(path)


def _find_targets(path: Path) -> Path | None:
    """Return the file of targets that belongs to an NPY file of inputs by its name: y_train.npy to X_train.npy; else None."""
    words = re.split(r"([^a-zA-Z]+)", path.stem)
    for place, word in enumerate(words):
        for target in _BESIDE.get(word.lower(), ()):
            for written in (target, target.capitalize(), target.upper()):
                beside = path.with_name("".join((*words[:place], written, *words[place + 1 :])) + path.suffix)
                if beside.is_file():
                    return beside
    return None


def _from_archive(config: RunConfig, file: IO[bytes], size: int, name: str) -> Table:
    """Return the rows of an NPZ file: inputs and targets by their usual names, or targets by the name given.

    Its validation part, if it has one, is in the table's `validation`, unless the run takes no validation rows from it.
    """
    with closing(npz.Archive(file, size, name)) as arrays:
        target = only_target(name, config.target)
        targets = _first(arrays.names, TARGETS) if target is None else _exact(arrays.names, target)
        inputs = _first([key for key in arrays.names if key != targets], INPUTS)
        if inputs is None or targets is None:
            absent = "inputs named X" if inputs is None else f"targets named {printable(target or 'y')}"
            found = printable(", ".join(arrays.names), 120) or "no arrays"
            raise DataError(f"{name} has no {absent}: it has {found}; save them as X and y")
        part = next((pair for word in PARTS if (pair := _part(arrays.names, inputs, targets, word))), None)
        used = {inputs, targets, *(part or ())}
        unused = printable(", ".join(key for key in arrays.names if key not in used), 120)
        notes = (f"arrays not used: {unused}",) if unused else ()
        table = _table(name, arrays.read(inputs), arrays.read(targets), notes=notes)
        if part is None or not config.validation or config.validation_data is not None:
            return table
        shown = f"{name}, {printable(part[0], 30)} and {printable(part[1], 30)}"
        return replace(table, validation=_table(shown, arrays.read(part[0]), arrays.read(part[1])))


def _exact(names: Sequence[str], wanted: str) -> str | None:
    return wanted if wanted in names else None


def _first(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Return the name that comes first among the usual ones, in any case."""
    return next((name for one in usual for name in names if name.lower() == one), None)


def _part(names: Sequence[str], inputs: str, targets: str, part: str) -> tuple[str, str] | None:
    """Return the arrays of the validation part named `part` beside `inputs` and `targets`; None unless both are there."""
    found = []
    for name in (inputs.lower(), targets.lower()):
        usual = (name.replace("train", part),) if "train" in name else (f"{name}_{part}", f"{part}_{name}")
        if part == PARTS[-1] and name in _UNNAMED:
            usual = (_UNNAMED[name],)
        found.append(_first(names, usual))
    return (found[0], found[1]) if found[0] and found[1] else None


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
        return Table("digits", arrays["X"], arrays["y"], classes=10, divide=16.0,
                     divide_words="pixels of 0 to 16, divided by 16")  # fmt: skip


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
