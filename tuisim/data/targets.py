"""Targets of a dataset: classes or numbers, inferred from values, loss and outputs, and encoded as the loss takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data.table import Table
from tuisim.errors import DataError, printable

Array = NDArray[Any]

MAX_INFERRED_CLASSES = 20
"""Maximum number of different whole numbers that are taken for classes if only the values can tell."""
MAX_NAMES = 10
ONE_OUTPUT = "cross_entropy needs two outputs or more and the layers end with 1"


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets that fit the network: class numbers (rows,), or numbers (rows, outputs)."""

    kind: str
    """classes (one per row), multi-label or regression."""
    labels: NDArray[np.int64] | None
    """Class numbers, for encoding and for a stratified split."""
    values: Array | None = None
    """(rows, outputs); None if `labels` are encoded as the loss takes them."""
    standardize: bool = False
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Names of the classes; empty if they are the numbers from 0."""


# ── what fits layers and loss ──


def check_inputs(config: RunConfig, name: str, inputs: int) -> None:
    """Raise DataError unless the layers begin with as many units as a row has inputs."""
    if config.layers[0] != inputs:
        plural = "" if inputs == 1 else "s"
        raise DataError(f"{name} has {inputs:,} input{plural}, the layers begin with {config.layers[0]:,}: begin with {inputs}")


def class_count(config: RunConfig) -> int:
    """Return the number of classes that the output layer distinguishes; a single output distinguishes two."""
    return max(2, config.layers[-1])


def class_mismatch(config: RunConfig, classes: int) -> str | None:
    """Return why `classes` classes do not fit outputs and loss, with what would; None if they fit."""
    outputs = config.layers[-1]
    if classes < 2:
        return "has 1 class only: give rows of two or more"
    if outputs == classes or (outputs == 1 and classes == 2 and config.loss != "cross_entropy"):
        return None
    if outputs == 1 and classes == 2:
        return "has 2 classes, the output layer has 1: end the layers with 2, or use binary_cross_entropy"
    single = ", or with 1" if classes == 2 and config.loss != "cross_entropy" else ""
    return f"has {classes:,} classes, the output layer has {outputs:,}: end the layers with {classes}{single}"


def check_classes(config: RunConfig, name: str, classes: int) -> None:
    """Raise DataError unless the output layer and the loss take this number of classes."""
    if reason := class_mismatch(config, classes):
        raise DataError(f"{name} {reason}")


def check_numbers(config: RunConfig, name: str, outputs: int) -> None:
    """Raise DataError unless the output layer and the loss take `outputs` numbers per row."""
    if config.loss != "mse":
        raise DataError(f"{name} has numbers as targets, and {config.loss} takes classes: use loss mse")
    if config.layers[-1] != outputs:
        numbers = "1 number" if outputs == 1 else f"{outputs:,} numbers"
        raise DataError(
            f"{name} has {numbers} per target, the output layer has {config.layers[-1]:,}: end the layers with {outputs}"
        )


def encode(config: RunConfig, labels: Array) -> Array:
    """Return class numbers (n,) as the loss takes them.

    cross_entropy: the numbers themselves, int64 (n,). The others: one-hot (n, outputs) in the run's dtype, or one column of 0
    and 1 for a single output.
    """
    if config.loss == "cross_entropy":
        return np.ascontiguousarray(labels, dtype=np.int64)
    outputs = config.layers[-1]
    if outputs == 1:
        return np.ascontiguousarray(labels, dtype=config.dtype)[:, None]
    encoded = np.zeros((len(labels), outputs), dtype=config.dtype)
    encoded[np.arange(len(labels)), labels] = 1
    return encoded


# ── targets of a table ──


def from_table(config: RunConfig, table: Table) -> Targets:
    """Return the targets of `table`. Raises DataError with what would fit."""
    values = table.targets
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if config.loss == "cross_entropy" and config.layers[-1] == 1:
        raise DataError(f"{table.name}: {ONE_OUTPUT}: end them with one per class, or use binary_cross_entropy or mse")
    if values.ndim == 2:
        return _several_columns(config, table.name, values)
    if table.classes is not None or table.names is not None:
        if config.task == "regression":
            raise DataError(f"{table.name} has classes as targets, no numbers: use task classes")
        names = table.names or ()
        check_classes(config, table.name, table.classes or len(names))
        return Targets("classes", values.astype(np.int64), notes=_class_notes(names), names=names)
    return _one_column(config, table.name, values)


def _class_notes(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the note with the number of each class; none if the names are the numbers from 0."""
    if not names or names == tuple(map(str, range(len(names)))):
        return ()
    shown = ", ".join(f"{printable(name, 20)} = {number}" for number, name in enumerate(names[:MAX_NAMES]))
    more = f", and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return (f"classes: {shown}{more}",)


