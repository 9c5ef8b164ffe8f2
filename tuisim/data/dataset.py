"""The dataset of a run: loaded by name or given as arrays, split, scaled and encoded for the network."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import files, info, memory, preprocessing, rng, shape, targets
from tuisim.data import synthetic as synthetic_tasks
from tuisim.data.batch_sampler import BLOCK, WHOLE_SHUFFLE, BatchSampler, ResidentRows, ResidentSampler, SyntheticSampler
from tuisim.data.synthetic import SyntheticRows, read_only
from tuisim.data.table import Table, check_finite
from tuisim.errors import DataError

Array = NDArray[Any]

MAX_FIRST_CLASSES = 100
"""Different whole numbers up to which the first column of a table may be its classes."""


@dataclass(frozen=True)
class Dataset:
    """Rows that fit a run's layers and loss."""

    name: str
    kind: str
    """classes (one per row), multi-label or regression."""
    examples: int
    """Training rows per epoch."""
    notes: tuple[str, ...]
    """Scaling, passes over the data and shuffling, in words."""
    validation: tuple[Array, Array] | None = field(repr=False)
    """X (rows, inputs) and Y as the loss takes it, read-only; None without validation rows."""
    training: ResidentRows | SyntheticRows = field(repr=False)
    config: RunConfig = field(repr=False)
    names: tuple[str, ...] = ()
    """Names of the classes; empty if they are the numbers from 0."""
    target_spread: Array | float = 1.0
    """The target's own unit in units of the scaled target: one number, or one per output; infinite for a constant target."""

    @property
    def kept_rows(self) -> info.KeptRows | None:
        """The rows in memory; None for a synthetic dataset that is generated again each epoch."""
        validation = 0 if self.validation is None else len(self.validation[0])
        return info.KeptRows(len(self.training.X), validation) if isinstance(self.training, ResidentRows) else None

    def batch_sampler(self, batch_size: int) -> BatchSampler:
        """Return a sampler of the training rows that starts at the first epoch. Raises MemoryNeeded."""
        shuffle = rng.generator(self.config.seed, rng.SHUFFLE) if self.config.shuffle else None
        if isinstance(self.training, ResidentRows):
            return ResidentSampler(self.training, self.examples, batch_size, shuffle)
        return SyntheticSampler(self.training, self.examples, batch_size, shuffle)

    def sample(self, count: int) -> tuple[Array, Array]:
        """Return the first `count` training rows of the seeded order, at most all of them; the same ones at each call."""
        return self.training.sample(min(count, self.examples))


def load(config: RunConfig) -> Dataset:
    """Return the run's dataset.

    Raises DataError if it is missing, broken or does not fit, MemoryNeeded if memory cannot hold it.
    """
    config = shape.fitted(config)
    name = config.resolved_dataset
    if name in info.SYNTHETIC:
        return _synthetic(config, name)
    if name == "digits":
        table = files.read_digits()
    elif name == "fashion_mnist":
        table = files.read_fashion_mnist()
    else:
        table = files.read(config, Path(os.path.expanduser(name)))
    if config.validation_data is not None:
        table = replace(table, validation=files.read(config, Path(os.path.expanduser(config.validation_data)), table.layout))
    return _from_table(config, table)


def misfit(config: RunConfig) -> str | None:
    """Return why a named dataset does not fit layers and loss, with what would; None if it fits or only its file can tell."""
    name = config.resolved_dataset
    try:
        config = config if config.needs_data else config.fitted()
        if name in info.SYNTHETIC:
            synthetic_tasks.check(config, name)
        elif name in info.SHAPES:
            inputs, classes = info.SHAPES[name]
            targets.check_inputs(config, name, inputs)
            targets.check_classes(config, name, classes)
    except DataError as error:
        return str(error)
    return None


def available(name: str) -> str | None:
    """Return None if the dataset can be used on this machine, else the reason and the remedy."""
    if name == "fashion_mnist":
        return files.fashion_missing()
    if name in (*info.SYNTHETIC, "auto", "digits") or os.path.isfile(os.path.expanduser(name)):
        return None
    return "no such file; give the path of a table (CSV and alike), NPY, NPZ or IDX file"


