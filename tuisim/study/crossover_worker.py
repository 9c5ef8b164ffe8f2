"""A sweep on a daemon thread of its own: how far it has come is published by reference, for whoever polls.

It does not know who looks, and ends early when nobody wants it any longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread

from tuisim.config import RunConfig
from tuisim.errors import TuisimError, printable
from tuisim.study.contenders import Entry
from tuisim.study.crossover import SECONDS, Sweep, Sweeping
from tuisim.study.crossover_found import Crossover


class CrossoverWorker:
    """One sweep of two entries over `config`'s network."""

    def __init__(self, config: RunConfig, entries: Sequence[Entry], seconds: float = SECONDS) -> None:
        self._config, self._entries, self._seconds = config, tuple(entries), seconds
        self.sweeping: Sweeping | None = None
        """The latest; none until it has begun."""
        self.crossover: Crossover | None = None
        """Once it has ended."""
        self.failure: str | None = None
        """Why there will be none, in one line."""
        self._unwanted = Event()
        self._thread = Thread(target=self._work, name="tuisim-crossover", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it does after the round at hand."""
        self._unwanted.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        self._thread.join(timeout)
        return not self.alive

    def _wanted(self) -> bool:
        return not self._unwanted.is_set()

    def _tell(self, sweeping: Sweeping) -> None:
        self.sweeping = sweeping

    def _work(self) -> None:
        try:
            found = Sweep(self._config, self._entries, self._seconds, wanted=self._wanted).run(self._tell)
            if self._wanted():
                self.crossover = found
        except MemoryError:
            self.failure = "out of memory: a network of fewer layers would fit"
        except TuisimError as error:
            self.failure = str(error)
        except Exception as error:  # whatever it is belongs on the screen, not in a thread that nobody reads
            self.failure = printable(f"{type(error).__name__}: {error}", 300)
