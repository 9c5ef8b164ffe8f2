"""NPZ archives: named arrays in a zip file whose directory is checked before anything in it is unpacked.

It does not know which array holds the answers.
"""

from __future__ import annotations

import struct
import zipfile
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import npy, reading
from tuisim.errors import DataError, printable

_MEMBERS = 1_024
_DIRECTORY_LIMIT = 2**20
"""Bytes of the list of members, which zipfile would read whole."""
_ENCRYPTED = 1


class Archive:
    """An NPZ file, its members checked and listed, none unpacked yet. A context manager."""

    def __init__(self, file: IO[bytes], size: int, name: str) -> None:
        self.name = name
        self._size = size
        _check_directory(file, size, name)
        self._zip = zipfile.ZipFile(file)
        self._members = self._listed()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays' names, without .npy."""
        return tuple(self._members)

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        if len(self._zip.infolist()) > _MEMBERS:
            raise DataError(f"{self.name} has more than {_MEMBERS:,} members: save only the arrays that are needed")
        for info in self._zip.infolist():
            name = info.filename.removesuffix(".npy")
            if name in members:
                raise DataError(f"{self.name} has two members named {printable(name)}: write it again")
            members[name] = info
        if sum(info.compress_size for info in members.values()) > self._size:
            raise DataError(f"{self.name} claims members larger than the file: write it again")
        return members

    def read(self, name: str) -> NDArray[Any]:
        """The array `name`, unpacked. Raises DataError, or what zipfile raises on broken ones."""
        info = self._members[name]
        shown = f"{self.name}, array {printable(name, 30)}"
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{shown} is encrypted: save it without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{shown} is packed in a way that is not read: save it with numpy.savez or numpy.savez_compressed")
        with self._zip.open(info) as stream:
            return npy.read(stream, info.file_size, info.compress_size, shown)


def text_classes(array: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The sorted different texts of an array (rows,) and each row's place among them. Raises UnicodeError."""
    texts = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    different, places = np.unique(texts, return_inverse=True)
    return tuple(map(str, different.tolist())), places.astype(np.int64)


def _check_directory(file: IO[bytes], size: int, name: str) -> None:
    """Refuses a list of members too long to be an archive of arrays, before zipfile reads it."""
    tail_size = min(size, 22 + 65_535 + 20)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise DataError(f"{name} is a zip file that ends too early: write it again")
    length: int = struct.unpack_from("<I", tail, end + 12)[0]
    locator = end - 20
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        # Where a zip64 record exists, zipfile believes it rather than the older one.
        file.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = reading.exactly(file, 56)
        length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", record, 40)[0])
    if length > min(size, _DIRECTORY_LIMIT):
        raise DataError(f"{name} claims a list of members of {length:,} bytes: save only the arrays that are needed")
    file.seek(0)
