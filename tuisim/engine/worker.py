"""A run on a thread of its own: started, watched by polling, asked to stop, joined.

The thread is a daemon, so a step that takes for ever cannot keep the program from ending. Nothing it raises is lost.
"""

from __future__ import annotations

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
from tuisim.errors import DeviceLost, TuisimError, fault


class Worker:
    """One run of `config` on one thread. It holds the lease while it trains, and not while it is paused."""

    def __init__(self, config: RunConfig, lease: MachineLease | None = None) -> None:
        self.config = config
        self.control = Control(self._released)
        self._lease = MachineLease() if lease is None else lease
        self._claim = Claim("training", Priority.TRAINING)
        self.summary: Summary | None = None
        """How it came out, once it has ended; none where it could not start."""
        self.failure: RunFailed | None = None
        self._snapshot: Snapshot | None = None
        self._events: deque[Event] = deque()
        self._thread = Thread(target=self._work, name="tuisim-training", daemon=True)

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest one, by reference; none until the run is set up."""
        return self._snapshot

    def events(self) -> list[Event]:
        """Every event since the last call, oldest first."""
        found = []
        while self._events:
            found.append(self._events.popleft())
        return found

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        threads.start(self._thread)

    def stop(self, reason: str = "") -> None:
        """Ask the run to end; it does after the chunk at hand."""
        self.control.stop(reason)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self.alive

    def _emit(self, item: Event | Snapshot) -> None:
        if isinstance(item, Snapshot):
            self._snapshot = item
        else:
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
        except MemoryError:
            self._fail("out of memory: a smaller network or batch would fit")
        except TuisimError as error:
            self._fail(str(error), lost=isinstance(error, DeviceLost))
        except Exception as error:
            self._fail(fault(error))
        finally:
            self._lease.release(self._claim)

    def _fail(self, message: str, *, lost: bool = False) -> None:
        step = self._snapshot.step if self._snapshot is not None else 0
        self.failure = RunFailed(step, message, traceback.format_exc(), lost)
        self._events.append(self.failure)
