"""Looks at a run: what a page reads of it, on the thread that trains, between two steps.

The run does not change by it: a look reads buffers, and evaluates the network on rows of the data.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuisim.engine.session import Session
from tuisim.errors import fault

log = logging.getLogger(__name__)

MIN_INTERVAL = 0.4
"""Seconds between two looks at a run in progress."""
SHARE = 0.01
"""Maximum share of the wall time that looks take; drawing what they found takes as much again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of a look at one step."""

    step: int
    """The number of steps made when it was taken."""
    found: Any
    """None if it failed."""
    failure: str = ""


class Look:
    """A reading that is taken again as the run goes on; `seen` is replaced as a whole, so that any thread may read it.

    With `before` it needs a step: `before` is called at the state before the step, and `read` after it with what `before`
    returned. Without, `read` is called with the session alone.
    """

    def __init__(self, read: Callable[..., Any], before: Callable[[Session], Any] | None = None) -> None:
        self._read, self._before = read, before
        self._prepared: Any = None
        self._next = 0.0
        self.seen: Seen | None = None
        """The latest reading; None before the first."""
        self.interval = MIN_INTERVAL
        """Seconds between two readings."""
        self.cost = 0.0
        """Seconds that the latest reading took."""

    @property
    def needs_step(self) -> bool:
        """True if it is taken around a step."""
        return self._before is not None

    def is_due(self, step: int, now: float | None = None) -> bool:
        """Return True if the latest reading is not of `step`, and, given the time, its share of the time allows another."""
        return (self.seen is None or self.seen.step != step) and (now is None or now >= self._next)

    def prepare(self, session: Session) -> None:
        """Read the state before the step."""
        start = session.clock()
        self._prepared = self._guarded(session, self._before) if self._before is not None else None
        self.cost = session.clock() - start

    def take(self, session: Session) -> None:
        """Read the present state, after the step if it needs one."""
        start = session.clock()
        prepared, self._prepared = self._prepared, None
        if not self.needs_step:
            found, self.cost = self._guarded(session, self._read), 0.0
        else:
            found = None if prepared is None else self._guarded(session, self._read, prepared)
        if found is not None:
            self.seen = Seen(session.tally.steps, found)
        end = session.clock()
        self.cost += end - start
        self.interval = max(MIN_INTERVAL, self.cost / SHARE)
        self._next = end + self.interval

    def _guarded(self, session: Session, read: Callable[..., Any], *arguments: Any) -> Any:
        """Return what `read` does; its failure is the look's result, and the run goes on."""
        try:
            return read(session, *arguments)
        except Exception as error:
            log.error("a look at the run failed:\n%s", traceback.format_exc())
            self.seen = Seen(session.tally.steps, None, fault(error))
            return None
