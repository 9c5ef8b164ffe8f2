"""Training rows for ever: which rows, in which order, in blocks that batches are cut from.

It does not know what the rows mean, nor how long a run is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tuisim.data import memory
from tuisim.data.source import Endless, Held, read_only

Array = NDArray[Any]
Order = NDArray[np.intp]

BLOCK = 2**16
"""A block of many rounds, or of a part of a round, has about so many rows."""
WHOLE_SHUFFLE = 10**7
"""Up to so many rows are shuffled all together; beyond, within chunks of BLOCK rows."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows to cut batches from, in `order`; all arrays are C-contiguous and read-only.

    X is (rows, inputs) in the run's dtype; Y class numbers, int64 (rows,), or (rows, outputs) in the run's dtype.
    `order` has indexes into both; its length is a multiple of the batch size except at an epoch's end.
    """

    X: Array
    Y: Array
    order: Order
    ends_epoch: bool


class Feed(ABC):
    """Blocks, epoch after epoch. The rows' sequence does not depend on the batch size."""

    making: bool
    """Whether blocks are made anew: the time that takes is not the step's."""

    @abstractmethod
    def next_block(self) -> Block:
        """The next rows of this epoch, or the first of the next."""


class HeldFeed(Feed):
    """Rows held in memory, `volume` of them an epoch: whole rounds, each in an order of its own, and a part of one."""

    making = False

    def __init__(self, held: Held, volume: int, batch_size: int, shuffle: Generator | None) -> None:
        memory.need(8 * min(batch_size, volume), f"a batch of {batch_size:,} row numbers", "use a smaller batch")
        self._held = held
        self._volume = volume
        self._batch = batch_size
        self._shuffle = shuffle
        self._least = max(BLOCK, batch_size)
        self._left = np.empty(0, dtype=np.intp)
        once = held.rows == volume <= WHOLE_SHUFFLE
        self._pieces = self._epochs(self._whole_rounds if held.rows <= WHOLE_SHUFFLE else self._parts)
        self._same = self._block(np.arange(volume), True) if once and shuffle is None else None

    def next_block(self) -> Block:
        if self._same is not None:
            return self._same
        order, ended = next(self._pieces)
        if len(self._left) or not ended:
            order, ended = self._gather(order, ended)
        return self._block(order, ended)

    def _block(self, order: Order, ended: bool) -> Block:
        order.flags.writeable = False
        return Block(self._held.X, self._held.Y, order, ended)

    def _gather(self, order: Order, ended: bool) -> tuple[Order, bool]:
        """Pieces after what was left, until there is enough for a block; the new rest is kept for the next."""
        parts = [self._left, order]
        length = len(self._left) + len(order)
        while not ended and length < self._least:
            order, ended = next(self._pieces)
            parts.append(order)
            length += len(order)
        order = np.concatenate(parts)
        used = length if ended else length - length % self._batch
        self._left = order[used:]
        return order[:used], ended

    def _epochs(self, pieces: Any) -> Iterator[tuple[Order, bool]]:
        """The orders of epoch after epoch, each cut to the volume, with whether it is the epoch's last piece."""
        while True:
            remaining = self._volume
            while remaining:
                for order in pieces(remaining):
                    part = order[:remaining]
                    remaining -= len(part)
                    yield part, not remaining
                    if not remaining:
                        break

    def _whole_rounds(self, remaining: int) -> Iterator[Order]:
        """A round of all rows shuffled together, or as many rounds at once as a block has room for."""
        rows = self._held.rows
        rounds = min(-(-remaining // rows), max(1, BLOCK // rows))
        if self._shuffle is None:
            yield np.tile(np.arange(rows), rounds)
        elif rounds == 1:
            yield self._shuffle.permutation(rows)
        else:
            yield self._shuffle.permuted(np.tile(np.arange(rows), (rounds, 1)), axis=1).reshape(-1)

    def _parts(self, _remaining: int) -> Iterator[Order]:
        """One round, part by part: the parts in a random order and each shuffled in itself."""
        rows = self._held.rows
        count = -(-rows // BLOCK)
        for part in walk(count, self._shuffle):
            order = np.arange(part * BLOCK, min((part + 1) * BLOCK, rows))
            if self._shuffle is not None:
                self._shuffle.shuffle(order)
            yield order


class ChunkFeed(Feed):
    """Rows of an endless source, made chunk by chunk as they are needed: chunks in a random order, each shuffled."""

    making = True

    def __init__(self, source: Endless, volume: int, batch_size: int, shuffle: Generator | None) -> None:
        source.need(min(batch_size, volume))
        self._source = source
        self._volume = volume
        self._batch = batch_size
        self._shuffle = shuffle
        self._count = -(-volume // source.chunk)
        self._numbers = self._epochs()
        self._left: tuple[Array, Array] | None = None

    def _epochs(self) -> Iterator[tuple[int, bool]]:
        while True:
            for walked, number in enumerate(walk(self._count, self._shuffle), start=1):
                yield number, walked == self._count

    def _size(self, number: int) -> int:
        return min(self._source.chunk, self._volume - number * self._source.chunk)

    def next_block(self) -> Block:
        left = 0 if self._left is None else len(self._left[0])
        length, ended = left, False
        chunks: list[int] = []
        while not ended and (length < self._batch or not chunks):
            number, ended = next(self._numbers)
            chunks.append(number)
            length += self._size(number)
        X, Y = self._source.empty(length)
        order = np.arange(length)
        if self._left is not None:
            X[:left], Y[:left] = self._left
        start = left
        for number in chunks:
            part = slice(start, start + self._size(number))
            self._source.fill(X[part], Y[part], number)
            if self._shuffle is not None:
                self._shuffle.shuffle(order[part])
            start = part.stop
        used = length if ended else length - length % self._batch
        rest = order[used:]
        self._left = (X[rest], Y[rest]) if len(rest) else None
        return Block(read_only(X), read_only(Y), read_only(order[:used]), ended)


def walk(count: int, shuffle: Generator | None) -> Iterator[int]:
    """Each of 0 to count - 1 once: in order, or from a random start in random strides, which needs no memory for them.

    The stride has no divisor in common with the count, so that position · stride + start, modulo the count, meets each.
    """
    start, stride = 0, 1
    if shuffle is not None and count > 1:
        start, stride = _below(count, shuffle), _below(count, shuffle)
        while math.gcd(stride, count) != 1:
            stride = _below(count, shuffle)
    position = 0
    while position < count:
        yield (position * stride + start) % count
        position += 1


def _below(limit: int, shuffle: Generator) -> int:
    """A number below `limit`, which may be beyond 64 bits."""
    return int.from_bytes(shuffle.bytes(24), "little") % limit
