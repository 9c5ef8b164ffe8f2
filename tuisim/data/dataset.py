"""The dataset of a run: loaded by name or given as arrays, split, scaled and encoded for the network."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import files, info, memory, preprocessing, rng, targets
from tuisim.data import synthetic as synthetic_tasks
from tuisim.data.batch_sampler import BLOCK, WHOLE_SHUFFLE, BatchSampler, ResidentRows, ResidentSampler, SyntheticSampler
from tuisim.data.synthetic import SyntheticRows, read_only
from tuisim.data.table import Table, check_finite
from tuisim.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True)
class Dataset:
    """Rows that fit a run's layers and loss."""

    name: str
    kind: str
    """classes or regression."""
    examples: int
    """Training rows per epoch."""
    notes: tuple[str, ...]
    """Scaling, passes over the data and shuffling, in words."""
    validation: tuple[Array, Array] | None = field(repr=False)
    """X (rows, inputs) and Y as the loss takes it, read-only; None without validation rows."""
    training: ResidentRows | SyntheticRows = field(repr=False)
    config: RunConfig = field(repr=False)

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
    name = config.resolved_dataset
    if name in info.SYNTHETIC:
        return _synthetic(config, name)
    if name == "digits":
        return _from_table(config, files.read_digits())
    if name == "fashion_mnist":
        return _from_table(config, files.read_fashion_mnist())
    return _from_table(config, files.read(config, Path(os.path.expanduser(name))))


def misfit(config: RunConfig) -> str | None:
    """Return why a named dataset does not fit layers and loss, with what would; None if it fits or only its file can tell."""
    name = config.resolved_dataset
    try:
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
    return "no such file; give the path of a CSV, NPY, NPZ or IDX file"


def from_arrays(config: RunConfig, X: Any, y: Any) -> Dataset:
    """Return a dataset of the caller's arrays, cast to the run's dtype and not scaled. Raises DataError.

    X is (rows, inputs); y as `targets.from_array` takes it.
    """
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
    return _resident(config, Table("arrays", inputs, given), targets.from_array(config, given), is_scaled=True)


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
    return _resident(config, table, targets.from_table(config, table), is_scaled=False)


def _resident(config: RunConfig, table: Table, decided: targets.Targets, *, is_scaled: bool) -> Dataset:
    """Return training and validation rows of a table; statistics are those of the training rows alone."""
    name = table.name
    memory.require(len(table.X) * info.row_bytes(config), f"{name}: {len(table.X):,} rows", "give fewer rows")
    train, validation = preprocessing.split(config, name, len(table.X), decided.labels)
    present, volume = len(train), config.examples or len(train)
    train = train[:volume]
    first = None
    if not config.shuffle:
        seeded, train = train, np.sort(train)
        first = np.searchsorted(train, seeded)
    input_scaling, notes = (preprocessing.UNSCALED, ()) if is_scaled else _input_scaling(table, train)
    target_scaling, target_notes = _target_scaling(name, decided, train)

    def rows(which: NDArray[np.intp]) -> tuple[Array, Array]:
        X = input_scaling.apply(table.X, which, config.dtype)
        if decided.values is None:
            assert decided.labels is not None
            Y = targets.encode(config, decided.labels[which])
        else:
            Y = target_scaling.apply(decided.values, which, config.dtype)
        if not all(array.dtype.kind != "f" or np.isfinite(array).all() for array in (X, Y)):
            raise DataError(f"{name} has numbers too large for {config.dtype}: scale them down")
        return read_only(X), read_only(Y)

    training = ResidentRows(*rows(train), first)
    notes = (*notes, *decided.notes, *target_notes, *_volume_notes(config, volume, present))
    return Dataset(name, decided.kind, volume, notes, rows(validation) if len(validation) else None, training, config)


def _input_scaling(table: Table, train: NDArray[np.intp]) -> tuple[preprocessing.Scaling, tuple[str, ...]]:
    if table.divide is not None:
        return preprocessing.Scaling(spread=table.divide, divides=True), table.notes
    scaling = preprocessing.standardize(f"{table.name}, inputs", table.X, train)
    return scaling, (*table.notes, "inputs standardized with training statistics")


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
