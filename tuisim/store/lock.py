"""A lock on a file, for one process at a time; the system releases it when the process ends."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from tuisim import files

log = logging.getLogger(__name__)

PATIENCE, PAUSE = 1.0, 0.01
"""Default seconds to wait for the lock, and between two tries."""


@contextmanager
def held(path: Path, patience: float = PATIENCE) -> Iterator[bool]:
    """Yield True if this process holds the lock at `path`, or if the system has no locks; False after `patience` seconds.

    Raises OSError if the file cannot be opened or is not a regular file.
    """
    file = files.descriptor(path, os.O_RDWR | os.O_CREAT)
    try:
        is_held, until = _try(file), monotonic() + patience
        while not is_held and monotonic() < until:
            sleep(PAUSE)
            is_held = _try(file)
        yield is_held
    finally:
        os.close(file)  # releases the lock


def _try(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except (OSError, ImportError):
        log.debug("no locks on this file system", exc_info=True)
    return True
