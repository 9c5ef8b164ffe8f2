"""Opening files that may be missing, broken or hostile: whatever goes wrong becomes one line that names the file.

It knows files and streams of bytes, no format.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from tuisim import files, units
from tuisim.data import memory
from tuisim.errors import DataError, MemoryNeeded, printable

_BROKEN = (
    ValueError, TypeError, KeyError, EOFError, OverflowError, RuntimeError, NotImplementedError, SyntaxError,
    IndexError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip

PACKED_LIMIT = 64 * 2**20
"""Packed data may always unpack to so many bytes,"""
PACKED_RATIO = 100
"""and beyond only to so many times what they take in the file: a few kilobytes can claim to be gigabytes."""
_PIECE = 2**20


def name_of(path: Path) -> str:
    """The path as a message shows it, its end where it is long."""
    text = printable(str(path), 4096)
    return text if len(text) <= 60 else "…" + text[-59:]


def writable(path: Path) -> bool:
    """Tell if `path` is a writable folder or could be created; nothing is created to find out."""
    there = next((one for one in (path, *path.parents) if os.path.exists(one)), path)
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The regular file at `path` and its size in bytes; whatever is raised while it is open becomes a DataError."""
    name = name_of(path)
    try:
        with open(files.descriptor(path), "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; give the path of a CSV, NPY, NPZ or IDX file") from None
    except files.NotRegular as error:
        if error.is_directory:
            raise DataError(f"{name} is a directory: give the path of a file in it") from None
        raise DataError(f"{name} is a device or a pipe: give the path of a regular file") from None
    except MemoryError:
        raise MemoryNeeded(f"{name}: there is not enough memory to read it: give fewer rows") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{name} cannot be read: {printable(reason, 100)}: check the file") from None
    except _BROKEN as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it does not say why"
        raise DataError(f"{name} is broken or incomplete ({printable(reason, 100)}): write it again") from None


def check_size(name: str, claimed: int, stored: int) -> None:
    """Refuses `claimed` bytes that `stored` bytes of a file cannot honestly hold, or that memory cannot."""
    if claimed > max(PACKED_LIMIT, PACKED_RATIO * stored):
        raise DataError(
            f"{name} claims {units.size(claimed)} in {units.size(stored)} of file: not read, store it with less packing"
        )
    memory.need(claimed, name, "give fewer rows")


def exactly(stream: IO[bytes], count: int) -> bytes:
    """The next `count` bytes. Raises EOFError where there are fewer."""
    data = stream.read(count)
    if len(data) != count:
        raise EOFError("it ends too early")
    return data


def fill(stream: IO[bytes], count: int) -> NDArray[np.uint8]:
    """The last `count` bytes of a stream as an array. Raises EOFError where they are fewer or more.

    What is allocated grows with what is really there, so that a length that lies costs no memory.
    """
    first = stream.read(min(count, _PIECE))
    if len(first) < min(count, _PIECE):
        raise EOFError("it ends too early")
    array = np.empty(count, dtype=np.uint8)
    array[: len(first)] = np.frombuffer(first, dtype=np.uint8)
    view, done = memoryview(cast(Any, array)), len(first)
    while done < count:
        got = stream.readinto(view[done : done + 16 * _PIECE])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("it ends too early")
        done += got
    if stream.read(1):
        raise EOFError("it goes on after its end")
    return array
