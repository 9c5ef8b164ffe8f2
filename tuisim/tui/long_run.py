"""Runs that have trained for so long that leaving them takes a second press of the key."""

from __future__ import annotations

from tuisim.engine import Worker

LONG_SECONDS, ASK_SECONDS = 30.0, 5.0
"""A run that has trained for so many seconds is ended by two presses of a key within so many."""


def is_long(worker: Worker | None) -> bool:
    """Return True if `worker` is in progress and has trained for LONG_SECONDS; may be called from any thread."""
    snapshot = worker.snapshot if worker is not None and worker.is_alive else None
    return snapshot is not None and not snapshot.state.ended and snapshot.training_seconds >= LONG_SECONDS
