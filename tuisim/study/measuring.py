"""A measurement on a daemon thread of its own: what it has so far is published by reference, for whoever polls.

It does not know who looks, and ends early when nobody wants it any longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread

from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.study.answer import measure
from tuisim.study.claims import Measured
from tuisim.study.steptime import Wanted

Method = Callable[[RunConfig, Measured, Wanted], Iterator[Measured]]


class Measuring:
    """Measures what `known` lacks of `config`, after an earlier measurement has ended: two at a time would time each other."""

    def __init__(self, config: RunConfig, known: Measured, earlier: Measuring | None = None, method: Method = measure) -> None:
        self._config, self._earlier, self._method = config, earlier, method
        self._unwanted = Event()
        self._thread = Thread(target=self._run, args=(known,), name="tuisim-measuring", daemon=True)
        self.found = known
        """What is known by now."""
        self.failure = ""
        """Why it ended with less than was asked for; empty where it did not."""

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it does so after the step at hand."""
        self._unwanted.set()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def _wanted(self) -> bool:
        return not self._unwanted.is_set()

    def _run(self, known: Measured) -> None:
        if self._earlier is not None:
            self._earlier.join()
            self._earlier = None
        try:
            for found in self._method(self._config, known, self._wanted):
                if self._wanted():
                    self.found = found
        except Exception as error:  # whatever it is belongs on the screen, not in a thread that nobody reads
            self.failure = printable(f"{error}" or type(error).__name__, 200)
