"""One process at a time: a lock on a file that the system gives back when its holder dies.

It does not know what is done under it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from tuisim import files

PATIENCE, PAUSE = 1.0, 0.01
"""Seconds until it is gone on without, unless said, and between two tries."""


@contextmanager
def held(path: Path, patience: float = PATIENCE) -> Iterator[bool]:
    """Whether nobody else holds the lock at `path` inside; where the system has no locks, nobody is known to.

    Raises OSError where the file cannot be opened or is not a regular one.
    """
    file = files.descriptor(path, os.O_RDWR | os.O_CREAT)
    try:
        got, until = taken(file), monotonic() + patience
        while got is None and monotonic() < until:
            sleep(PAUSE)
            got = taken(file)
        yield got is not None
    finally:
        os.close(file)  # which gives it back


def taken(file: int) -> bool | None:
    """True where it is ours now, none where another has it, false where the system has no locks for such a file."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return None
    except (OSError, ImportError):
        return False
    return True