def from_arrays(config: RunConfig, X: Any, y: Any) -> Dataset:
    """Return a dataset of the caller's arrays, cast to the run's dtype and not scaled. Raises DataError.

    X is (rows, inputs); y as `targets.from_array` takes it.
    """
    if config.validation_data is not None:
        raise DataError("validation_data goes with a dataset that is read, not with arrays: leave it out")
    config = shape.fitted(config, (X, y))
    inputs, given = _as_numbers("X", X), _as_numbers("y", y)
    if inputs.ndim != 2 or inputs.shape[1] != config.layers[0]:
        rows = len(inputs) if inputs.ndim else 0
        raise DataError(
            f"X has shape {inputs.shape}, the layers begin with {config.layers[0]:,}: give shape ({rows}, {config.layers[0]})"
        )
    if not given.ndim or len(given) != len(inputs):
        raise DataError(f"y has shape {given.shape} and X has {len(inputs):,} rows: give a target for each row")
    if not len(inputs):
        raise DataError("X has no rows: give at least one")
    check_finite("X", inputs)
    check_finite("y", given)
    return _resident(config, Table("arrays", inputs, given), targets.from_array(config, given), None)


def _as_numbers(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise DataError(f"{name} is not an array: give rows of equal length") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} has dtype {array.dtype}: give numbers")
    return array


def _synthetic(config: RunConfig, name: str) -> Dataset:
    """Return the synthetic dataset `name`. Raises DataError if it does not fit, MemoryNeeded if it is too large."""
    source = SyntheticRows.create(config, name)
    examples = config.examples or info.DEFAULT_EXAMPLES
    rows = info.synthetic_validation_rows(examples, config.validation)
    validation = source.sample(rows, rng.SPLIT) if rows else None
    if info.is_resident(config, examples):
        return Dataset(name, source.kind, examples, (), validation, ResidentRows(*source.sample(examples)), config)
    order = "the chunks in random order, each shuffled within itself" if config.shuffle else "in order"
    note = f"{examples:,} examples are generated again each epoch, in chunks of {source.chunk:,}: {order}"
    return Dataset(name, source.kind, examples, (note,), validation, source, config)


def _from_table(config: RunConfig, table: Table) -> Dataset:
    """Return a dataset of a table. Raises DataError."""
    if not len(table.X):
        raise DataError(f"{table.name} has no rows: give at least one")
    targets.check_inputs(config, table.name, table.X.shape[1])
    _check_last_column(config, table)
    return _resident(config, table, targets.from_table(config, table), "standard" if table.divide is None else "divide")


def _check_last_column(config: RunConfig, table: Table) -> None:
    """Raise DataError for a table whose last column is constant and whose first looks like the targets, as in MNIST's CSV."""
    if config.target is not None or table.targets.ndim > 1 or not (table.targets == table.targets[0]).all():
        return
    first = table.X[:, 0]
    if bool((first == np.floor(first)).all()) and 2 <= len(different := np.unique(first)) <= MAX_FIRST_CLASSES:
        value = f"always {table.targets[0]:g}" if table.names is None else "always the same"
        raise DataError(
            f"{table.name}: the last column, taken for the targets, is {value}; the first has {len(different)} whole numbers: "
            "if these are the classes, use target 1"
        )


