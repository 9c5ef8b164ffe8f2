"""Temporary files that become the document they are written for: each is locked by its writer, so that those of writers that
died can be told and removed.

It does not know what is written.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from time import time
from typing import IO

from tuisim import files
from tuisim.store import lock

PREFIX, SUFFIX = ".tuisim-", ".tmp"
STALE_SECONDS = 600.0
"""Age from which one is removed where the system cannot tell whether its writer lives; writing takes milliseconds."""
_TRIES = 5


@contextmanager
def beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file in the folder of `path`, open for writing; removed at the end unless it has been moved. Raises OSError."""
    remove_stale(path.parent)
    made, stream = _made(path.parent)
    try:
        with stream:
            yield made, stream
    finally:
        with suppress(OSError):
            os.unlink(made)


def remove_stale(folder: Path) -> None:
    """Remove the temporary files of writers that no longer live; those that cannot be removed stay."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    _remove_if_stale(entry.path)


def _made(folder: Path) -> tuple[Path, IO[bytes]]:
    for _ in range(_TRIES):
        path = folder / f"{PREFIX}{token_hex(8)}{SUFFIX}"  # not the document's own name, which may be as long as any may
        stream = open(path, "xb")  # noqa: SIM115  as readable as any new file; mkstemp's is its owner's alone
        # Between the two calls another process may have found it without a lock, and removed it.
        if sys.platform == "win32" or (lock.taken(stream.fileno()) is not None and path.exists()):
            return path, stream
        stream.close()
    raise OSError("another process removes every temporary file")


def _remove_if_stale(path: str) -> None:
    if sys.platform == "win32":  # an open file cannot be removed there, and a locked one not be moved
        _remove_if_old(path, os.stat(path))
        return
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    file = files.descriptor(path)
    try:
        free = lock.taken(file)
        if free:
            os.unlink(path)
        elif free is False:
            _remove_if_old(path, os.fstat(file))
    finally:
        os.close(file)


def _remove_if_old(path: str, status: os.stat_result) -> None:
    if time() - status.st_mtime > STALE_SECONDS:
        os.unlink(path)
