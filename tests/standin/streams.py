"""Streams, events and devices as CuPy has them: queues to fill, marks in them, and waiting.

It does not know what the work in a queue does. A look at `done` lets the stand-in do one piece of work, as a GPU goes on by
itself; streams that are not non-blocking share one queue with the default stream."""

import threading
import time
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

from .cuda_errors import CUDARuntimeError
from .driver import Device, Queue


class Streams:
    """All streams of one device, and which of them each thread works on."""

    def __init__(self, device: Device):
        self.device = device
        self._numbers = count(0x7000_0000_0000, 64)
        self._by_handle: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()
        self.null = Stream(self, null=True)
        self._here = threading.local()

    def handle(self, stream: "Stream", null: bool) -> int:
        handle = 0 if null else next(self._numbers)
        self._by_handle[handle] = stream
        return handle

    def current(self) -> "Stream":
        return getattr(self._here, "stream", self.null)

    def switch(self, stream: "Stream") -> None:
        self._here.stream = stream

    def of_handle(self, handle: int) -> "Stream":
        """The stream of that handle; raises CUDARuntimeError where none lives."""
        stream = self._by_handle.get(handle)
        if stream is None:
            raise CUDARuntimeError(400)
        return stream

    def enqueue(self, work: Callable[[], None], stream: "Stream | None" = None) -> None:
        (stream or self.current()).queue.work.append(work)


class Stream:
    """cupy.cuda.Stream."""

    def __init__(self, streams: Streams, null: bool = False, ptds: bool = False, non_blocking: bool = False, priority: int = 0):
        if ptds:
            raise ValueError("the stand-in has no per-thread default stream")
        self._streams, self._device = streams, streams.device
        if not null:
            self._device.called("Stream")
        self.is_non_blocking = non_blocking
        self.queue = Queue(self._device) if non_blocking else self._device.default
        self._device.queues.add(self.queue)
        self.ptr = streams.handle(self, null)
        self._before: list[Stream] = []

    def __enter__(self) -> "Stream":
        self._before.append(self._streams.current())
        self._streams.switch(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.switch(self._before.pop())

    def use(self) -> "Stream":
        self._streams.switch(self)
        return self

    def synchronize(self) -> None:
        self._device.called("synchronize", waits=True)
        self.queue.run()

    @property
    def done(self) -> bool:
        self._device.called("done")
        _one_piece(self.queue)
        return not self.queue.work

    def record(self, event: "Event | None" = None) -> "Event":
        event = event or Event(self._streams)
        event.record(self)
        return event

    def wait_event(self, event: "Event") -> None:
        self._device.called("wait_event")
        mark = event.mark
        if mark is not None:
            self.queue.work.append(mark.reach)


def _one_piece(queue: Queue) -> None:
    left = len(queue.work)
    queue.run(lambda: len(queue.work) < left)


class Mark:
    """One record of an event: a place in a queue, and when it was passed."""

    def __init__(self, queue: Queue):
        self.queue = queue
        self.time: float | None = None

    def __call__(self) -> None:
        self.time = time.perf_counter()

    def reach(self) -> None:
        self.queue.run(lambda: self.time is not None)


class Event:
    """cupy.cuda.Event."""

    def __init__(self, streams: Streams, block: bool = False, disable_timing: bool = False, interprocess: bool = False):
        self._streams, self._device, self.timed = streams, streams.device, not disable_timing
        self._device.called("Event")
        self.mark: Mark | None = None

    def record(self, stream: Stream | None = None) -> None:
        self._device.called("record")
        queue = (stream or self._streams.current()).queue
        self.mark = Mark(queue)
        queue.work.append(self.mark)

    def synchronize(self) -> None:
        self._device.called("synchronize", waits=True)
        if self.mark is not None:
            self.mark.reach()

    @property
    def done(self) -> bool:
        self._device.called("done")
        if self.mark is None:
            return True
        if self.mark.time is None:
            _one_piece(self.mark.queue)
        return self.mark.time is not None


def elapsed(device: Device, start: Event, end: Event) -> float:
    """Milliseconds between two records that have been passed."""
    device.called("get_elapsed_time")
    if start.mark is None or end.mark is None or not (start.timed and end.timed):
        raise CUDARuntimeError(400)
    if start.mark.time is None or end.mark.time is None:
        raise CUDARuntimeError(600)
    return (end.mark.time - start.mark.time) * 1e3


class Cards:
    """The number of the card each thread works on; all cards of the stand-in share one memory."""

    def __init__(self, device: Device):
        self.device = device
        self._here = threading.local()

    def current(self) -> int:
        return getattr(self._here, "number", 0)

    def switch(self, number: int) -> None:
        self.device.called("use")
        if not 0 <= number < self.device.cards:
            raise CUDARuntimeError(101)
        self._here.number = number


class Card:
    """cupy.cuda.Device."""

    def __init__(self, cards: Cards, device: "int | Card | None" = None):
        self._cards = cards
        self.id = cards.current() if device is None else int(getattr(device, "id", device))
        self._before: list[int] = []

    def use(self) -> None:
        self._cards.switch(self.id)

    def __enter__(self) -> "Card":
        self._before.append(self._cards.current())
        self.use()
        return self

    def __exit__(self, *_: Any) -> None:
        self._cards.switch(self._before.pop())

    def synchronize(self) -> None:
        self._cards.device.called("synchronize", waits=True)
        self._cards.device.finish()
