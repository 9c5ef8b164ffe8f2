"""A race on a daemon thread of its own: how all stand is published by reference, for whoever polls.

It does not know who looks, and ends early when nobody wants it any longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread

from tuisim.config import RunConfig
from tuisim.errors import TuisimError, printable
from tuisim.study.compare import SECONDS, Comparison, Race, Standing
from tuisim.study.contenders import Entry


class RaceWorker:
    """One comparison of `entries` on `config`."""

    def __init__(self, config: RunConfig, entries: Sequence[Entry], seconds: float = SECONDS) -> None:
        self._config, self._entries, self._seconds = config, tuple(entries), seconds
        self.standings: tuple[Standing, ...] = ()
        """The latest; empty until the first contender is set up."""
        self.comparison: Comparison | None = None
        """Once it has ended."""
        self.failure: str | None = None
        """Why there will be none, in one line."""
        self._unwanted = Event()
        self._thread = Thread(target=self._work, name="tuisim-race", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it does after the turn at hand."""
        self._unwanted.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        self._thread.join(timeout)
        return not self.alive

    def _wanted(self) -> bool:
        return not self._unwanted.is_set()

    def _tell(self, standings: tuple[Standing, ...]) -> None:
        self.standings = standings

    def _work(self) -> None:
        try:
            race = Race(self._config, self._entries, self._seconds, self._wanted)
            self.standings = race.standings()
            found = race.run(self._tell)
            if self._wanted():
                self.comparison = found
        except MemoryError:
            self.failure = "out of memory: a smaller network, batch or volume would fit"
        except TuisimError as error:
            self.failure = str(error)
        except Exception as error:  # whatever it is belongs on the screen, not in a thread that nobody reads
            self.failure = printable(f"{type(error).__name__}: {error}", 300)
