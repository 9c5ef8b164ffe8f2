"""Arrays as a kernel meets them: every access is checked for its bounds and, where someone may write, for races.

It does not know where an index comes from, nor whose array it is."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from .ctypes_of import PointerTo
from .faults import KernelError
from .lanes import Batch, Mask
from .races import History

ALL = slice(None)


class Memory:
    """A flat array of one name; `history` is None where nobody can write, `shift` where it begins in it."""

    def __init__(self, name: str, flat: np.ndarray, history: History | None = None, shift: int = 0):
        self.name, self.flat, self.size = name, flat, flat.size
        self.history, self.shift = history, shift

    def load(self, batch: Batch, index: Any, mask: Mask, line: int) -> Any:
        """The elements for the active threads; for the others any value."""
        if not isinstance(index, np.ndarray) and self.history is None:
            if not 0 <= index < self.size:
                self._outside(batch, "read", np.full(batch.width, index), mask, line)
            return self.flat[index]
        index = self._inside(batch, "read", index, mask, line)
        at = self._places(batch, index if mask.full else np.where(mask.bits, index, 0))
        if self.history is not None:
            self._watch_read(batch, at if mask.full else at[mask.lanes], index, mask, line)
        return self.flat.take(at)

    def store(self, batch: Batch, index: Any, value: Any, mask: Mask, line: int) -> None:
        """Write the active threads' values."""
        index = self._inside(batch, "write", index, mask, line)
        lanes = ALL if mask.full else mask.lanes
        at = self._places(batch, index)[lanes]
        value = value[lanes] if isinstance(value, np.ndarray) else np.full(mask.count, value)
        assert self.history is not None
        wrong = self.history.write(batch, at + self.shift, lanes)
        if wrong:
            self._race(batch, *wrong, index, mask, line)
        self.flat[at] = value
        clash, apart = self.history.clashes(batch, at + self.shift, lanes)
        if np.count_nonzero(clash):
            self._check_clash(batch, at, value, clash, apart, index, mask, line)

    def _places(self, batch: Batch, index: np.ndarray) -> np.ndarray:
        """Where in `flat` the elements stand."""
        return index

    def _inside(self, batch: Batch, what: str, index: Any, mask: Mask, line: int) -> np.ndarray:
        """The index for each thread, checked where active."""
        if not isinstance(index, np.ndarray):
            index = np.full(batch.width, index)
        # As unsigned numbers the negative ones are too large as well.
        bad = index.view(np.uint64) >= np.uint64(self.size)
        if np.count_nonzero(bad) and (mask.full or (bad & mask.bits).any()):
            self._outside(batch, what, index, mask, line)
        return index

    def _outside(self, batch: Batch, what: str, index: np.ndarray, mask: Mask, line: int) -> NoReturn:
        lane = mask.first((index < 0) | (index >= self.size))
        at = int(index[lane])
        batch.fail(f"{what} of {self.name}[{at}] outside its {self.size} elements", line, lane, self.name, at)

    def _watch_read(self, batch: Batch, at: np.ndarray, index: np.ndarray, mask: Mask, line: int) -> None:
        assert self.history is not None
        wrong = self.history.read(batch, at + self.shift, ALL if mask.full else mask.lanes)
        if wrong:
            self._race(batch, *wrong, index, mask, line)

    def _race(self, batch: Batch, what: str, which: int, index: np.ndarray, mask: Mask, line: int) -> NoReturn:
        lane = int(mask.lanes[which])
        at = int(index[lane])
        batch.fail(f"data race: {self.name}[{at}]: it {what}", line, lane, self.name, at)

    def _check_clash(
        self, batch: Batch, at: np.ndarray, value: np.ndarray, clash: np.ndarray, apart: np.ndarray,
        index: np.ndarray, mask: Mask, line: int,
    ) -> None:  # fmt: skip
        if apart.any():
            self._race(batch, "writes what a thread of another block writes", int(np.flatnonzero(apart)[0]), index, mask, line)
        got = self.flat[at]
        differs = (got != value) & ~((got != got) & (value != value))  # noqa: PLR0124 - two NaNs are no difference
        if differs.any():
            what = "writes another value than another thread does in the same statement"
            self._race(batch, what, int(np.flatnonzero(differs)[0]), index, mask, line)


