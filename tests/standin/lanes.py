"""Threads side by side: which are active, where each stands in the grid, and who has met at which barrier.

It does not know C: a mask is narrowed by conditions that others evaluate."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import numpy as np

from .faults import Index3, KernelError

WARP = 32


class Mask:
    """The active threads of a batch, never none: nobody is None."""

    def __init__(self, bits: np.ndarray, count: int):
        self.bits, self.count = bits, count
        self.full = count == bits.size

    @cached_property
    def lanes(self) -> np.ndarray:
        return np.flatnonzero(self.bits)

    def where(self, condition: Any) -> "Mask | None":
        """Those of them for which `condition`, one bool or one a thread, holds; itself where it holds for all."""
        if not isinstance(condition, np.ndarray):
            return self if condition else None
        return self._some(condition if self.full else self.bits & condition)

    def unless(self, condition: Any) -> "Mask | None":
        if not isinstance(condition, np.ndarray):
            return None if condition else self
        return self.where(~condition)

    def _some(self, bits: np.ndarray) -> "Mask | None":
        count = int(np.count_nonzero(bits))
        return None if count == 0 else self if count == self.count else Mask(bits, count)

    def first(self, bad: Any) -> int:
        """The first active thread for which `bad` holds."""
        return int(np.flatnonzero(self.bits & bad)[0])


def union(a: Mask | None, b: Mask | None) -> Mask | None:
    """Of two masks that share no thread."""
    if a is None or b is None:
        return a or b
    return Mask(a.bits | b.bits, a.count + b.count)


class Places:
    """Where each thread of the blocks `first` to `last` (not included) stands; the same for every launch of that shape."""

    def __init__(self, grid: Index3, block: Index3, first: int, last: int):
        self.grid, self.block = grid, block
        self.block_size = block[0] * block[1] * block[2]
        self.blocks = last - first
        self.width = self.blocks * self.block_size
        self.row = np.repeat(np.arange(self.blocks), self.block_size)
        self.block_number = self.row + first
        within = np.tile(np.arange(self.block_size), self.blocks)
        self.thread = self.block_number * self.block_size + within
        self.lane = within % WARP
        self.warp = self.row * -(-self.block_size // WARP) + within // WARP
        self.warp_sizes = np.bincount(self.warp)
        self.words = {"threadIdx": _axes(within, block), "blockIdx": _axes(self.block_number, grid)}
        self.words |= {"blockDim": [np.uint32(n) for n in block], "gridDim": [np.uint32(n) for n in grid]}
        self.everyone = Mask(np.ones(self.width, bool), self.width)


def _axes(linear: np.ndarray, shape: Index3) -> list[np.ndarray]:
    x, y, _ = shape
    return [part.astype(np.uint32) for part in (linear % x, linear // x % y, linear // (x * y))]


places = lru_cache(maxsize=32)(Places)


class Batch:
    """Whole blocks that run side by side in one launch, with the barriers each has passed."""

    def __init__(self, kernel: str, place: Places):
        self.kernel, self.place = kernel, place
        self.width, self.words = place.width, place.words
        self.total = place.block_size * int(np.prod(place.grid))
        self.epoch = np.zeros(self.width, np.int64)
        self.stamp = 2 * place.thread
        self.shared: dict[int, Any] = {}

    def barrier(self, mask: Mask, line: int) -> None:
        """Every thread of each block that comes must come: then what they wrote is seen by their block."""
        if not mask.full:
            sizes = np.full(self.place.blocks, self.place.block_size)
            self._together(self.place.row, sizes, mask, "__syncthreads()", "block", line)
        self.epoch = self.epoch + mask.bits
        self.stamp = 2 * (self.epoch * self.total + self.place.thread)

    def shuffle(self, how: str, value: Any, by: Any, mask: Mask, line: int) -> Any:
        """Each thread's `value` from another lane of its warp; the whole warp must come."""
        if not mask.full:
            self._together(self.place.warp, self.place.warp_sizes, mask, f"__shfl{how}_sync", "warp", line)
        lane = self.place.lane
        other = {"_xor": lambda: lane ^ by, "_down": lambda: np.where(lane + by < WARP, lane + by, lane), "": lambda: by % WARP}
        source = np.broadcast_to(other[how](), lane.shape)
        outside = (source < 0) | (source >= self.place.warp_sizes[self.place.warp])
        if (outside & mask.bits).any():
            self.fail(f"__shfl{how}_sync reads a lane that its warp does not have", line, mask.first(outside))
        if not isinstance(value, np.ndarray):
            return value
        return value[np.arange(self.width) - lane + source]

    def _together(self, group: np.ndarray, sizes: np.ndarray, mask: Mask, what: str, whole: str, line: int) -> None:
        come = np.bincount(group[mask.lanes], minlength=sizes.size)
        apart = (come > 0) & (come < sizes)
        if apart.any():
            number = int(np.flatnonzero(apart)[0])
            message = f"{what} is reached by {come[number]} of the {sizes[number]} threads of its {whole}"
            self.fail(message, line, int(np.flatnonzero(mask.bits & (group == number))[0]))

    def fail(self, message: str, line: int, lane: int, array: str = "", index: int | None = None) -> NoReturn:
        """Raise KernelError for the thread in `lane`."""
        raise KernelError(message, kernel=self.kernel, line=line, array=array, index=index, **self.named(lane))

    def named(self, lane: int) -> dict[str, Index3]:
        thread, block = self._three("threadIdx", lane), self._three("blockIdx", lane)
        return {"thread": thread, "block": block}

    def _three(self, word: str, lane: int) -> Index3:
        x, y, z = (int(axis[lane]) for axis in self.words[word])
        return x, y, z


def three(sizes: Sequence[int]) -> Index3:
    """A grid or a block with all three axes."""
    x, y, z = (*(int(size) for size in sizes), 1, 1, 1)[:3]
    return x, y, z
