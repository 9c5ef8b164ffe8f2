"""Opening files that may be anything: only regular ones, never waiting for one, never more of it than is asked for.

It knows no format. Whatever is wrong is an OSError with words for a person, or a ValueError for a path that cannot be.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

_NEVER_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class NotRegular(OSError):
    """A directory, a pipe, a device or a socket where a regular file is needed."""

    def __init__(self, mode: int) -> None:
        self.is_directory = stat.S_ISDIR(mode)
        super().__init__("is not a regular file")


def descriptor(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open the regular file at `path`, links followed; with O_CREAT it may be made. Raises NotRegular, OSError, ValueError."""
    with suppress(FileNotFoundError):  # opening a device may already do something
        _check(os.stat(path))
    file = os.open(path, flags | _NEVER_WAIT, 0o666)
    try:
        _check(os.fstat(file))  # what stands there may have changed
    except BaseException:
        os.close(file)
        raise
    return file


def contents(path: str | Path, most: int) -> bytes:
    """Return the first `most` bytes of the regular file at `path`. Raises as `descriptor` does."""
    with open(descriptor(path), "rb") as file:
        return file.read(most)


def all_regular(folder: str | Path, suffixes: tuple[str, ...]) -> bool:
    """Return whether every entry of `folder` that ends with one of `suffixes` is a regular file or a link to one."""
    with os.scandir(folder) as entries:
        return all(entry.is_file() for entry in entries if entry.name.endswith(suffixes))


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(status.st_mode)
