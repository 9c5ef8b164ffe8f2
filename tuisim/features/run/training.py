"""A run on its own thread, so that signals are handled at once, however long a step takes.

The first signal asks the run to stop and says so; a key that is held down, or pressed twice, is the same request. A later
signal ends the run in the middle of its step.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread
from time import monotonic
from types import FrameType, TracebackType
from typing import Any

from tuisim import threads
from tuisim.engine import Control, Summary, Trainer
from tuisim.engine.events import Event as RunEvent
from tuisim.engine.events import Snapshot, State
from tuisim.errors import RunError

REPEAT_SECONDS = 0.5
"""A second signal within so many seconds counts as the first one."""
LAST_SECONDS = 0.3
"""Seconds that a run has to end by itself when it is to end at once."""
WAIT_SECONDS = 0.2
"""Seconds between two checks whether the run has ended, for systems where no signal interrupts a wait."""
STOPPING = "stopping after this step; ctrl+c again ends now"
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")


class EndNow(BaseException):
    """Raised in the main thread by the signal that does not wait for the step."""


class Training:
    """A context in which `trainer` runs and signals are answered.

    After a signal the handlers are not restored: the summary is printed and the program ends.
    """

    def __init__(self, trainer: Trainer, show: Callable[[RunEvent | Snapshot], None], say: Callable[[str], object]) -> None:
        """`show` is called with every event and snapshot, `say` with the answer to a signal."""
        self.code: int | None = None
        """128 + the first signal's number; None if there was none."""
        self.cut_short = False
        """True if the thread is still in a step that is not waited for."""
        self._trainer, self._show, self._say = trainer, show, say
        self._control = Control()
        self._signalled_at = 0.0
        self._waiting = False
        self._outcome: Summary | BaseException | None = None
        self._ended = Event()
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Training:
        """Take over the signals that end a program."""
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            self._previous[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Restore the handlers unless there was a signal."""
        for number, handler in self._previous.items():
            signal.signal(number, handler if self.code is None else signal.SIG_IGN)

    def run(self) -> Summary | None:
        """Train and return the summary; None if a run that was cut short has none. Raises what the run raises."""
        try:
            threads.start(Thread(target=self._train, name="tuisim-training", daemon=True))
        except RunError:
            self._train()  # on this thread; a signal is answered after the step
        try:
            self._waiting = True
            while not self._ended.wait(WAIT_SECONDS):
                pass
            self._waiting = False
        except EndNow:
            self._ended.wait(LAST_SECONDS)
        if not self._ended.is_set():
            self.cut_short = True
            return self._so_far()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def _train(self) -> None:
        try:
            self._outcome = self._trainer.run(self._show, self._control, instrumented=False)
        except BaseException as error:  # raised again where it is waited for
            self._outcome = error
        finally:
            self._ended.set()

    def _so_far(self) -> Summary | None:
        with suppress(RuntimeError):  # the step ended just now and changed what was being read
            summary = self._trainer.summary_so_far()
            return summary and replace(summary, ended=State.INTERRUPTED, message="in the middle of a step")
        return None

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.code is None:
            self.code, self._signalled_at = 128 + number, math.inf
            self._control.stop(signal.Signals(number).name, interrupted=True)
            self._say(STOPPING)
            # Counted from after the answer: on a busy machine the answer may take longer than an echo of the key, which waits.
            self._signalled_at = monotonic()
        elif monotonic() - self._signalled_at >= REPEAT_SECONDS:
            if not self._waiting:  # the summary is being made or printed, and that hangs
                os._exit(self.code)
            self._waiting = False
            raise EndNow