def _one_column(config: RunConfig, name: str, values: Array) -> Targets:
    """Return classes or numbers, given one number per row."""
    if config.task == "regression":
        return _numbers(config, name, values[:, None])
    different, labels = np.unique(values, return_inverse=True)
    is_whole = bool((different == np.floor(different)).all())
    mismatch = class_mismatch(config, len(different))
    if config.task == "auto" and config.loss == "mse":
        is_regression = not is_whole or len(different) > MAX_INFERRED_CLASSES
        if is_regression or (mismatch and config.layers[-1] == 1):
            return _numbers(config, name, values[:, None])
    if config.task == "auto" and not is_whole:
        odd = different[different != np.floor(different)][0]
        raise DataError(f"{name}: a target such as {odd:g} is not a class number and {config.loss} takes classes: use loss mse")
    if mismatch:
        is_numeric = len(different) > MAX_INFERRED_CLASSES and config.task == "auto"
        raise DataError(f"{name} {mismatch}{', or use loss mse and end with 1' if is_numeric else ''}")
    names = _number_names(different)
    return Targets("classes", labels.astype(np.int64), notes=_class_notes(names), names=names)


def _number_names(values: Array) -> tuple[str, ...]:
    """Return the names of classes that are numbers."""
    is_whole = bool((values == np.floor(values)).all())
    return tuple(f"{value:.0f}" if is_whole else f"{value:g}" for value in values.tolist())


def _numbers(config: RunConfig, name: str, values: Array) -> Targets:
    check_numbers(config, name, values.shape[1])
    return Targets("regression", None, values, standardize=True)


def _several_columns(config: RunConfig, name: str, values: Array) -> Targets:
    """Return numbers or multi-label targets, given several numbers per row."""
    columns, outputs = values.shape[1], config.layers[-1]
    labels = one_hot_labels(values)
    if config.loss == "cross_entropy" and labels is not None:
        check_classes(config, name, columns)
        return Targets("classes", labels)
    if config.loss == "cross_entropy":
        raise DataError(
            f"{name} has {columns:,} numbers per target and cross_entropy takes one class number: "
            "give class numbers, or use loss mse"
        )
    is_binary = bool(((values == 0) | (values == 1)).all())
    if config.task == "regression" or (config.loss == "mse" and config.task == "auto" and not is_binary):
        return _numbers(config, name, values)
    if not is_binary:
        raise DataError(f"{name}: multi-label targets must be 0 or 1 in each column: use loss mse and task regression")
    if columns != outputs:
        raise DataError(f"{name} has {columns:,} target columns, the output layer has {outputs:,}: end the layers with {columns}")
    return Targets("classes" if labels is not None else "multi-label", labels, values)


def one_hot_labels(values: Array) -> NDArray[np.int64] | None:
    """Return the class number of each row of `values` (rows, classes); None unless each row has a single 1 among zeros."""
    is_one_hot = bool(((values == 0) | (values == 1)).all()) and bool((np.count_nonzero(values, axis=1) == 1).all())
    return values.argmax(axis=1).astype(np.int64) if is_one_hot else None


# ── targets of validation rows in a table of their own ──


