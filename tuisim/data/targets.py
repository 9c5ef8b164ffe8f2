"""What a table's answers are, classes or numbers, told from the values, the loss and the outputs, or as the run says.

It does not know which rows are held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import target_encoding as fit
from tuisim.data.table import Table
from tuisim.errors import DataError, printable

Array = NDArray[Any]

FEW = 20
"""Up to so many different whole numbers may be classes where only the values can tell."""
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that fit the network: class numbers (rows,), else numbers (rows, outputs)."""

    kind: str
    labels: NDArray[np.int64] | None
    """Class numbers, for encoding and for a stratified split."""
    values: Array | None = None
    """(rows, outputs); None: `labels` are encoded as the loss takes them."""
    standardise: bool = False
    notes: tuple[str, ...] = ()


def decide(config: RunConfig, table: Table) -> Answers:
    """The table's answers as they fit outputs and loss. Raises DataError saying what would fit."""
    answers = table.answers
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if config.loss == "cross_entropy" and config.layers[-1] == 1:
        raise DataError(f"{table.name}: cross_entropy chooses among two outputs or more and the layers end with 1: "
                        "end them with one for each class, or use binary_cross_entropy or mse")  # fmt: skip
    if answers.ndim == 2:
        return _several(config, table.name, answers)
    if table.classes is not None or table.names is not None:
        return _known_classes(config, table, answers)
    return _one(config, table.name, answers)


def _known_classes(config: RunConfig, table: Table, answers: Array) -> Answers:
    if config.task == "regression":
        raise DataError(f"{table.name} has classes for answers, no numbers: use task classes")
    names = table.names or ()
    fit.check_classes(config, table.name, table.classes or len(names))
    return Answers("classes", answers.astype(np.int64), notes=_mapping(names))


def _mapping(names: tuple[str, ...]) -> tuple[str, ...]:
    """The note that says which number each class got; none where they are the numbers from 0 already."""
    if not names or names == tuple(map(str, range(len(names)))):
        return ()
    shown = ", ".join(f"{printable(name, 20)} = {number}" for number, name in enumerate(names[:_SHOWN]))
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (f"classes: {shown}{more}",)


def _one(config: RunConfig, name: str, answers: Array) -> Answers:
    """One number to a row: classes or regression."""
    if config.task == "regression":
        return _numbers(config, name, answers[:, None])
    different, labels = np.unique(answers, return_inverse=True)
    whole = bool((different == np.floor(different)).all())
    refused = fit.classes_refused(config, len(different))
    if config.task == "auto" and config.loss == "mse":
        many = not whole or len(different) > FEW
        if many or (refused and config.layers[-1] == 1):
            return _numbers(config, name, answers[:, None])
    if config.task == "auto" and not whole:
        odd = different[different != np.floor(different)][0]
        raise DataError(f"{name}: an answer such as {odd:g} is no class number and {config.loss} takes classes: use loss mse")
    if refused:
        numbers = ", or use loss mse and end with 1" if len(different) > FEW and config.task == "auto" else ""
        raise DataError(f"{name} {refused}{numbers}")
    names = tuple(f"{value:.0f}" if whole else f"{value:g}" for value in different.tolist())
    return Answers("classes", labels.astype(np.int64), notes=_mapping(names))


def _numbers(config: RunConfig, name: str, values: Array) -> Answers:
    fit.check_numbers(config, name, values.shape[1])
    return Answers("regression", None, values, standardise=True)


def _several(config: RunConfig, name: str, values: Array) -> Answers:
    """A row of numbers to each row: numbers, or yes or no per output."""
    outputs = config.layers[-1]
    if config.loss == "cross_entropy":
        raise DataError(f"{name} has {values.shape[1]:,} numbers to a row's answer and cross_entropy takes one class number: "
                        "give class numbers, or use loss mse")  # fmt: skip
    yes_or_no = bool(((values == 0) | (values == 1)).all())
    if config.task == "regression" or (config.loss == "mse" and config.task == "auto" and not yes_or_no):
        return _numbers(config, name, values)
    if not yes_or_no:
        raise DataError(f"{name}: answers of several columns are classes where each is 0 or 1: use loss mse and task regression")
    if values.shape[1] != outputs:
        raise DataError(f"{name} has {values.shape[1]:,} columns of answers, the output layer has {outputs:,}: "
                        f"end the layers with {values.shape[1]}")  # fmt: skip
    one_each = bool((values.sum(axis=1) == 1).all())
    return Answers("classes", values.argmax(axis=1).astype(np.int64) if one_each else None, values)


def given(config: RunConfig, y: Array) -> Answers:
    """Answers as a caller gives them, used as they are. Raises DataError where they do not fit.

    cross_entropy takes class numbers (rows,). The others take (rows, outputs), or (rows,) for one output; class numbers
    (rows,) become one row with a 1 each.
    """
    outputs = config.layers[-1]
    if config.loss == "cross_entropy":
        if outputs == 1:
            raise DataError(
                "y: cross_entropy chooses among two outputs or more: end the layers with 2, or use binary_cross_entropy"
            )
        if y.ndim != 1 and y.shape[1:] != (1,):
            raise DataError(f"y has shape {y.shape} and cross_entropy takes class numbers, one a row: give shape ({len(y)},)")
        return Answers("classes", _labels(y.reshape(len(y)), outputs))
    if y.ndim == 1 and outputs > 1:
        if y.dtype.kind not in "iub":
            raise DataError(f"y has one number a row, the output layer has {outputs:,}: give shape ({len(y)}, {outputs})")
        return Answers("classes", _labels(y, outputs))
    values = y.reshape(len(y), -1)
    if y.ndim > 2 or values.shape[1] != outputs:
        raise DataError(f"y has shape {y.shape}, the output layer has {outputs:,}: give shape ({len(y)}, {outputs})")
    if config.loss == "mse":
        return Answers("regression", None, values)
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("y: binary_cross_entropy takes answers from 0 (no) to 1 (yes): scale them, or use loss mse")
    one = values[:, 0].round().astype(np.int64) if outputs == 1 else None
    return Answers("classes", one, values)


def _labels(y: Array, outputs: int) -> NDArray[np.int64]:
    wrong = (y < 0) | (y >= outputs) | (y != np.floor(y))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"y: row {row + 1:,} is {y[row]}, no class number: the output layer has {outputs:,}, give 0 to {outputs - 1}"
        )
    return y.astype(np.int64)
