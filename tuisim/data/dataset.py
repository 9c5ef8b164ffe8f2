"""A dataset that fits a run: its training rows, its held-out rows, and what a person should know of them.

It does not know where rows were read from, nor anything of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.data import info as facts
from tuisim.data import memory, scaling, source, split
from tuisim.data import rng as chance
from tuisim.data import target_encoding as fit
from tuisim.data import targets as answers
from tuisim.data.batch_sampler import BLOCK, WHOLE_SHUFFLE, ChunkFeed, Feed, HeldFeed
from tuisim.data.source import Endless, Held, read_only
from tuisim.data.table import Table, check_finite
from tuisim.errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True)
class Dataset:
    """Rows made to fit a run's layers and loss."""

    name: str
    kind: str
    """classes or regression."""
    examples: int
    """Training rows per epoch."""
    notes: tuple[str, ...]
    """What a person should know: scaling, rounds, how it is shuffled."""
    validation: tuple[Array, Array] | None = field(repr=False)
    """X (rows, inputs) and Y as the loss takes it, read-only; None where nothing is held out."""
    training: Held | Endless = field(repr=False)
    config: RunConfig = field(repr=False)

    @property
    def kept_rows(self) -> facts.KeptRows | None:
        """The rows in memory; None for an endless source that makes them again each epoch."""
        held = 0 if self.validation is None else len(self.validation[0])
        return facts.KeptRows(self.training.rows, held) if isinstance(self.training, Held) else None

    def feed(self, batch_size: int) -> Feed:
        """Training rows for ever, from the first epoch on; the same at each call. Raises MemoryNeeded."""
        shuffle = chance.generator(self.config.seed, chance.SHUFFLE) if self.config.shuffle else None
        if isinstance(self.training, Held):
            return HeldFeed(self.training, self.examples, batch_size, shuffle)
        return ChunkFeed(self.training, self.examples, batch_size, shuffle)

    def sample(self, count: int) -> tuple[Array, Array]:
        """The first `count` training rows of the seeded order, at most all of them; always the same ones."""
        return self.training.sample(min(count, self.examples))


def synthetic(config: RunConfig, name: str) -> Dataset:
    """The synthetic task `name`. Raises DataError where it does not fit, MemoryNeeded where it is too large."""
    made = source.endless(config, name)
    examples = config.examples or facts.DEFAULT_EXAMPLES
    held = facts.held_out_beside(examples, config.validation)
    validation = made.rows(held, chance.SPLIT) if held else None
    if source.is_resident(config, examples):
        X, Y = made.rows(examples)
        return Dataset(name, made.task.kind, examples, (), validation, Held(X, Y), config)
    shuffled = "the chunks in a random order, each shuffled in itself" if config.shuffle else "in order"
    note = f"{examples:,} examples are made again each epoch, in chunks of {made.chunk:,}: {shuffled}"
    return Dataset(name, made.task.kind, examples, (note,), validation, made, config)


def from_table(config: RunConfig, table: Table) -> Dataset:
    """A table, split, scaled and made to fit. Raises DataError."""
    if not len(table.X):
        raise DataError(f"{table.name} has no rows: give at least one")
    fit.check_inputs(config, table.name, table.X.shape[1])
    decided = answers.decide(config, table)
    return _finite(config, table, decided, own_scale=False)


def from_arrays(config: RunConfig, X: Any, y: Any) -> Dataset:
    """The caller's own arrays, used as they are: cast to the run's dtype, not scaled. Raises DataError.

    X is (rows, inputs); y as `answers.given` says.
    """
    inputs, wanted = _numbers("X", X), _numbers("y", y)
    if inputs.ndim != 2 or inputs.shape[1] != config.layers[0]:
        rows = len(inputs) if inputs.ndim else 0
        raise DataError(
            f"X has shape {inputs.shape}, the layers begin with {config.layers[0]:,}: give shape ({rows}, {config.layers[0]})"
        )
    if not wanted.ndim or len(wanted) != len(inputs):
        raise DataError(f"y has shape {wanted.shape} and X has {len(inputs):,} rows: give an answer to each row")
    if not len(inputs):
        raise DataError("X has no rows: give at least one")
    check_finite("X", inputs)
    check_finite("y", wanted)
    return _finite(config, Table("arrays", inputs, wanted), answers.given(config, wanted), own_scale=True)


def _numbers(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise DataError(f"{name} is no array: give rows of equal length") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} has dtype {array.dtype}: give numbers")
    return array


def _finite(config: RunConfig, table: Table, decided: answers.Answers, own_scale: bool) -> Dataset:
    """Training and held-out rows of a table; what is learned from rows is learned from training rows alone."""
    name = table.name
    memory.need(len(table.X) * source.row_bytes(config), f"{name}: {len(table.X):,} rows", "give fewer rows")
    train, held = split.split(config, name, len(table.X), decided.labels)
    available, volume = len(train), config.examples or len(train)
    train = train[:volume]
    first = None
    if not config.shuffle:
        seeded, train = train, np.sort(train)
        first = np.searchsorted(train, seeded)
    inputs, notes = (scaling.AS_GIVEN, ()) if own_scale else _input_scaling(table, train)
    targets, target_notes = _target_scaling(name, decided, train)

    def rows(which: NDArray[np.intp]) -> tuple[Array, Array]:
        X = inputs.apply(table.X, which, config.dtype)
        if decided.values is None:
            assert decided.labels is not None
            Y = fit.encode(config, decided.labels[which])
        else:
            Y = targets.apply(decided.values, which, config.dtype)
        for array in (X, Y):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(f"{name} has numbers too large for {config.dtype}: scale them down")
        return read_only(X), read_only(Y)

    training = Held(*rows(train), first)
    validation = rows(held) if len(held) else None
    notes = (*notes, *decided.notes, *target_notes, *_volume_notes(config, volume, available))
    return Dataset(name, decided.kind, volume, notes, validation, training, config)


def _input_scaling(table: Table, train: NDArray[np.intp]) -> tuple[scaling.Scaling, tuple[str, ...]]:
    if table.divide is not None:
        return scaling.dividing(table.divide), table.notes
    note = "inputs standardised to mean 0 and deviation 1 by the training rows"
    return scaling.standardising(f"{table.name}, inputs", table.X, train), (*table.notes, note)


def _target_scaling(name: str, decided: answers.Answers, train: NDArray[np.intp]) -> tuple[scaling.Scaling, tuple[str, ...]]:
    if decided.values is None or not decided.standardise:
        return scaling.AS_GIVEN, ()
    scale = scaling.standardising(f"{name}, answers", decided.values, train)
    if decided.values.shape[1] > 1:
        return scale, ("answers standardised to mean 0 and deviation 1 by the training rows, and the loss with them",)
    mean, spread = (np.asarray(scale.origin) + scale.mean)[0], np.asarray(scale.spread)[0]
    if np.isinf(spread):
        return scale, (f"every answer of the training rows is {mean:.4g}, taken as 0",)
    return scale, (
        f"answers standardised by the training rows (mean {mean:.4g}, deviation {spread:.4g}), and the loss with them",
    )


def _volume_notes(config: RunConfig, volume: int, available: int) -> tuple[str, ...]:
    notes = []
    if volume > available:
        again = ", in a new order each round" if config.shuffle else ""
        notes.append(f"volume {volume:,} of {available:,}: each goes round {volume / available:.3g} times an epoch{again}")
    if config.shuffle and min(volume, available) > WHOLE_SHUFFLE:
        notes.append(f"more than {WHOLE_SHUFFLE:,} rows: shuffled within chunks of {BLOCK:,}")
    return tuple(notes)
