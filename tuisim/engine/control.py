"""The way down: what a person wants of a running loop, asked from any thread and read by the loop between chunks.

Asking never waits for the loop, and the loop, when it must wait, waits on a condition and does not spin.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Condition

from tuisim.config.field import is_number
from tuisim.engine.events import State
from tuisim.errors import ConfigError, Mistake


@dataclass(frozen=True, slots=True)
class Orders:
    """What the loop finds when it looks."""

    stop: State | None
    """How the run is to end, if it is."""
    stop_reason: str
    paused: bool
    pause_reason: str
    single_steps: int
    """Steps asked for one by one and not yet done."""
    pace: float | None
    learning_rate: float | None
    """A new rate, once."""


class Control:
    """Pause, resume, step, stop, pace and rate of one run. Every method may be called from any thread."""

    def __init__(self, while_paused: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """`while_paused` makes the context in which the loop waits while it is paused."""
        self.while_paused = while_paused
        self._changed = Condition()
        self._stop: State | None = None
        self._stop_reason = ""
        self._paused = False
        self._paused_by_pace = False
        self._pause_reason = ""
        self._single_steps = 0
        self._pace: float | None = None
        self._learning_rate: float | None = None
        self._version = 0

    def pause(self, reason: str = "") -> None:
        """Hold after the chunk at hand."""
        with self._changed:
            self._paused, self._pause_reason, self._single_steps = True, reason, 0
            self._paused_by_pace = False
            self._notify()

    def resume(self) -> None:
        """Go on, at the pace set; from a step at a time, at full speed."""
        with self._changed:
            self._paused, self._pause_reason, self._single_steps = False, "", 0
            if self._pace == 0:
                self._pace = None
            self._notify()

    def step(self) -> None:
        """Do one step and hold; a running loop is held first."""
        with self._changed:
            if not self._paused:
                self._paused, self._pause_reason = True, ""
            self._single_steps += 1
            self._notify()

    def stop(self, reason: str = "", *, interrupted: bool = False) -> None:
        """End the run after the chunk at hand; the first one to ask is the one remembered."""
        with self._changed:
            if self._stop is None:
                self._stop = State.INTERRUPTED if interrupted else State.STOPPED
                self._stop_reason = reason
            self._notify()

    def set_pace(self, steps_per_second: float | None) -> None:
        """So many steps a second; none: full speed; 0: a step at a time. Raises ConfigError below 0."""
        pace = steps_per_second
        if pace is not None and not (is_number(pace) and pace >= 0):
            raise ConfigError([Mistake("pace", pace, "steps per second, 0 for a step at a time, or none for full speed")])
        with self._changed:
            if pace == 0:
                if not self._paused:
                    self._paused, self._paused_by_pace, self._pause_reason = True, True, "a step at a time"
            elif self._pace == 0 and self._paused_by_pace:
                self._paused, self._pause_reason = False, ""
            self._pace = pace
            self._notify()

    def set_learning_rate(self, rate: float) -> None:
        """From the next step on. Raises ConfigError unless it is a number above 0."""
        if not (is_number(rate) and rate > 0):
            raise ConfigError([Mistake("learning_rate", rate, "a number above 0")])
        with self._changed:
            self._learning_rate = rate
            self._notify()

    # ── the loop's side ──

    def take(self) -> Orders:
        """What is wanted now; a new rate is handed over once."""
        with self._changed:
            orders = Orders(
                self._stop, self._stop_reason, self._paused, self._pause_reason, self._single_steps, self._pace,
                self._learning_rate,
            )  # fmt: skip
            self._learning_rate = None
            self._seen = self._version
            return orders

    @property
    def is_stopping(self) -> bool:
        """True once the run was asked to end."""
        return self._stop is not None

    @property
    def pending(self) -> bool:
        """Whether something was asked since the last `take`: what takes long should give way."""
        return self._version != self._seen

    def step_done(self) -> None:
        """One of the single steps was made."""
        with self._changed:
            self._single_steps = max(0, self._single_steps - 1)

    def wait(self, seconds: float | None = None) -> None:
        """Until something is asked that `take` has not seen, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != self._seen, seconds)

    _seen = 0

    def _notify(self) -> None:
        self._version += 1
        self._changed.notify_all()
