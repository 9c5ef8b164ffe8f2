"""The machine lease: at most one thread at a time uses the machine for training or measuring.

Two measurements at once would disturb each other. A thread that trains or measures holds the lease until it is done;
no other code needs to check whether the machine is busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from threading import Condition

POLL_SECONDS = 0.05
"""Interval at which a waiting thread checks whether it is still wanted."""


class Priority(IntEnum):
    """Priority of a claim. It asks a holder of lower priority to stop, and waits for one of the same or a higher priority."""

    BACKGROUND = 0
    """Calibrations and speed samples that start automatically."""
    PILOT = 1
    """A short timing of the network in the form."""
    PAGE = 2
    """A measurement on the page in front."""
    TRAINING = 3


@dataclass(eq=False, slots=True)
class Claim:
    """A request for the machine by one thread."""

    owner: str
    priority: Priority
    revoke: Callable[[], object] = lambda: None
    """Called, from another thread, when a claim of higher priority asks this one to stop."""
    is_revoked: bool = False


class MachineLease:
    """The right to use the machine; safe to use from any thread.

    A holder releases it when its thread has really stopped, not when it is asked to.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._holder: Claim | None = None
        self._waiting: list[Claim] = []

    @property
    def holder(self) -> str:
        """The name of the owner; empty while the machine is free."""
        holder = self._holder
        return "" if holder is None else holder.owner

    @contextmanager
    def hold(self, claim: Claim, wanted: Callable[[], bool] = lambda: True) -> Iterator[bool]:
        """Acquire the lease for the `with` block; yield False if `wanted` turned false before it was granted."""
        granted = self.acquire(claim, wanted)
        try:
            yield granted
        finally:
            self.release(claim)

    def acquire(self, claim: Claim, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Wait for the lease; return True once it is granted and False once it is no longer wanted."""
        with self._changed:
            claim.is_revoked = False
            self._waiting.append(claim)
            try:
                while wanted():
                    first = max(self._waiting, key=lambda one: one.priority)  # the oldest among equals
                    if self._holder is None and first is claim:
                        self._holder = claim
                        return True
                    holder = self._holder
                    if holder is not None and holder.priority < claim.priority and not holder.is_revoked:
                        holder.is_revoked = True
                        holder.revoke()
                    self._changed.wait(POLL_SECONDS)
                return False
            finally:
                self._waiting.remove(claim)
                self._changed.notify_all()

    def release(self, claim: Claim) -> None:
        """Give the lease back; nothing happens if `claim` does not hold it."""
        with self._changed:
            if self._holder is claim:
                self._holder = None
                self._changed.notify_all()
