"""A run on a daemon thread: started, polled, stopped and joined by the app.

The thread is a daemon, so that a step that never ends cannot keep the program from ending.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from tuisim import threads
from tuisim.config import RunConfig
from tuisim.engine.control import Control
from tuisim.engine.events import Event, RunFailed, Snapshot
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.engine.summary import Summary
from tuisim.engine.trainer import Trainer
from tuisim.errors import DeviceLost, fault
from tuisim.store.log import log_file

log = logging.getLogger(__name__)


class Worker:
    """One run of `config` on one thread. It holds the lease while it trains, and not while it is paused."""

    def __init__(self, config: RunConfig, lease: MachineLease | None = None) -> None:
        self.config = config
        self.control = Control(self._released)
        self._lease = MachineLease() if lease is None else lease
        self._claim = Claim("training", Priority.TRAINING)
        self.summary: Summary | None = None
        """The summary once the run has ended; None if it could not start."""
        self.failure: RunFailed | None = None
        self._snapshot: Snapshot | None = None
        self._events: deque[Event] = deque()
        self._thread = Thread(target=self._work, name="tuisim-training", daemon=True)

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest snapshot, by reference; None until the run is set up."""
        return self._snapshot

    def events(self) -> list[Event]:
        """Return every event since the last call, oldest first."""
        found = []
        while self._events:
            found.append(self._events.popleft())
        return found

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread. Raises RunError if the system allows no more threads."""
        threads.start(self._thread)

    def stop(self, reason: str = "") -> None:
        """End the run after the current chunk."""
        self.control.stop(reason)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; return True if it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self.alive

    def _emit(self, item: Event | Snapshot) -> None:
        if isinstance(item, Snapshot):
            self._snapshot = item
            return
        if isinstance(item, RunFailed):
            self.failure = item
        self._events.append(item)

    def _wanted(self) -> bool:
        return not self.control.is_stopping

    @contextmanager
    def _released(self) -> Iterator[None]:
        """Give the machine back for the time of the `with` block."""
        self._lease.release(self._claim)
        yield
        self._lease.acquire(self._claim, self._wanted)

    def _work(self) -> None:
        try:
            self._lease.acquire(self._claim, self._wanted)
            self.summary = Trainer(self.config).run(self._emit, self.control)
        except Exception as error:  # any failure belongs on the screen and in the log
            message, trace = fault(error), traceback.format_exc()
            log.error("the run failed: %s\n%s", message, trace)
            step = self._snapshot.step if self._snapshot is not None else 0
            self._emit(RunFailed(step, message, trace, isinstance(error, DeviceLost), log_file()))
        finally:
            self._lease.release(self._claim)
