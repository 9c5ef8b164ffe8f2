"""Results of reading files that are kept for the process, the latest used ones within a number of bytes.

Two threads that need the same result wait for one of them to make it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by key. One that is larger than all the room is returned to who asked for it, and not kept."""

    def __init__(self, room: int, size: Callable[[Value], int] = lambda value: 1) -> None:
        """`size` of a value is in the units of `room`; without it, `room` is a number of values."""
        self._room, self._size = room, size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()
        self._making: dict[Hashable, Lock] = {}

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key, None if it is not kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value, and drop those that were not used for the longest time until all fit."""
        if self._size(value) > self._room:
            return
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            total = sum(map(self._size, self._values.values()))
            while total > self._room:
                _, dropped = self._values.popitem(last=False)
                total -= self._size(dropped)

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key; the first thread that asks for it makes it. Raises what `make` raises."""
        with self._lock:
            making = self._making.setdefault(key, Lock())
        try:
            with making:
                value = self.get(key)
                if value is None:
                    value = make()
                    self.put(key, value)
                return value
        finally:
            with self._lock:
                self._making.pop(key, None)