def _resident(config: RunConfig, table: Table, decided: targets.Targets, auto: str | None) -> Dataset:
    """Return training and validation rows of a table; statistics are those of the training rows alone.

    `auto` is what scaling "auto" means: standard, divide, or None for inputs that are used as given.
    """
    name, held = table.name, table.validation
    count = len(table.X) + (0 if held is None else len(held.X))
    memory.require(count * info.row_bytes(config), f"{name}: {count:,} rows", "give fewer rows")
    fraction = 0.0 if held is not None else config.validation
    train, validation = preprocessing.split(config, name, len(table.X), fraction, decided.labels)
    present, volume = len(train), config.examples or len(train)
    train = train[:volume]
    first = None
    if not config.shuffle:
        seeded, train = train, np.sort(train)
        first = np.searchsorted(train, seeded)
    if table.has_missing or (held is not None and held.has_missing):
        means = preprocessing.column_means(table.X, train)
        table, held = _filled(table, means), None if held is None else _filled(held, means)
    method = auto if config.scaling == "auto" else config.scaling
    input_scaling, notes = _input_scaling(table, train, method)
    target_scaling, target_notes = _target_scaling(name, decided, train)

    def rows(table: Table, decided: targets.Targets, which: NDArray[np.intp]) -> tuple[Array, Array]:
        X = input_scaling.apply(table.X, which, config.dtype)
        if decided.values is None:
            assert decided.labels is not None
            Y = targets.encode(config, decided.labels[which])
        else:
            Y = target_scaling.apply(decided.values, which, config.dtype)
        if not all(array.dtype.kind != "f" or np.isfinite(array).all() for array in (X, Y)):
            raise DataError(f"{table.name} has numbers too large for {config.dtype}: scale them down")
        return read_only(X), read_only(Y)

    training = ResidentRows(*rows(table, decided, train), first)
    notes = (*notes, *decided.notes, *target_notes, *_volume_notes(config, volume, present))
    validated = rows(table, decided, validation) if len(validation) else None
    if held is not None:
        validated = rows(held, _validation_targets(config, table, held, decided), np.arange(len(held.X)))
        told = held.notes if held.layout else ()
        notes = (*notes, *told, f"validation: {len(held.X):,} rows of {held.name}")
    return Dataset(name, decided.kind, volume, notes, validated, training, config, decided.names, target_scaling.spread)


def _filled(table: Table, means: Array) -> Table:
    """Return a table with the mean of the training rows for each missing input."""
    gaps = int(np.isnan(table.X).sum()) if table.has_missing else 0
    note = f"{gaps:,} missing inputs of {table.name} filled with the means of the training rows"
    X = np.where(np.isnan(table.X), means, table.X) if gaps else table.X
    return replace(table, X=X, has_missing=False, notes=(*table.notes, note) if gaps else table.notes)


def _validation_targets(config: RunConfig, table: Table, held: Table, decided: targets.Targets) -> targets.Targets:
    """Return the targets of validation rows that come from a table of their own. Raises DataError if it does not fit."""
    if held.X.shape[1] != table.X.shape[1]:
        raise DataError(
            f"{held.name} has {held.X.shape[1]:,} inputs, {table.name} has {table.X.shape[1]:,}: give the same columns"
        )
    return targets.like(config, held, decided)


def _input_scaling(table: Table, train: NDArray[np.intp], method: str | None) -> tuple[preprocessing.Scaling, tuple[str, ...]]:
    if method is None:
        return preprocessing.UNSCALED, table.notes
    if method == "divide":
        return preprocessing.Scaling(spread=table.divide or 1.0, divides=True), (*table.notes, table.divide_words)
    words = {
        "standard": ("inputs standardized with training statistics",),
        "minmax": ("inputs scaled to 0..1 by the training minimum and maximum",),
        "none": ("inputs not scaled",),
    }
    return preprocessing.fit(method, f"{table.name}, inputs", table.X, train), (*table.notes, *words[method])


def _target_scaling(
    name: str, decided: targets.Targets, train: NDArray[np.intp]
) -> tuple[preprocessing.Scaling, tuple[str, ...]]:
    if decided.values is None or not decided.standardize:
        return preprocessing.UNSCALED, ()
    scaling = preprocessing.standardize(f"{name}, targets", decided.values, train)
    if decided.values.shape[1] > 1:
        return scaling, ("targets standardized with training statistics; the loss is in these units",)
    mean, spread = (np.asarray(scaling.origin) + scaling.mean)[0], np.asarray(scaling.spread)[0]
    if np.isinf(spread):
        return scaling, (f"every training target is {mean:.4g}, scaled to 0",)
    statistics = f"mean {mean:.4g}, standard deviation {spread:.4g}"
    return scaling, (f"targets standardized with training statistics ({statistics}); the loss is in these units",)


def _volume_notes(config: RunConfig, volume: int, present: int) -> tuple[str, ...]:
    notes = []
    if volume > present:
        again = ", in a new order for each pass" if config.shuffle else ""
        notes.append(f"volume {volume:,} of {present:,} rows: {volume / present:.3g} passes over the data per epoch{again}")
    if config.shuffle and min(volume, present) > WHOLE_SHUFFLE:
        notes.append(f"more than {WHOLE_SHUFFLE:,} rows: shuffled within chunks of {BLOCK:,}")
    return tuple(notes)
