"""Arrays as one thread of a kernel sees them: every access is checked for bounds and for data races."""

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .errors import KernelError

if TYPE_CHECKING:
    from .kernel import Launch

MANY = -1
"""Stands for the thread where several threads made an access."""


History = tuple[dict[int, tuple[int, int, int]], dict[int, tuple[int, int]]]
"""The last accesses of elements in a launch: writes by (thread, phase, statement) and reads by (thread, phase)."""


class Memory:
    """A flat array under its name in the kernel.

    `history` is None if no thread writes to the array; `first` is the number of its first element in the history.
    """

    def __init__(
        self, name: str, array: np.ndarray, launch: "Launch | None", history: History | None, first: int = 0, shared: bool = False
    ):
        self.name, self.array, self.size, self.shared = name, array, array.size, shared
        self.launch, self.history, self.first = launch, history, first
        # A memory view gives Python's numbers; float32 has to stay NumPy's.
        self.load = (array if array.dtype == np.float32 else memoryview(array)).__getitem__


class Pointer:
    """A memory and an offset into it, in elements.

    Two accesses of an element, one of them a write, are a data race unless one thread makes both or a barrier of their
    block lies between them. A phase is the part of a block between two barriers; phases are numbered through the launch.
    """

    __slots__ = ("history", "load", "memory", "offset", "size")

    def __init__(self, memory: Memory, offset: int = 0):
        self.memory, self.offset = memory, offset
        self.size, self.history, self.load = memory.size, memory.history, memory.load

    @property
    def is_null(self) -> bool:
        return self.memory.launch is None

    def plus(self, offset: int) -> "Pointer":
        """Return the pointer moved by so many elements."""
        return Pointer(self.memory, self.offset + offset)

    def read(self, index: int) -> Any:
        """Return the element at `index`."""
        at = index + self.offset
        if not 0 <= at < self.size:
            self._fail("read of {} outside its {} elements", at)
        if self.history is not None:
            memory, (writes, reads) = self.memory, self.history
            launch, key = memory.launch, at + memory.first
            last, seen = writes.get(key), reads.get(key)
            if last is None:
                if memory.shared:
                    self._fail("reads {}, shared memory that nobody wrote", at)
            elif last[0] != launch.thread and not launch.first_phase <= last[1] < launch.phase:
                self._fail("data race: {}: it reads what another thread wrote", at)
            # A read that no barrier separates from the writes to come is kept.
            if seen is None or launch.first_phase <= seen[1] < launch.phase:
                reads[key] = launch.access
            elif seen[0] != launch.thread and seen[1] == launch.phase:
                reads[key] = MANY, launch.phase
        return self.load(at)

    def write(self, index: int, value: Any, statement: int) -> None:
        """Set the element at `index`; threads of a block may write the same value in the same statement."""
        at = index + self.offset
        if not 0 <= at < self.size:
            self._fail("write of {} outside its {} elements", at)
        memory, (writes, reads) = self.memory, self.history
        launch, key = memory.launch, at + memory.first
        thread, phase = launch.access
        last, seen = writes.get(key), reads.get(key)
        if last is not None and last[0] != thread and not launch.first_phase <= last[1] < phase:
            if last[1:] != (phase, statement):
                self._fail("data race: {}: it writes what another thread wrote", at)
            old = self.load(at)
            if old != value and (old == old or value == value):  # noqa: PLR0124 - two NaNs are the same value
                self._fail("data race: {}: it writes another value than another thread does in the same statement", at)
            thread = MANY
        if seen is not None and seen[0] != launch.thread and not launch.first_phase <= seen[1] < phase:
            self._fail("data race: {}: it writes what another thread read", at)
        writes[key] = thread, phase, statement
        memory.array[at] = value

    def _fail(self, message: str, at: int) -> NoReturn:
        name = self.memory.name
        if self.is_null:
            raise KernelError(f"{name} is null", array=name)
        raise KernelError(message.format(f"{name}[{at}]", self.size), array=name, index=at)


def null_pointer(name: str) -> Pointer:
    """Return a pointer to an empty memory that belongs to no launch."""
    return Pointer(Memory(name, np.zeros(0), None, None))


def address(array: np.ndarray) -> int:
    """Return the address of the array's first byte."""
    return int(array.__array_interface__["data"][0])


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell if two contiguous arrays share memory."""
    return address(a) < address(b) + b.nbytes and address(b) < address(a) + a.nbytes
