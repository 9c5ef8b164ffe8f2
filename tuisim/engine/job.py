"""A study on a daemon thread of its own: started, watched by polling, asked to stop. Nothing it raises is lost.

It does not know who looks or what is studied; what there is to see, the study publishes by reference.
"""

from __future__ import annotations

from threading import Event, Thread

from tuisim import threads
from tuisim.errors import fault, printable


class Background:
    """`work` on a thread; a subclass says what that is and ends it early once it is not `wanted`."""

    def __init__(self, name: str) -> None:
        self.failure: str | None = None
        """Why there will be no result, in one line."""
        self._unwanted = Event()
        self._thread = Thread(target=self._run, name=f"tuisim-{name}", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def wanted(self) -> bool:
        """Whether anybody still wants to know."""
        return not self._unwanted.is_set()

    def start(self) -> None:
        threads.start(self._thread)

    def stop(self) -> None:
        """Ask it to end; it does when it next asks whether it is wanted."""
        self._unwanted.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        self._thread.join(timeout)
        return not self.alive

    def work(self) -> None:
        """What is done on the thread; whatever it raises becomes `failure`."""

    def _run(self) -> None:
        try:
            self.work()
        except Exception as error:  # whatever it is belongs on the screen, not in a thread that nobody reads
            self.failure = printable(fault(error), 1_000)
