"""A proof on a thread of its own: started, watched by polling, asked to stop.

The thread is a daemon, so a long step of the scalar backend cannot keep the program from ending. Nothing it raises is lost.
"""

from __future__ import annotations

from threading import Event, Thread
from time import perf_counter

from tuisim.config import RunConfig
from tuisim.errors import TuisimError
from tuisim.study.prove import Progress, Proof, prove
from tuisim.study.prove_cost import TooLong


class _Left(Exception):
    """Nobody wants to know any more."""


class ProofWorker:
    """One proof of `config`."""

    def __init__(self, config: RunConfig, force: bool = False) -> None:
        self.config, self.force = config, force
        self.progress: Progress | None = None
        """The latest one, by reference; none until the first check begins."""
        self.proof: Proof | None = None
        """Once all checks have ended."""
        self.failure: str | None = None
        """Why there is no proof, in one line."""
        self.refused = False
        """Whether the failure is that it would take too long, so that forcing would help."""
        self._started: float | None = None
        self._ended: float | None = None
        self._stop = Event()
        self._thread = Thread(target=self._work, name="tuisim-proof", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """Since it was started, up to its end."""
        if self._started is None:
            return 0.0
        return (perf_counter() if self._ended is None else self._ended) - self._started

    def start(self) -> None:
        self._started = perf_counter()
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it does after the step at hand."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        self._thread.join(timeout)
        return not self.alive

    def _tell(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise _Left
        self.progress = progress

    def _work(self) -> None:
        try:
            self.proof = prove(self.config, force=self.force, tell=self._tell)
        except _Left:
            return
        except MemoryError:
            self.failure = "out of memory: a smaller network or batch would fit"
        except TuisimError as error:
            self.failure, self.refused = str(error), isinstance(error, TooLong)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            self._ended = perf_counter()
