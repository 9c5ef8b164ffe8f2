"""Safe access to files of any kind: only regular files are opened, never waited for, and read up to a given size.

Errors are OSErrors with a readable message, or a ValueError for a path that cannot exist.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from tuisim.errors import printable

_NEVER_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class NotRegular(OSError):
    """A directory, a pipe, a device or a socket where a regular file is needed."""

    def __init__(self, mode: int) -> None:
        self.is_directory = stat.S_ISDIR(mode)
        super().__init__("is not a regular file")


def descriptor(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """Open the regular file at `path`, links followed; O_CREAT may create it. Raises NotRegular, OSError, ValueError."""
    check_regular(path)  # opening a device may have effects
    file = os.open(path, flags | _NEVER_WAIT, 0o666)
    try:
        _check(os.fstat(file))  # it may have been replaced meanwhile
    except BaseException:
        os.close(file)
        raise
    return file


def contents(path: str | Path, max_bytes: int) -> bytes:
    """Return the first `max_bytes` bytes of the regular file at `path`. Raises as `descriptor` does."""
    with open(descriptor(path), "rb") as file:
        return file.read(max_bytes)


def all_regular(folder: str | Path, suffixes: tuple[str, ...]) -> bool:
    """Return True if every entry of `folder` that ends with one of `suffixes` is a regular file or a link to one."""
    with os.scandir(folder) as entries:
        return all(entry.is_file() for entry in entries if entry.name.endswith(suffixes))


def check_regular(path: str | Path) -> None:
    """Raise NotRegular if something else than a regular file is at `path`, links followed. Raises OSError, ValueError."""
    with suppress(FileNotFoundError):
        _check(os.stat(path))


def is_writable(path: Path) -> bool:
    """Return True if `path` is a writable folder or could be created; nothing is created to find out."""
    existing = next((one for one in (path, *path.parents) if os.path.exists(one)), path)
    return os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK)


def display_name(path: Path) -> str:
    """Return the path as a message shows it; a long one is cut at its beginning."""
    text = printable(str(path), 4096)
    return text if len(text) <= 60 else "…" + text[-59:]


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(status.st_mode)