def like(config: RunConfig, table: Table, training: Targets) -> Targets:
    """Return the targets of `table` in the classes or columns of the `training` rows. Raises DataError if they do not fit."""
    values = table.targets.reshape(len(table.targets), -1)
    if training.labels is not None:
        return Targets("classes", _known_labels(config, table, values, training))
    assert training.values is not None
    columns = training.values.shape[1]
    if values.shape[1] != columns or table.names is not None:
        found = "text as targets" if table.names is not None else f"{values.shape[1]:,} target columns"
        raise DataError(f"{table.name} has {found}, the training rows have {columns:,} of numbers: give the same columns")
    if training.kind == "multi-label" and not bool(((values == 0) | (values == 1)).all()):
        raise DataError(f"{table.name}: multi-label targets must be 0 or 1 in each column, as in the training rows")
    return Targets(training.kind, None, values)


def _known_labels(config: RunConfig, table: Table, values: Array, training: Targets) -> NDArray[np.int64]:
    """Return class numbers by the names of the training classes."""
    known = training.names or tuple(map(str, range(class_count(config))))
    if values.shape[1] > 1:
        labels = one_hot_labels(values)
        if labels is None or values.shape[1] != len(known):
            raise DataError(f"{table.name} has {values.shape[1]:,} target columns that are not one-hot rows of "
                            f"{len(known):,} classes: give the classes of the training rows")  # fmt: skip
        return labels
    different, rows = np.unique(values[:, 0], return_inverse=True)
    names = _number_names(different) if table.names is None else tuple(table.names[int(number)] for number in different)
    if unknown := [name for name in names if name not in known]:
        raise DataError(f"{table.name} has the class {printable(unknown[0], 30)}, which no training row has: "
                        "leave its rows out")  # fmt: skip
    numbers = np.array([known.index(name) for name in names], dtype=np.int64)
    return numbers[rows]


# ── targets that a caller gives ──


def from_array(config: RunConfig, y: Array) -> Targets:
    """Return targets given as an array, unchanged. Raises DataError if they do not fit.

    cross_entropy takes class numbers (rows,) or one-hot rows. The others take (rows, outputs), or (rows,) for one output; class
    numbers (rows,) are one-hot encoded. One-hot rows, and a single column of zeros and ones, are classes unless the task is
    regression.
    """
    outputs = config.layers[-1]
    values = y.reshape(len(y), -1)
    labels = None
    if outputs > 1 and y.ndim == 2 and y.shape[1] == outputs:
        labels = one_hot_labels(y)
    elif outputs == 1 and values.shape[1] == 1 and np.array_equal(np.unique(values), (0, 1)):
        labels = values[:, 0].astype(np.int64)
    if config.loss == "cross_entropy":
        if outputs == 1:
            raise DataError(f"y: {ONE_OUTPUT}: end them with 2, or use binary_cross_entropy")
        if labels is not None:
            return Targets("classes", labels)
        if y.ndim != 1 and y.shape[1:] != (1,):
            raise DataError(f"y has shape {y.shape} and cross_entropy takes one class number per row: give shape ({len(y)},)")
        return Targets("classes", _labels(y.reshape(len(y)), outputs))
    if y.ndim == 1 and outputs > 1:
        if y.dtype.kind not in "iub":
            raise DataError(f"y has one number per row, the output layer has {outputs:,}: give shape ({len(y)}, {outputs})")
        return Targets("classes", _labels(y, outputs))
    if y.ndim > 2 or values.shape[1] != outputs:
        raise DataError(f"y has shape {y.shape}, the output layer has {outputs:,}: give shape ({len(y)}, {outputs})")
    if config.loss == "mse" and (labels is None or config.task == "regression"):
        return Targets("regression", None, values)
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("y: binary_cross_entropy takes targets from 0 to 1: scale them, or use loss mse")
    if outputs == 1:
        labels = values[:, 0].round().astype(np.int64)
    return Targets("multi-label" if labels is None else "classes", labels, values)


def _labels(y: Array, outputs: int) -> NDArray[np.int64]:
    wrong = (y < 0) | (y >= outputs) | (y != np.floor(y))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"y: row {row + 1:,} is {y[row]}, no class number: the output layer has {outputs:,}, give 0 to {outputs - 1}"
        )
    return y.astype(np.int64)
