"""Where a run is in its data: which rows come next, cut into batches, epoch after epoch.

It does not know what is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.backends.protocol import Rows
from tuisim.data import Block, Feed


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive batches of one size, all from the block at hand."""

    rows: Rows
    batch: int
    ends_epoch: bool

    @property
    def steps(self) -> int:
        return len(self.rows) // self.batch


class Position:
    """A place in a feed that goes on for ever."""

    def __init__(self, feed: Feed, batch: int) -> None:
        self._feed, self._batch = feed, batch
        self._block: Block | None = None
        self._at = 0

    @property
    def block(self) -> Block | None:
        """The block the next segment comes from; none when a new one must be fetched first."""
        return self._block

    def fetch(self) -> Block:
        """The next block: a shuffle of rows that are held, or rows made anew."""
        self._block, self._at = self._feed.next_block(), 0
        return self._block

    def take(self, steps: int) -> Segment:
        """Up to `steps` full batches, or the short one that ends the epoch."""
        assert self._block is not None
        order = self._block.order
        left = len(order) - self._at
        batch = self._batch if left >= self._batch else left
        count = min(steps, left // batch) * batch
        rows = order[self._at : self._at + count]
        self._at += count
        done = self._at == len(order)
        segment = Segment(rows, batch, done and self._block.ends_epoch)
        if done:
            self._block = None
        return segment
