"""One thread that does what it is handed, one thing after another, for what belongs to the thread that uses it.

CUDA's handles and streams do. It does not know what a GPU is.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Lock, Thread, get_ident
from typing import Any, TypeVar

from tuisim import threads

Result = TypeVar("Result")

LAST_SECONDS = 2.0
"""What it has to come to an end when the program does."""


class Owner:
    """The thread, started with the first thing to do. It is a daemon: a driver that hangs cannot keep the program from ending."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=name, daemon=True)
        self._starting = Lock()

    def do(self, call: Callable[[], Result], seconds: float | None = None) -> Result:
        """The result of `call` on the thread; what it raises is raised here. From the thread itself it is a plain call.

        Raises TimeoutError where it has not ended after `seconds`; the thread goes on with it.
        """
        if get_ident() == self._thread.ident:
            return call()
        with self._starting:
            if self._thread.ident is None:
                threads.start(self._thread)
                atexit.register(self._finish)
        future: Future[Result] = Future()
        self._jobs.put((call, future))
        try:
            return future.result(seconds)
        finally:
            del future  # else what was raised would hold it, and it what was raised

    def _finish(self) -> None:
        """Let it come to the end of what it does: the program should not end in the middle of a call to a driver."""
        future: Future[None] = Future()
        self._jobs.put((lambda: None, future))
        wait([future], LAST_SECONDS)

    def _serve(self) -> None:
        while True:
            call, future = self._jobs.get()
            try:
                future.set_result(call())
            except Exception as error:  # whatever it is belongs to whoever asked
                future.set_exception(error)
            except BaseException as error:  # who waits must not be ended by what a library asks of this thread
                future.set_exception(RuntimeError(f"a library asked to end the program: {error}".rstrip(": ")))
            del call, future  # nothing that was done is kept alive until the next thing
