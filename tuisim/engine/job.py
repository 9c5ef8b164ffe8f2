"""A job: work on a daemon thread whose progress, result and failure a screen polls."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import perf_counter
from typing import Generic, TypeVar

from tuisim import threads
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.errors import TuisimError, fault, printable

log = logging.getLogger(__name__)

Progress = TypeVar("Progress")
Result = TypeVar("Result")


class Cancelled(Exception):
    """Raised inside a job's work once the job was cancelled."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The exception that ended a job."""

    message: str
    """One printable line."""
    error: Exception


class Job(Generic[Progress, Result]):
    """`work(job)` on a daemon thread. With a `lease` the thread waits for the machine before it begins.

    `progress`, `result` and `failure` are published by reference, so any thread may read them at any time. A cancelled job
    has neither a result nor a failure, unless it ended before it noticed.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Job[Progress, Result]], Result],
        lease: MachineLease | None = None,
        priority: Priority = Priority.PAGE,
    ) -> None:
        self.name = name
        self.progress: Progress | None = None
        self.result: Result | None = None
        self.failure: Failure | None = None
        self.is_waiting = lease is not None
        """True until the lease was granted."""
        self._work, self._lease, self._priority = work, lease, priority
        self._cancelled = Event()
        self._started: float | None = None
        self._ended: float | None = None
        self._thread = Thread(target=self._run, name=f"tuisim-{name}", daemon=True)

    # ── for the thread that watches ──

    @property
    def is_alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    @property
    def is_cancelled(self) -> bool:
        """True once the work was asked to stop."""
        return self._cancelled.is_set()

    @property
    def seconds(self) -> float:
        """Seconds of work so far, without waiting for the lease."""
        if self._started is None:
            return 0.0
        return (perf_counter() if self._ended is None else self._ended) - self._started

    def start(self) -> None:
        """Start the thread. Raises RunError if the system allows no more threads."""
        threads.start(self._thread)

    def cancel(self) -> None:
        """Ask the work to stop. It stops when it next reports or checks."""
        self._cancelled.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread and return True if it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self.is_alive

    # ── for the work itself ──

    def is_wanted(self) -> bool:
        """Return True until the job is cancelled."""
        return not self._cancelled.is_set()

    def report(self, progress: Progress) -> None:
        """Publish `progress`. Raises Cancelled if the job was cancelled."""
        self.check()
        self.progress = progress

    def check(self) -> None:
        """Raise Cancelled if the job was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled

    def _run(self) -> None:
        if self._lease is None:
            self._do()
            return
        with self._lease.hold(Claim(self.name, self._priority, self.cancel), self.is_wanted) as granted:
            self.is_waiting = False
            if granted:
                self._do()

    def _do(self) -> None:
        self._started = perf_counter()
        try:
            self.result = self._work(self)
        except Cancelled:
            return
        except Exception as error:  # the screen that polls shows it
            if not isinstance(error, TuisimError):
                log.exception("the job %s failed", self.name)
            self.failure = Failure(printable(fault(error), 1_000), error)
        finally:
            self._ended = perf_counter()
