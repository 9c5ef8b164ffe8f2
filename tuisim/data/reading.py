"""Reading of files that may be missing, broken or hostile: every failure becomes a DataError of one line that names the file."""

from __future__ import annotations

import logging
import lzma
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

from tuisim import files, stages, units
from tuisim.data import memory
from tuisim.errors import DataError, MemoryNeeded, printable

log = logging.getLogger(__name__)

_BROKEN = (
    ValueError, TypeError, KeyError, EOFError, OverflowError, RuntimeError, NotImplementedError, SyntaxError,
    IndexError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
)  # fmt: skip

PACKED_LIMIT = 64 * 2**20
"""Bytes that compressed data may always unpack to;"""
PACKED_RATIO = 100
"""beyond, at most this multiple of their size in the file: a few kilobytes can claim to be gigabytes."""
_PIECE = 2**20


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """Open the regular file at `path` and yield it with its size in bytes; failures inside become DataErrors."""
    name = files.display_name(path)
    try:
        with open(files.descriptor(path), "rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise DataError(f"{name}: no such file; give the path of a table (CSV and alike), NPY, NPZ or IDX file") from None
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
        log.debug("%s cannot be parsed", name, exc_info=True)
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
        raise DataError(f"{name} is broken or incomplete ({printable(reason, 100)}): write it again") from None


def identity(file: IO[bytes]) -> tuple[int, int, int, int]:
    """Return what changes when the content of an open file does: its device, number, time of change and size."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def check_size(name: str, claimed: int, stored: int) -> None:
    """Raise an error if `claimed` bytes are implausible for `stored` bytes of a file, or more than memory can hold."""
    if claimed > max(PACKED_LIMIT, PACKED_RATIO * stored):
        sizes = f"{units.size(claimed)} in {units.size(stored)} of file"
        raise DataError(f"{name} claims {sizes}: not read, store it with less compression")
    memory.require(claimed, name, "give fewer rows")


def exactly(stream: IO[bytes], count: int) -> bytes:
    """Return the next `count` bytes. Raises EOFError if there are fewer."""
    data = stream.read(count)
    if len(data) != count:
        raise EOFError("it ends too early")
    return data


def read_rest(stream: IO[bytes], count: int) -> NDArray[np.uint8]:
    """Return the last `count` bytes of a stream as an array. Raises EOFError if there are fewer or more.

    The array is allocated only after the first bytes were read, so a wrong length costs no memory.
    """
    first = exactly(stream, min(count, _PIECE))
    array = np.empty(count, dtype=np.uint8)
    array[: len(first)] = np.frombuffer(first, dtype=np.uint8)
    view, done = memoryview(cast(Any, array)), len(first)
    while done < count:
        got = stream.readinto(view[done : done + 16 * _PIECE])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("it ends too early")
        done += got
        stages.report(done, count, "B")
    if stream.read(1):
        raise EOFError("it continues after its end")
    return array
