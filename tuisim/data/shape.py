"""The shape of a run's data, read from a file only where the data decide something, and the network that fits it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuisim.config import RunConfig
from tuisim.config.known_data import DataShape, known_shape
from tuisim.data import info
from tuisim.data.info import KeptRows
from tuisim.data.kept import Kept
from tuisim.errors import DataError
from tuisim.units import AUTO

if TYPE_CHECKING:  # these import NumPy, which counting does not need
    from tuisim.data.table import Table

READ_BY = ("target", "drop", "categorical", "keep", "missing", "task", "validation_data")
"""Fields that the shape of a file depends on, beside whether the run has validation rows."""
ReadingKey = tuple[RunConfig, tuple[tuple[int, int], ...]]

_shapes: Kept[DataShape | DataError] = Kept(64)
"""The shapes of files, and why there is none."""


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


def is_known(config: RunConfig) -> bool:
    """Return True if the shape of the run's data, or why there is none, is known without reading a file."""
    key = reading_key(config) if info.is_file(config) else None
    return key is None or _shapes.get(key) is not None


def of_file(config: RunConfig) -> DataShape:
    """Return the shape of the run's file, which is read once while it is unchanged. Raises DataError or MemoryNeeded."""
    key = reading_key(config)
    if key is None:
        return _read(config)  # which says why
    found = _shapes.get_or_make(key, lambda: _read_or_refuse(config, key))
    if isinstance(found, DataError):
        raise DataError(str(found))
    return found


def known(config: RunConfig) -> DataShape | None:
    """Return the shape of the run's file without reading it; None if it was not read since it changed."""
    key = reading_key(config) if info.is_file(config) else None
    found = None if key is None else _shapes.get(key)
    return found if isinstance(found, DataShape) else None


def kept_rows(config: RunConfig) -> KeptRows | None:
    """Return the rows that the run keeps of its file without reading it; None if it was not read since it changed."""
    shape = known(config)
    if shape is None or shape.rows is None or config.validation_data is not None:
        return None
    own = shape.validation_rows
    validation = info.validation_rows(shape.rows, config.validation) if own is None else own
    training = shape.rows - (validation if own is None else 0)
    return KeptRows(min(training, config.examples or training), validation)


def rows(config: RunConfig) -> int | None:
    """Return the training rows per epoch; None if only the file can tell and it was not read since it changed."""
    known = info.rows(config)
    kept = kept_rows(config) if known is None else None
    return known if kept is None else kept.training


def reading_key(config: RunConfig) -> ReadingKey | None:
    """Return all that the shape depends on: how the file is read, and the state of it and of its targets; None without a file."""
    from tuisim.data import files

    path = Path(os.path.expanduser(config.dataset))
    try:
        state = tuple((one.stat().st_mtime_ns, one.stat().st_size) for one in (path, files.targets_beside(path)) if one)
    except (OSError, ValueError):
        return None
    read_as = {name: getattr(config, name) for name in READ_BY}
    # A table's constant columns are inputs if the first layer counts them; a file's own validation rows are training rows without
    # validation.
    read_as |= {"dataset": str(path.absolute()), "layers": (config.layers[0], AUTO)}
    read_as |= {} if config.validation else {"validation": config.validation}
    return RunConfig(**read_as), state


def _read_or_refuse(config: RunConfig, key: ReadingKey) -> DataShape | DataError:
    """Read the file of a run; keep the shape also for runs whose first layer is `auto` or has the inputs that were found."""
    try:
        found = _read(config)
    except DataError as error:
        return error.with_traceback(None)  # whose frames would keep the table
    read_as, state = key
    # Other inputs than the layer counts: constant columns are not among them, and would not be in those runs either.
    if found.inputs != read_as.layers[0]:
        for inputs in (AUTO, found.inputs):
            _shapes.put((replace(read_as, layers=(inputs, AUTO)), state), found)
    return found


def _read(config: RunConfig) -> DataShape:
    from tuisim.data import files

    table = files.read(config, Path(os.path.expanduser(config.dataset)))
    if not len(table.X):
        raise DataError(f"{table.name} has no rows: give at least one")
    return of_table(table, config.task)


def of_table(table: Table, task: str) -> DataShape:
    """Return the shape of a table."""
    rows, inputs = len(table.X), table.X.shape[1]
    own = None if table.validation is None else len(table.validation.X)
    if table.classes is not None or table.names is not None:
        return DataShape(inputs, table.classes or len(table.names or ()), "classes", rows=rows, validation_rows=own)
    return replace(_of_values(inputs, table.targets, task), validation_rows=own)


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
