"""Batches of training rows without end: which rows, in which order, epoch after epoch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tuisim import stages
from tuisim.data import memory
from tuisim.data.synthetic import SyntheticRows, read_only

Array = NDArray[Any]
Order = NDArray[np.intp]

BLOCK = 2**16
"""Approximate rows of a block that holds many passes over the data, or part of a pass."""
WHOLE_SHUFFLE = 10**7
"""Maximum rows that are shuffled all together; more are shuffled within chunks of BLOCK rows."""


@dataclass(frozen=True, slots=True)
class ResidentRows:
    """All training rows in memory: X (rows, inputs), Y as the loss takes it, both read-only.

    `first` has the row numbers in the seeded order; None if the rows are stored in that order, as they are for runs that shuffle.
    """

    X: Array
    Y: Array
    first: Order | None = None

    def sample(self, count: int) -> tuple[Array, Array]:
        """Return the first `count` rows of the seeded order, at most all."""
        chosen = slice(0, count) if self.first is None else self.first[:count]
        return self.X[chosen], self.Y[chosen]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows to cut batches from, in `order`; all arrays are C-contiguous and read-only.

    X is (rows, inputs) in the run's dtype; Y class numbers, int64 (rows,), or (rows, outputs) in the run's dtype.
    `order` has indexes into both; its length is a multiple of the batch size except at the end of an epoch.
    """

    X: Array
    Y: Array
    order: Order
    ends_epoch: bool


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the sequence of batches, from which the same batches follow again."""

    shuffle: dict[str, Any] | None
    """The state of the shuffling generator before the epoch; None if nothing is shuffled."""
    blocks: int
    """Blocks of the epoch that were fetched."""
    taken: int
    """Rows taken from the latest of them."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive batches of one size from one block; `rows` are indexes into the block's arrays."""

    rows: Order
    batch: int
    ends_epoch: bool

    @property
    def steps(self) -> int:
        """The number of batches."""
        return len(self.rows) // self.batch


