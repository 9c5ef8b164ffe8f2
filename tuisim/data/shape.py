"""The shape of a run's data, read from a file only where the data decide something, and the network that fits it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuisim.config import FIELDS, RunConfig
from tuisim.config.known_data import DataShape, known_shape
from tuisim.data import info
from tuisim.errors import DataError
from tuisim.units import AUTO

if TYPE_CHECKING:  # these import NumPy, which counting does not need
    from tuisim.data.table import Table

MAX_SHAPES = 32
"""Files whose shapes are kept for the session."""


def fitted(config: RunConfig, arrays: tuple[Any, Any] | None = None) -> RunConfig:
    """Return the same run with dataset, ends of the layers, loss and output activation decided by its data.

    `arrays`: (X, y) of the caller in place of the dataset. Raises DataError if a file is needed and cannot be read.
    """
    if config.is_fitted:
        return config
    if arrays is not None:
        return config.fitted(_of_arrays(*arrays, config.task))
    if not info.is_file(config):
        return config.fitted()
    try:
        return config.fitted(of_file(config))
    except DataError:
        if config.needs_data:
            raise
        return config.fitted()  # loading says why it cannot be read


def fitted_without_file(config: RunConfig) -> RunConfig | None:
    """Return a run that costs as much as one of a file that cannot be read; None if only the file tells the sizes."""
    return None if AUTO in config.layers else config.fitted(known_shape("teacher", config.layers[-1]))


def of_file(config: RunConfig) -> DataShape:
    """Return the shape of the run's file, which is read once while it is unchanged. Raises DataError."""
    path = Path(os.path.expanduser(config.dataset))
    try:
        found = path.stat()
    except OSError:
        return _read(config)  # which says why
    read_as = {name: getattr(config, name) for name, field in FIELDS.items() if field.group == "data"}
    # A table's constant columns are inputs if the first layer counts them.
    read_as |= {"dataset": str(path.absolute()), "layers": (config.layers[0], AUTO)}
    return _shape_of(RunConfig(**read_as), found.st_mtime_ns, found.st_size)


@lru_cache(MAX_SHAPES)
def _shape_of(config: RunConfig, changed: int, size: int) -> DataShape:
    return _read(config)


def _read(config: RunConfig) -> DataShape:
    from tuisim.data import files

    table = files.read(config, Path(os.path.expanduser(config.dataset)))
    if not len(table.X):
        raise DataError(f"{table.name} has no rows: give at least one")
    return of_table(table, config.task)


def of_table(table: Table, task: str) -> DataShape:
    """Return the shape of a table."""
    rows, inputs = len(table.X), table.X.shape[1]
    if table.classes is not None or table.names is not None:
        return DataShape(inputs, table.classes or len(table.names or ()), "classes", rows=rows)
    return _of_values(inputs, table.targets, task)


def _of_arrays(X: Any, y: Any, task: str) -> DataShape | None:
    """Return the shape of a caller's arrays; None if they are not arrays, which is refused when they are loaded."""
    import numpy as np

    try:
        inputs, targets = np.asarray(X), np.asarray(y)
    except (ValueError, TypeError):
        return None
    if inputs.ndim != 2 or not targets.ndim or not len(targets) or targets.dtype.kind not in "fiub":
        return None
    shape = _of_values(inputs.shape[1], targets.reshape(len(targets), -1), task)
    # A caller gives class numbers, of which some may be absent.
    return replace(shape, outputs=int(targets.max()) + 1) if shape.kind == "classes" and shape.numeric else shape


def _of_values(inputs: int, targets: Any, task: str) -> DataShape:
    """Return the shape of inputs with targets (rows,) or (rows, columns) that are numbers."""
    import numpy as np

    from tuisim.data.targets import MAX_INFERRED_CLASSES, one_hot_labels

    rows = len(targets)
    if targets.ndim == 2 and targets.shape[1] > 1:
        if task != "regression" and one_hot_labels(targets) is not None:
            return DataShape(inputs, targets.shape[1], "classes", rows=rows)
        is_binary = task != "regression" and bool(((targets == 0) | (targets == 1)).all())
        return DataShape(inputs, targets.shape[1], "labels" if is_binary else "numbers", rows=rows)
    different = np.unique(targets)
    is_whole = bool((different == np.floor(different)).all())
    is_class = task == "classes" or (task == "auto" and is_whole and 2 <= len(different) <= MAX_INFERRED_CLASSES)
    return DataShape(inputs, len(different) if is_class else 1, "classes" if is_class else "numbers", numeric=True, rows=rows)