class SharedMemory(Memory):
    """One copy of an array for each block of the batch; what nobody wrote may not be read."""

    def __init__(self, name: str, dtype: np.dtype[Any], size: int, blocks: int):
        super().__init__(name, np.zeros(size * blocks, dtype), History(size * blocks))
        self.size = size

    def _places(self, batch: Batch, index: np.ndarray) -> np.ndarray:
        return index + batch.place.row * self.size

    def _watch_read(self, batch: Batch, at: np.ndarray, index: np.ndarray, mask: Mask, line: int) -> None:
        assert self.history is not None
        fresh = self.history.unwritten(at)
        if np.count_nonzero(fresh):
            lane = int(mask.lanes[int(np.flatnonzero(fresh)[0])])
            where = int(index[lane])
            batch.fail(f"reads {self.name}[{where}], shared memory that nobody wrote", line, lane, self.name, where)
        super()._watch_read(batch, at, index, mask, line)


class Pointer:
    """A memory and an offset into it, in elements, one for all threads or one each; no memory is the null pointer."""

    __slots__ = ("memory", "name", "offset")

    def __init__(self, memory: Memory | None, offset: Any = np.int64(0), name: str = ""):  # noqa: B008 - immutable
        self.memory, self.offset, self.name = memory, offset, memory.name if memory else name

    def plus(self, offset: Any) -> "Pointer":
        return Pointer(self.memory, self.offset + offset, self.name)

    def checked(self, batch: Batch, mask: Mask, line: int) -> Memory:
        if self.memory is None:
            batch.fail(f"{self.name or 'the pointer'} is null", line, int(mask.lanes[0]), self.name)
        return self.memory


def chosen(batch: Batch, condition: Any, a: Pointer, b: Pointer, mask: Mask, line: int) -> Pointer:
    """`a` where the condition holds, else `b`; one memory for all active threads."""
    if mask.unless(condition) is None:
        return a
    if mask.where(condition) is None:
        return b
    if a.memory is not b.memory:
        batch.fail("threads hold pointers into different arrays: not in the subset", line, int(mask.lanes[0]))
    return Pointer(a.memory, np.where(condition, a.offset, b.offset), a.name)


def bound(kernel: str, arguments: Sequence[tuple[str, PointerTo, np.ndarray]]) -> list[Memory]:
    """A memory for each array argument: those that overlap share one history, those that nobody may write have none."""
    groups: list[list[int]] = []
    reach = -1
    order = sorted(range(len(arguments)), key=lambda i: _address(arguments[i][2]))
    for i in order:
        array = arguments[i][2]
        if groups and _address(array) < reach:
            groups[-1].append(i)
        else:
            groups.append([i])
        reach = max(reach, _address(array) + array.nbytes)
    memories: dict[int, Memory] = {}
    for group in groups:
        for i, memory in zip(group, _overlapping(kernel, [arguments[i] for i in group]), strict=True):
            memories[i] = memory
    return [memories[i] for i in range(len(arguments))]


def _overlapping(kernel: str, arguments: list[tuple[str, PointerTo, np.ndarray]]) -> list[Memory]:
    if all(kind.const for _, kind, _ in arguments):
        return [Memory(name, array) for name, _, array in arguments]
    start = _address(arguments[0][2])
    step = arguments[0][2].itemsize
    shifts = [_address(array) - start for _, _, array in arguments]
    if any(array.dtype != arguments[0][2].dtype for _, _, array in arguments) or any(shift % step for shift in shifts):
        names = ", ".join(name for name, _, _ in arguments)
        raise KernelError(f"the arguments {names} overlap and are not of one type and alignment", kernel=kernel)
    history = History(max(shift // step + array.size for shift, (_, _, array) in zip(shifts, arguments, strict=True)))
    return [Memory(name, array, history, shift // step) for shift, (name, _, array) in zip(shifts, arguments, strict=True)]


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])
