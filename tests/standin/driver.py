"""The stand-in's device: its call log, its faults, its memory pool, and its queues of work not yet done.

It does not know arrays, kernels or products: only work to be run in order, and bytes."""

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .cuda_errors import CUDARuntimeError, OutOfMemoryError

ALIGNMENT = 512


class Fault(NamedTuple):
    """An error for the call of that number, or for every one from there on."""

    at: int
    error: BaseException
    sticky: bool


class Queue:
    """The work of one stream, in order; `run` does it until nothing is left, or until `enough` holds."""

    def __init__(self, device: "Device"):
        self.device = device
        self.work: deque[Callable[[], None]] = deque()

    def run(self, enough: Callable[[], bool] = lambda: False) -> None:
        while self.work and not enough():
            try:
                self.work.popleft()()
            except BaseException as error:
                self.device.died(error)
                raise


class Device:
    """One GPU that does nothing until it is waited for; every call of the interface passes `called`."""

    def __init__(self, total_bytes: int, cards: int):
        self.cards = cards
        self.calls: list[str] = []
        self.call_count = self.synchronisations = 0
        self.threads: set[int] = set()
        self.pool = Pool(self, total_bytes)
        self.default = Queue(self)
        self.queues: weakref.WeakSet[Queue] = weakref.WeakSet([self.default])
        self._faults: list[Fault] = []

    def called(self, name: str, waits: bool = False, works_without_card: bool = False) -> None:
        """Note a call, and raise what has been planned for it."""
        self.threads.add(threading.get_ident())
        self.calls.append(name)
        self.call_count += 1
        self.synchronisations += waits
        for fault in list(self._faults):
            if self.call_count >= fault.at:
                if not fault.sticky:
                    self._faults.remove(fault)
                raise fault.error
        if not self.cards and not works_without_card:
            raise CUDARuntimeError(100)

    def fail_at(self, n: int, error: BaseException, sticky: bool = False) -> None:
        if n < 1:
            raise ValueError(f"the next call is number 1, not {n}")
        self._faults.append(Fault(self.call_count + n, error, sticky))

    def heal(self) -> None:
        """No failure that was ordered and has not happened yet will."""
        self._faults.clear()

    def died(self, error: BaseException) -> None:
        """What goes wrong on the device comes back from every later call, as from a real one."""
        for queue in list(self.queues):
            queue.work.clear()
        self._faults.insert(0, Fault(self.call_count + 1, error, sticky=True))

    def finish(self) -> None:
        for queue in list(self.queues):
            queue.run()


class Allocation:
    """A piece of device memory, of one type, full of garbage; given back to the pool when nothing holds it."""

    def __init__(self, pool: "Pool", count: int, dtype: np.dtype[Any]):
        self.nbytes, self.dtype = count * dtype.itemsize, dtype
        self.rounded = -(-max(self.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        self._pool: Pool | None = None
        pool.take(self.rounded)
        raw = np.empty(self.nbytes + ALIGNMENT, np.uint8)
        skip = -_address(raw) % ALIGNMENT
        self.memory = raw[skip : skip + self.nbytes].view(dtype)
        self.memory.fill(garbage(dtype))
        self.address = _address(raw) + skip
        self._pool = pool
        pool.live.add(self)

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool.used -= self.rounded


def garbage(dtype: np.dtype[Any]) -> Any:
    """What memory that nobody wrote reads as."""
    if dtype.kind == "f":
        return np.nan
    return True if dtype.kind == "b" else np.iinfo(dtype).max - 1


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


class Pool:
    """CuPy's memory pool: what arrays give back stays with it until it is told to let go."""

    def __init__(self, device: Device, limit: int):
        self.device, self.limit = device, limit
        self.used = self.held = 0
        self.live: weakref.WeakSet[Allocation] = weakref.WeakSet()

    def take(self, size: int) -> None:
        """Room from what is held already, else from the card, after letting go of what is free."""
        if size > self.held - self.used:
            if self.held + size > self.limit:
                self.held = self.used
            if self.held + size > self.limit:
                raise OutOfMemoryError(size, self.held)
            self.held += size
        self.used += size

    def at(self, address: int, nbytes: int) -> Allocation | None:
        """The live allocation in which the whole range lies."""
        for each in list(self.live):
            if each.address <= address and address + nbytes <= each.address + each.nbytes:
                return each
        return None

    def used_bytes(self) -> int:
        return self.used

    def total_bytes(self) -> int:
        return self.held

    def free_bytes(self) -> int:
        return self.held - self.used

    def free_all_blocks(self, stream: Any = None) -> None:
        self.device.called("free_all_blocks")
        self.held = self.used


class PinnedPool:
    """The pool of page-locked host memory, which the stand-in never uses."""

    def __init__(self, device: Device):
        self.device = device

    def free_all_blocks(self) -> None:
        self.device.called("free_all_blocks")
