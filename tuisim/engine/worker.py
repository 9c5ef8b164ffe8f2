"""A run on a thread: started, polled, stopped and joined by the app."""

from __future__ import annotations

import logging
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.config import RunConfig
from tuisim.engine.control import Control
from tuisim.engine.events import Event, RunFailed, Snapshot
from tuisim.engine.job import Job
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.engine.look import Look
from tuisim.engine.summary import Summary
from tuisim.engine.trainer import Trainer
from tuisim.errors import DeviceLost, fault
from tuisim.stages import Stage, Stages
from tuisim.store.log import log_file

log = logging.getLogger(__name__)


class Worker(Job[Snapshot, Summary | None]):
    """A job that trains `config`; it holds the lease while it trains, and not while it is paused.

    Its result is the summary, None if the run could not start, or was reopened and not trained. After the end it keeps the
    trainer for `reopened`, if the run has kept earlier states to return to.
    """

    def __init__(self, config: RunConfig, lease: MachineLease | None = None, trainer: Trainer | None = None) -> None:
        """With a `trainer`, whose run has ended, that run is reopened."""
        super().__init__("training", lambda _: self._train())
        self.config, self._trainer = config, trainer
        self.control = Control(self._released)
        self.run_failed: RunFailed | None = None
        self._machine = MachineLease() if lease is None else lease
        self._claim = Claim("training", Priority.TRAINING)
        self._events: deque[Event] = deque()
        self._stages = Stages()
        self._looking: Job[None, None] | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest snapshot; None until the run is set up."""
        return self.progress

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the start at this moment; empty while the run waits for the machine."""
        return self._stages.now()

    def events(self) -> list[Event]:
        """Return every event since the last call, oldest first."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def reopened(self) -> Worker | None:
        """Return a worker, paused and not started, that goes on with the run after its end; None if it cannot."""
        trainer = self._trainer
        if trainer is None or not trainer.can_reopen:
            return None
        worker = Worker(self.config, self._machine, trainer)
        worker.progress = self.progress
        worker.control.pause()
        return worker

    def look(self, look: Look | None) -> None:
        """Take a look at the run: in progress, whenever it is due; after its end once, on a thread of its own."""
        self.control.look(look)
        trainer = self._trainer
        if look is None or self.is_alive or trainer is None or (self._looking is not None and self._looking.is_alive):
            return
        if look.seen is None:
            self._looking = Job("look", lambda _: self._look(trainer, look))
            self._looking.start()

    @property
    def can_look(self) -> bool:
        """True if the run can be looked at after its end."""
        return self._trainer is not None

    def _look(self, trainer: Trainer, look: Look) -> None:
        with self._machine.hold(Claim("a look at the run", Priority.PAGE)):
            trainer.look(look)

    def stop(self, reason: str = "") -> None:
        """End the run after the current chunk."""
        self.control.stop(reason)

    def _emit(self, item: Event | Snapshot) -> None:
        if isinstance(item, Snapshot):
            self.progress = item
            return
        if isinstance(item, RunFailed):
            self.run_failed = item
        self._events.append(item)

    def _is_going_on(self) -> bool:
        return not self.control.is_stopping

    @contextmanager
    def _released(self) -> Iterator[None]:
        """Give the machine back for the time of the `with` block."""
        self._machine.release(self._claim)
        yield
        self._machine.acquire(self._claim, self._is_going_on)

    def _train(self) -> Summary | None:
        with self._machine.hold(self._claim, self._is_going_on):
            try:
                if self._trainer is not None:
                    return self._reopen(self._trainer)
                trainer = Trainer(self.config, stages=self._stages)
                summary = trainer.run(self._emit, self.control)
                self._trainer = trainer if trainer.can_reopen else None
                return summary
            except Exception as error:  # as text: its frames would keep device arrays alive
                message = fault(error)
                log.error("the run failed: %s\n%s", message, traceback.format_exc())
                step = self.progress.step if self.progress is not None else 0
                self._emit(RunFailed(step, message, isinstance(error, DeviceLost), log_file()))
                return None

    def _reopen(self, trainer: Trainer) -> Summary | None:
        before = self._extent
        summary = trainer.reopen(self._emit, self.control)
        return None if self._extent == before else summary

    @property
    def _extent(self) -> tuple[int, int] | None:
        """The latest step and the number of branches: they change if anything is trained."""
        return None if self.progress is None else (self.progress.head, len(self.progress.branches))
