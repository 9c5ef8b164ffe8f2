"""Answers in the form a network's output layer and loss take, or a refusal that says what would fit.

It does not know where the answers come from, nor which rows are trained on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.errors import DataError

Array = NDArray[Any]


def check_inputs(config: RunConfig, name: str, inputs: int) -> None:
    """Raises DataError unless the layers begin with as many units as a row has inputs."""
    if config.layers[0] != inputs:
        plural = "" if inputs == 1 else "s"
        raise DataError(f"{name} has {inputs:,} input{plural}, the layers begin with {config.layers[0]:,}: begin with {inputs}")


def classes_wanted(config: RunConfig) -> int:
    """How many classes the output layer tells apart: one output answers yes or no."""
    return max(2, config.layers[-1])


def classes_refused(config: RunConfig, classes: int) -> str | None:
    """Why `classes` classes do not fit outputs and loss, with what would; None where they fit."""
    outputs = config.layers[-1]
    if classes < 2:
        return "has 1 class only, and nothing to tell apart: give rows of two or more"
    if outputs == classes or (outputs == 1 and classes == 2 and config.loss != "cross_entropy"):
        return None
    if outputs == 1 and classes == 2:
        return "has 2 classes, the output layer has 1: end the layers with 2, or use binary_cross_entropy"
    single = ", or with 1" if classes == 2 and config.loss != "cross_entropy" else ""
    return f"has {classes:,} classes, the output layer has {outputs:,}: end the layers with {classes}{single}"


def check_classes(config: RunConfig, name: str, classes: int) -> None:
    """Raises DataError unless the output layer and the loss take this many classes."""
    if reason := classes_refused(config, classes):
        raise DataError(f"{name} {reason}")


def check_numbers(config: RunConfig, name: str, outputs: int) -> None:
    """Raises DataError unless the output layer and the loss take `outputs` numbers a row."""
    if config.loss != "mse":
        raise DataError(f"{name} has numbers for answers, and {config.loss} takes classes: use loss mse")
    if config.layers[-1] != outputs:
        numbers = "1 number" if outputs == 1 else f"{outputs:,} numbers"
        raise DataError(f"{name} has {numbers} to a row's answer, the output layer has {config.layers[-1]:,}: "
                        f"end the layers with {outputs}")  # fmt: skip


def encode(config: RunConfig, labels: Array) -> Array:
    """Class numbers (n,) as the loss takes them.

    cross_entropy: the numbers themselves, int64 (n,). The others: (n, outputs) in the run's dtype, one in the class's
    column, or one single column of 0 and 1.
    """
    if config.loss == "cross_entropy":
        return np.ascontiguousarray(labels, dtype=np.int64)
    outputs = config.layers[-1]
    if outputs == 1:
        return np.ascontiguousarray(labels, dtype=config.dtype)[:, None]
    encoded = np.zeros((len(labels), outputs), dtype=config.dtype)
    encoded[np.arange(len(labels)), labels] = 1
    return encoded