class BatchSampler(ABC):
    """Blocks of training rows, epoch after epoch, and a cursor that cuts them into batches.

    The sequence of rows does not depend on the batch size.
    """

    generates: bool
    """True if blocks are generated, which takes time that is no part of a step."""

    def __init__(self, volume: int, batch_size: int, shuffle: Generator | None) -> None:
        self._volume, self._batch, self._shuffle = volume, batch_size, shuffle
        self._at = 0
        self.block: Block | None = None
        """The block that `take` cuts from; None if `fetch` must be called first."""
        self._latest: Block | None = None
        self._blocks = 0
        self._epoch = self._shuffle_state()

    @abstractmethod
    def next_block(self) -> Block:
        """Return the next rows of this epoch, or the first of the next epoch."""

    @abstractmethod
    def restart(self) -> None:
        """Begin an epoch, whatever is left of the present one."""

    def fetch(self) -> Block:
        """Make the next block the current one and return it."""
        if self._latest is not None and self._latest.ends_epoch:
            self._epoch, self._blocks = self._shuffle_state(), 0
        self.block = self._latest = self.next_block()
        self._at, self._blocks = 0, self._blocks + 1
        return self.block

    def _shuffle_state(self) -> dict[str, Any] | None:
        return None if self._shuffle is None else dict(self._shuffle.bit_generator.state)

    def position(self) -> Position:
        """Return the place before the next batch."""
        return Position(self._epoch, self._blocks, self._at)

    def seek(self, position: Position) -> None:
        """Go to a place; the blocks of its epoch up to there are made again, unless the latest block is that of the place."""
        if (position.shuffle, position.blocks) != (self._epoch, self._blocks):
            if self._shuffle is not None and position.shuffle is not None:
                self._shuffle.bit_generator.state = position.shuffle
            self.restart()
            self._epoch, self._blocks, self._latest = position.shuffle, 0, None
            for _ in range(position.blocks):
                self.fetch()
        self._at = position.taken
        is_done = self._latest is None or self._at == len(self._latest.order)
        self.block = None if is_done else self._latest

    def take(self, steps: int) -> Segment:
        """Return up to `steps` full batches of the current block, or the short batch that ends the epoch."""
        assert self.block is not None
        order = self.block.order
        left = len(order) - self._at
        batch = min(self._batch, left)
        count = min(steps, left // batch) * batch
        rows = order[self._at : self._at + count]
        self._at += count
        is_done = self._at == len(order)
        segment = Segment(rows, batch, is_done and self.block.ends_epoch)
        if is_done:
            self.block = None
        return segment


class ResidentSampler(BatchSampler):
    """A sampler of rows in memory, `volume` of them per epoch: whole passes, each in a new order, and part of one."""

    generates = False

    def __init__(self, source: ResidentRows, volume: int, batch_size: int, shuffle: Generator | None) -> None:
        memory.require(8 * min(batch_size, volume), f"a batch of {batch_size:,} row numbers", "use a smaller batch")
        super().__init__(volume, batch_size, shuffle)
        self._source, self._rows = source, len(source.X)
        is_whole = self._rows <= WHOLE_SHUFFLE
        self._passes = self._whole_passes if is_whole else self._part_passes
        self.restart()
        self._same = self._block(np.arange(volume), True) if is_whole and self._rows == volume and shuffle is None else None

    def restart(self) -> None:
        """Begin an epoch."""
        self._left = np.empty(0, dtype=np.intp)
        self._pieces = self._epochs(self._passes)

    def next_block(self) -> Block:
        """Return the next rows of this epoch, or the first of the next epoch."""
        if self._same is not None:
            return self._same
        order, ended = next(self._pieces)
        if len(self._left) or not ended:
            order, ended = self._join(order, ended)
        return self._block(order, ended)

    def _block(self, order: Order, ended: bool) -> Block:
        return Block(self._source.X, self._source.Y, read_only(order), ended)

    def _join(self, order: Order, ended: bool) -> tuple[Order, bool]:
        """Append pieces to what was left until a block is full; what exceeds a multiple of the batch is left for the next."""
        parts = [self._left, order]
        length = len(self._left) + len(order)
        while not ended and length < max(BLOCK, self._batch):
            order, ended = next(self._pieces)
            parts.append(order)
            length += len(order)
        order = np.concatenate(parts)
        used = length if ended else length - length % self._batch
        self._left = order[used:]
        return order[:used], ended

    def _epochs(self, passes: Callable[[int], Iterator[Order]]) -> Iterator[tuple[Order, bool]]:
        """Yield the orders of epoch after epoch, each cut to the volume, with True for the last piece of an epoch."""
        while True:
            remaining = self._volume
            while remaining:
                for order in passes(remaining):
                    part = order[:remaining]
                    remaining -= len(part)
                    yield part, not remaining
                    if not remaining:
                        break

    def _whole_passes(self, remaining: int) -> Iterator[Order]:
        """Yield one pass over all rows shuffled together, or as many passes at once as a block has space for."""
        rows = self._rows
        passes = min(-(-remaining // rows), max(1, BLOCK // rows))
        if self._shuffle is None:
            yield np.tile(np.arange(rows), passes)
        elif passes == 1:
            yield self._shuffle.permutation(rows)
        else:
            yield self._shuffle.permuted(np.tile(np.arange(rows), (passes, 1)), axis=1).reshape(-1)

    def _part_passes(self, _remaining: int) -> Iterator[Order]:
        """Yield one pass in parts: the parts in random order, each shuffled within itself."""
        for part in walk(-(-self._rows // BLOCK), self._shuffle):
            order = np.arange(part * BLOCK, min((part + 1) * BLOCK, self._rows))
            if self._shuffle is not None:
                self._shuffle.shuffle(order)
            yield order


class SyntheticSampler(BatchSampler):
    """A sampler that generates synthetic rows chunk by chunk: chunks in random order, each shuffled within itself."""

    generates = True

    def __init__(self, source: SyntheticRows, volume: int, batch_size: int, shuffle: Generator | None) -> None:
        source.require(min(batch_size, volume))
        super().__init__(volume, batch_size, shuffle)
        self._source = source
        self.restart()

    def restart(self) -> None:
        """Begin an epoch."""
        self._chunks = self._epochs()
        self._left: tuple[Array, Array] | None = None

    def _epochs(self) -> Iterator[tuple[int, int, bool]]:
        """Yield the number and size of each chunk, epoch after epoch, with True for the last chunk of an epoch."""
        chunk, count = self._source.chunk, -(-self._volume // self._source.chunk)
        while True:
            for walked, number in enumerate(walk(count, self._shuffle), start=1):
                yield number, min(chunk, self._volume - number * chunk), walked == count

    def next_block(self) -> Block:
        """Return the next rows of this epoch, or the first of the next epoch."""
        left = 0 if self._left is None else len(self._left[0])
        length, ended = left, False
        chunks: list[tuple[int, slice]] = []
        while not ended and (length < self._batch or not chunks):
            number, size, ended = next(self._chunks)
            chunks.append((number, slice(length, length + size)))
            length += size
        X, Y = self._source.empty(length)
        order = np.arange(length)
        if self._left is not None:
            X[:left], Y[:left] = self._left
        for number, part in chunks:
            self._source.fill(X[part], Y[part], number)
            stages.report(part.stop, length, "rows")
            if self._shuffle is not None:
                self._shuffle.shuffle(order[part])
        used = length if ended else length - length % self._batch
        rest = order[used:]
        self._left = (X[rest], Y[rest]) if len(rest) else None
        return Block(read_only(X), read_only(Y), read_only(order[:used]), ended)


def walk(count: int, shuffle: Generator | None) -> Iterator[int]:
    """Yield each of 0 to count - 1 once: in order, or from a random start in steps of a random stride, which needs no memory.

    The stride has no divisor in common with the count, so (position · stride + start) mod count takes each value once.
    """
    start, stride = 0, 1
    if shuffle is not None and count > 1:
        start, stride = _random_below(count, shuffle), _random_below(count, shuffle)
        while math.gcd(stride, count) != 1:
            stride = _random_below(count, shuffle)
    position = 0
    while position < count:
        yield (position * stride + start) % count
        position += 1


def _random_below(limit: int, shuffle: Generator) -> int:
    """Return a random number below `limit`, which may have more than 64 bits."""
    return int.from_bytes(shuffle.bytes(24), "little") % limit
