"""Who last wrote and who read each element of a memory in one launch, and what of that is a data race.

It does not know values. A stamp is 2 * (barriers passed * threads of the launch + thread), plus 1 where more than one
thread of that block did so since its last barrier."""

import numpy as np

from .lanes import Batch

NOBODY = -1
MANY_BLOCKS = -2


class History:
    """The last writer and the readers of every element."""

    def __init__(self, size: int):
        self.size = size
        self.writer: np.ndarray | None = None
        self.reader: np.ndarray | None = None

    def read(self, batch: Batch, at: np.ndarray, lanes: np.ndarray | slice) -> tuple[str, int] | None:
        """Note that threads `lanes` read the elements `at`; what is wrong with it, and for which of them, if anything."""
        me = batch.stamp[lanes]
        race = self._others_wrote(batch, at, me)
        if race is not None:
            return "reads what another thread wrote with no barrier between", race
        if self.reader is None:
            self.reader = np.full(self.size, NOBODY)
        old = self.reader[at]
        new = me if not np.count_nonzero(old != NOBODY) else np.where(old == NOBODY, me, _joined(batch, old, me))
        self.reader[at] = new
        self._several(batch, at, new)
        return None

    def write(self, batch: Batch, at: np.ndarray, lanes: np.ndarray | slice) -> tuple[str, int] | None:
        """The same for a write; `clashes` then tells whether two of these threads wrote one element."""
        me = batch.stamp[lanes]
        race = self._others_wrote(batch, at, me)
        if race is not None:
            return "writes what another thread wrote with no barrier between", race
        race = self._others_read(batch, at, me)
        if race is not None:
            return "writes what another thread read with no barrier between", race
        if self.writer is None:
            self.writer = np.full(self.size, NOBODY)
        self.writer[at] = me
        return None

    def clashes(self, batch: Batch, at: np.ndarray, lanes: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """After `write`: which of the threads wrote an element that another of them wrote too, and which from another block."""
        assert self.writer is not None
        got, me = self.writer[at], batch.stamp[lanes]
        clash = got != me
        if not np.count_nonzero(clash):
            return clash, clash
        self.writer[at[clash]] = got[clash] | 1
        return clash, clash & (_block(batch, got) != _block(batch, me))

    def unwritten(self, at: np.ndarray) -> np.ndarray:
        return np.ones(at.shape, bool) if self.writer is None else self.writer[at] == NOBODY

    def _others_wrote(self, batch: Batch, at: np.ndarray, me: np.ndarray) -> int | None:
        if self.writer is None:
            return None
        last = self.writer[at]
        if not np.count_nonzero(last != NOBODY) or not np.count_nonzero(last != me):
            return None
        same_epoch = (_epoch(batch, last) == _epoch(batch, me)) & (last != me)
        return _first((last != NOBODY) & ((_block(batch, last) != _block(batch, me)) | same_epoch))

    def _others_read(self, batch: Batch, at: np.ndarray, me: np.ndarray) -> int | None:
        if self.reader is None:
            return None
        last = self.reader[at]
        if not np.count_nonzero((last != NOBODY) & (last != me)):
            return None
        same_epoch = (_epoch(batch, last) == _epoch(batch, me)) & (last != me)
        other = (last == MANY_BLOCKS) | (_block(batch, last) != _block(batch, me)) | same_epoch
        return _first((last != NOBODY) & other)

    def _several(self, batch: Batch, at: np.ndarray, new: np.ndarray) -> None:
        """Put right the elements that more than one of these threads read: the last had overwritten the others."""
        assert self.reader is not None
        got = self.reader[at]
        clash = got != new
        if not np.count_nonzero(clash):
            return
        at, got, new = at[clash], got[clash], new[clash]
        apart = (got == MANY_BLOCKS) | (new == MANY_BLOCKS) | (_block(batch, got) != _block(batch, new))
        self.reader[at[~apart]] = new[~apart] | 1
        self.reader[at[apart]] = MANY_BLOCKS


def _joined(batch: Batch, old: np.ndarray, me: np.ndarray) -> np.ndarray:
    """The stamp of an element that `old` had read and `me` reads now."""
    apart = (old == MANY_BLOCKS) | (_block(batch, old) != _block(batch, me))
    later = _epoch(batch, old) < _epoch(batch, me)
    mine = (old >> 1) == (me >> 1)
    return np.where(apart, MANY_BLOCKS, np.where(later, me, np.where(mine, old, old | 1)))


def _epoch(batch: Batch, stamp: np.ndarray) -> np.ndarray:
    return (stamp >> 1) // batch.total


def _block(batch: Batch, stamp: np.ndarray) -> np.ndarray:
    return (stamp >> 1) % batch.total // batch.place.block_size


def _first(bad: np.ndarray) -> int | None:
    return int(np.flatnonzero(bad)[0]) if np.count_nonzero(bad) else None
