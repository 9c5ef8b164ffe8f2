"""A daemon thread that executes calls of other threads one after another.

Some libraries tie their state to a thread: CUDA its handles and streams, OpenBLAS its thread count.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from tuisim import threads

Result = TypeVar("Result")
_Jobs = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]


class OwnerThread:
    """The thread, started by the first call. As a daemon it cannot keep the program from ending if a library hangs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: Thread | None = None
        self._jobs: _Jobs = SimpleQueue()
        self._starting = Lock()

    def do(self, call: Callable[[], Result], seconds: float | None = None) -> Result:
        """Return the result of `call` on the thread, or raise what it raises. On the thread itself, just call it.

        Raises TimeoutError after `seconds`, while the thread goes on with the call, and RunError if it cannot be started.
        """
        if self._thread is not None and get_ident() == self._thread.ident:
            return call()
        self.start()
        future: Future[Result] = Future()
        self._jobs.put((call, future))
        try:
            return future.result(seconds)
        finally:
            del future  # avoids a reference cycle with the exception

    def start(self) -> None:
        """Start the thread if it does not run; a forked process does not have it. Raises RunError."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                jobs: _Jobs = SimpleQueue()
                thread = Thread(target=_serve, args=(jobs,), name=self._name, daemon=True)
                threads.start(thread)
                self._thread, self._jobs = thread, jobs


def _serve(jobs: _Jobs) -> None:
    while True:
        call, future = jobs.get()
        try:
            future.set_result(call())
        except Exception as error:  # raised in the caller
            future.set_exception(error)
        except BaseException as error:  # a library's SystemExit must not end the caller
            future.set_exception(RuntimeError(f"a library tried to end the program: {error}".rstrip(": ")))
        del call, future  # keeps nothing alive until the next job
