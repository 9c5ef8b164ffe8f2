"""The emulated device: its memory pool, its streams of work, a log of all calls, and planned faults.

Work waits in its stream until the host waits for it, so that a missing synchronization shows."""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from .errors import CUDARuntimeError, OutOfMemoryError
from .memory import address

ALIGNMENT = 512
Work = Callable[[], object]


class Device:
    """One GPU; every call of its interface passes `called`."""

    def __init__(self, total_bytes: int, devices: int, runs_kernels: bool):
        self.devices, self.runs_kernels = devices, runs_kernels
        self.calls: list[str] = []
        self.synchronisations = 0
        self.threads: set[int] = set()
        self.pool = MemoryPool(self, total_bytes)
        self.stream_handles = count(0x7000_0000_0000, 64)
        self.streams: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self.default_stream = Stream(self, handle=0)
        self.current = threading.local()
        self.module: Any = None
        """The module `cupy` through which programs use the device."""
        self.faults: list[tuple[int, BaseException, bool]] = []

    def called(self, name: str, waits: bool = False, needs_device: bool = True) -> None:
        """Log a call, and raise the fault that is planned for it."""
        self.threads.add(threading.get_ident())
        self.calls.append(name)
        self.synchronisations += waits
        for fault in self.faults:
            at, error, sticky = fault
            if len(self.calls) >= at:
                if not sticky:
                    self.faults.remove(fault)
                raise error
        if needs_device and not self.devices:
            raise CUDARuntimeError(100)

    def fail_at(self, n: int, error: BaseException, sticky: bool = False) -> None:
        """Plan an error for the n-th call from now; a sticky one is raised by every later call as well."""
        self.faults.append((len(self.calls) + n, error, sticky))

    def heal(self) -> None:
        """Cancel the planned faults."""
        self.faults.clear()

    def out_of_memory(self, size: int) -> OutOfMemoryError:
        return OutOfMemoryError(size, self.pool.held)

    def device_error(self, status: int = 700) -> CUDARuntimeError:
        return CUDARuntimeError(status)

    @property
    def waiting(self) -> int:
        """The number of pieces of work that are enqueued and not done."""
        return sum(len(stream.queue) for stream in self.streams.values())

    @property
    def current_stream(self) -> "Stream":
        """The stream of the calling thread."""
        stream: Stream = getattr(self.current, "stream", self.default_stream)
        return stream

    def enqueue(self, work: Work, handle: int | None = None) -> None:
        """Add work to the current stream or to the one with that handle."""
        stream = self.current_stream if handle is None else self.streams.get(handle)
        if stream is None:
            raise CUDARuntimeError(400)
        stream.queue.append(work)


class Stream:
    """cupy.cuda.Stream; its work is done in order when `run` is called."""

    def __init__(self, device: Device, non_blocking: bool = True, handle: int | None = None):
        if not non_blocking:
            raise ValueError("a stream that blocks the default stream is not emulated")
        if handle is None:
            device.called("Stream")
        self._device = device
        self.queue: deque[Work] = deque()
        self.ptr = next(device.stream_handles) if handle is None else handle
        device.streams[self.ptr] = self

    def use(self) -> "Stream":
        self._device.current.stream = self
        return self

    def synchronize(self) -> None:
        self._device.called("synchronize", waits=True)
        self.run()

    def run(self) -> None:
        """Do the work; after an error there is none left, and every later call fails, as on a GPU."""
        while self.queue:
            try:
                self.queue.popleft()()
            except BaseException as error:
                for stream in list(self._device.streams.values()):
                    stream.queue.clear()
                self._device.faults.insert(0, (0, error, True))
                raise


class Event:
    """cupy.cuda.Event: the time when the stream passed it; inf before that, None if it is not recorded."""

    def __init__(self, device: Device):
        self._device = device
        device.called("Event")
        self.time: float | None = None

    def record(self) -> None:
        self._device.called("record")
        self.time = float("inf")
        self._device.enqueue(lambda: setattr(self, "time", time.perf_counter()))


class Allocation:
    """Device memory of one type, full of garbage; the pool gets it back when nothing refers to it."""

    def __init__(self, pool: "MemoryPool", count: int, dtype: np.dtype[Any]):
        self.nbytes, self.dtype = count * dtype.itemsize, dtype
        rounded = -(-max(self.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        pool.take(rounded)
        raw = np.empty(self.nbytes + ALIGNMENT, np.uint8)
        skip = -address(raw) % ALIGNMENT
        self.memory = raw[skip : skip + self.nbytes].view(dtype)
        self.memory.fill(np.nan if dtype.kind == "f" else np.iinfo(dtype).max - 1)
        self.address = address(raw) + skip
        pool.live.add(self)
        weakref.finalize(self, pool.give, rounded)


class MemoryPool:
    """CuPy's memory pool: it keeps what arrays give back until it is told to free it."""

    def __init__(self, device: Device, limit: int):
        self.device, self.limit = device, limit
        self.used = self.held = 0
        self.live: weakref.WeakSet[Allocation] = weakref.WeakSet()

    def take(self, size: int) -> None:
        """Take memory that is held or, if that is too small, from the device."""
        if size > self.held - self.used:
            if self.held + size > self.limit:
                self.held = self.used
            if self.held + size > self.limit:
                raise OutOfMemoryError(size, self.held)
            self.held += size
        self.used += size

    def give(self, size: int) -> None:
        """Take memory back from an array."""
        self.used -= size

    def find(self, start: int, nbytes: int) -> Allocation | None:
        """Return the live allocation that contains the whole range, or None."""
        return next((one for one in list(self.live) if one.address <= start <= start + nbytes <= one.address + one.nbytes), None)

    def used_bytes(self) -> int:
        return self.used

    def total_bytes(self) -> int:
        return self.held

    def free_all_blocks(self) -> None:
        self.device.called("free_all_blocks")
        self.held = self.used
