"""Control of a running loop, set from any thread and read by the loop between chunks of steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from threading import Condition

from tuisim.config.field import is_number
from tuisim.engine.events import State
from tuisim.engine.look import Look
from tuisim.errors import ConfigError, Mistake


@dataclass(frozen=True, slots=True)
class Seek:
    """A step to go to: `step`, or the present one if it is None, and so many epochs and steps from there."""

    step: int | None = None
    epochs: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class ControlState:
    """The requests to a run at one moment."""

    stop: State | None = None
    """The state in which the run is to end; None if it is to go on."""
    stop_reason: str = ""
    is_paused: bool = False
    pause_reason: str = ""
    single_steps: int = 0
    """Requested single steps that are not made yet."""
    speed_limit: float | None = None
    """Steps per second; None: full speed; 0: one step at a time."""
    learning_rate: float | None = None
    """A new learning rate; None if it did not change."""
    threads: int | None = None
    """A new number of threads; None if it did not change."""
    seek: Seek | None = None
    """A step to go to; None to stay."""
    prove: bool = False
    """True to replay the run from its start and compare."""
    look: Look | None = None
    """What is read between steps; None for nothing."""


class Control:
    """Pause, resume, step, seek, stop, speed limit, learning rate and threads of one run; each may be called from any thread."""

    def __init__(self, while_paused: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """`while_paused` makes the context in which the loop waits while it is paused."""
        self.while_paused = while_paused
        self._changed = Condition()
        self._state = ControlState()
        self._is_paused_by_limit = False
        self._version = self._seen = 0
        self._looks = self._looks_seen = 0
        """Requests of looks among them, which cancel nothing."""

    def pause(self, reason: str = "") -> None:
        """Pause after the current chunk."""
        with self._changed:
            self._is_paused_by_limit = False
            self._set(is_paused=True, pause_reason=reason, single_steps=0)

    def resume(self) -> None:
        """Go on with the speed limit as set; at full speed if it was one step at a time."""
        with self._changed:
            self._set(is_paused=False, pause_reason="", single_steps=0, speed_limit=self._state.speed_limit or None)

    def step(self) -> None:
        """Make one step and pause; a running loop is paused first."""
        with self._changed:
            reason = self._state.pause_reason if self._state.is_paused else ""
            self._set(is_paused=True, pause_reason=reason, single_steps=self._state.single_steps + 1)

    def seek(self, step: int) -> None:
        """Pause and go to the state after `step`, or as near to it as the run has been."""
        with self._changed:
            self._set(is_paused=True, pause_reason="", single_steps=0, seek=Seek(step))

    def move(self, *, epochs: int = 0, steps: int = 0) -> None:
        """Pause and go so many epochs and steps back (below 0), or on: steps that were made are replayed, others are trained.

        An epoch counts from one end of an epoch to the next; several moves before the loop reads them add up.
        """
        with self._changed:
            to = self._state.seek or Seek()
            to = replace(to, epochs=to.epochs + epochs, steps=to.steps + steps)
            self._set(is_paused=True, pause_reason="", single_steps=0, seek=to)

    def prove(self) -> None:
        """Pause, replay the run from its start to the present step, and say whether the bytes are the same."""
        with self._changed:
            self._set(is_paused=True, pause_reason="", single_steps=0, prove=True)

    def stop(self, reason: str = "", *, interrupted: bool = False) -> None:
        """End the run after the current chunk; only the first call sets state and reason."""
        with self._changed:
            if self._state.stop is None:
                self._set(stop=State.INTERRUPTED if interrupted else State.STOPPED, stop_reason=reason)
            else:
                self._set()

    def set_speed_limit(self, steps_per_second: float | None) -> None:
        """Limit the speed; None: full speed; 0: one step at a time. Raises ConfigError below 0."""
        limit = steps_per_second
        if limit is not None and not (is_number(limit) and limit >= 0):
            remedy = "steps per second, 0 for one step at a time, or none for full speed"
            raise ConfigError([Mistake("speed limit", limit, remedy)])
        with self._changed:
            if limit == 0 and not self._state.is_paused:
                self._is_paused_by_limit = True
                self._set(is_paused=True, pause_reason="one step at a time", speed_limit=limit)
            elif limit != 0 and self._state.speed_limit == 0 and self._is_paused_by_limit:
                self._set(is_paused=False, pause_reason="", speed_limit=limit)
            else:
                self._set(speed_limit=limit)

    def set_learning_rate(self, rate: float) -> None:
        """Use `rate` from the next step on. Raises ConfigError unless it is a number above 0."""
        if not (is_number(rate) and rate > 0):
            raise ConfigError([Mistake("learning_rate", rate, "a number above 0")])
        with self._changed:
            self._set(learning_rate=rate)

    def set_threads(self, threads: int) -> None:
        """Compute with so many threads from the next chunk on. Raises ConfigError unless `threads` is at least 1."""
        if not (isinstance(threads, int) and threads >= 1):
            raise ConfigError([Mistake("threads", threads, "a whole number of at least 1")])
        with self._changed:
            self._set(threads=threads)

    def look(self, look: Look | None) -> None:
        """Take a look at the run whenever it is due, also while it is paused, in place of the look before."""
        with self._changed:
            self._set(look=look)
            self._looks += 1

    def stop_looking(self, look: Look) -> None:
        """Take this look no more, unless another has taken its place."""
        with self._changed:
            if self._state.look is look:
                self._set(look=None)
                self._looks += 1

    # ── for the loop ──

    def take(self) -> ControlState:
        """Return the current requests; a new learning rate, number of threads, step to go to or proof is returned once."""
        with self._changed:
            state = self._state
            self._seen, self._looks_seen = self._version, self._looks
            if state.learning_rate is not None or state.threads is not None or state.seek is not None or state.prove:
                self._state = replace(state, learning_rate=None, threads=None, seek=None, prove=False)
            return state

    @property
    def is_stopping(self) -> bool:
        """True once the run was asked to end."""
        return self._state.stop is not None

    @property
    def is_pending(self) -> bool:
        """True if a request was made since the last `take`, other than for a look, so that slow work should be abandoned."""
        with self._changed:
            return self._version - self._seen != self._looks - self._looks_seen

    def count_single_step(self) -> None:
        """Count one of the requested single steps as made."""
        with self._changed:
            self._state = replace(self._state, single_steps=max(0, self._state.single_steps - 1))

    def wait(self, seconds: float | None = None) -> None:
        """Wait until a request is made that `take` has not returned yet, or for `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != self._seen, seconds)

    def _set(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        self._version += 1
        self._changed.notify_all()
