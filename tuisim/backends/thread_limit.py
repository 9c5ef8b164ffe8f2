"""A count that a whole process has one of, and that several want for a while: the newest holder's holds.

It does not know what is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

Restore = Callable[[], object]


class Limit:
    """`put` makes it so many and returns what puts back how things were. Holders leave in any order."""

    def __init__(self, put: Callable[[int], Restore]) -> None:
        self._put = put
        self._lock = Lock()
        self._wanted: list[tuple[object, int]] = []
        self._restore: Restore | None = None
        """As it was before the first holder."""

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        token = object()
        with self._lock:
            restore = self._put(count)
            if not self._wanted:
                self._restore = restore
            self._wanted.append((token, count))
        try:
            yield
        finally:
            self._leave(token)

    def _leave(self, token: object) -> None:
        with self._lock:
            self._wanted = [(held, count) for held, count in self._wanted if held is not token]
            if self._wanted:
                self._put(self._wanted[-1][1])
            elif self._restore is not None:
                self._restore()
