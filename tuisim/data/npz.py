"""NumPy's NPY and NPZ files, read without pickle; headers and zip directories are checked before anything is unpacked.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import reading
from tuisim.errors import DataError, printable

MAGIC = b"\x93NUMPY"
_HEADER_LIMIT = 4_096
_TEXT_LIMIT = 256
_TYPE = re.compile(r"[<>|=](?:f[248]|[iu][1248]|b1|[US]\d{1,9})")
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*['"]([^'"]*)['"]""")
_FORTRAN = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d\s,]*)\)""")
_MEMBERS = 1_024
_DIRECTORY_LIMIT = 2**20
"""Bytes of the list of members, which zipfile would read whole."""
_ENCRYPTED = 1


def read_array(stream: IO[bytes], size: int, stored: int, name: str) -> NDArray[Any]:
    """Return the array in `stream`, which has `size` bytes and takes `stored` bytes in the file. Raises DataError or EOFError."""
    dtype, fortran, shape, used = _read_header(stream, name)
    shown, claimed = printable(" × ".join(map(str, shape))), math.prod(shape) * dtype.itemsize
    if not claimed:
        raise DataError(f"{name} has no values (shape {shown}): give at least one row")
    if claimed != size - used:
        raise DataError(f"{name} says shape {shown}, {claimed:,} bytes, and holds {size - used:,}: write it again")
    reading.check_size(name, claimed, stored)
    array = reading.read_rest(stream, claimed).view(dtype).reshape(shape, order="F" if fortran else "C")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _read_header(stream: IO[bytes], name: str) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Return dtype, order, shape and the bytes of the header, whose text is matched and never evaluated."""
    if reading.exactly(stream, len(MAGIC)) != MAGIC:
        raise DataError(f"{name} does not begin as a NumPy array: save it with numpy.save or numpy.savez")
    major, minor = reading.exactly(stream, 2)
    if (major, minor) not in ((1, 0), (2, 0), (3, 0)):
        raise DataError(f"{name} has version {major}.{minor} of NumPy's format: versions 1.0 to 3.0 are read")
    form = "<H" if major == 1 else "<I"
    (length,) = struct.unpack(form, reading.exactly(stream, struct.calcsize(form)))
    if length > _HEADER_LIMIT:
        raise DataError(f"{name} claims a header of {length:,} bytes: at most {_HEADER_LIMIT:,} are read")
    text = reading.exactly(stream, length).decode("latin1" if major < 3 else "utf-8")
    descr, fortran, shape = _DESCR.search(text), _FORTRAN.search(text), _SHAPE.search(text)
    if not descr or not fortran or not shape:
        raise DataError(f"{name} holds records, or its header is broken: save one plain array of numbers")
    kind = descr[1]
    if not _TYPE.fullmatch(kind) or (kind[1] in "US" and not 1 <= int(kind[2:]) <= _TEXT_LIMIT):
        what = "Python objects, which are never read" if kind.endswith("O") else f"values of type {printable(kind)}"
        raise DataError(f"{name} holds {what}: save numbers")
    sizes = tuple(int(part) for part in shape[1].split(",") if part.strip())
    if not 1 <= len(sizes) <= 4:
        raise DataError(f"{name} has {len(sizes)} dimensions: rows and columns are needed")
    return np.dtype(kind), fortran[1] == "True", sizes, len(MAGIC) + 2 + struct.calcsize(form) + length


class Archive:
    """An NPZ file whose members are checked and listed, but not unpacked; `close` it."""

    def __init__(self, file: IO[bytes], size: int, name: str) -> None:
        self.name = name
        _check_directory(file, size, name)
        self._zip = zipfile.ZipFile(file)
        self.close = self._zip.close
        self._members = self._list_members(size)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays, without .npy."""
        return tuple(self._members)

    @property
    def members(self) -> tuple[zipfile.ZipInfo, ...]:
        """The files in the archive as its directory lists them."""
        return tuple(self._members.values())

    def _list_members(self, size: int) -> dict[str, zipfile.ZipInfo]:
        members: dict[str, zipfile.ZipInfo] = {}
        if len(self._zip.infolist()) > _MEMBERS:
            raise DataError(f"{self.name} has more than {_MEMBERS:,} members: save only the arrays that are needed")
        for member in self._zip.infolist():
            name = member.filename.removesuffix(".npy")
            if name in members:
                raise DataError(f"{self.name} has two members named {printable(name)}: write it again")
            members[name] = member
        if sum(member.compress_size for member in members.values()) > size:
            raise DataError(f"{self.name} claims members larger than the file: write it again")
        return members

    def read(self, name: str) -> NDArray[Any]:
        """Return the array `name`. Raises DataError, or what zipfile raises for a broken member."""
        member = self._members[name]
        shown = f"{self.name}, array {printable(name, 30)}"
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{shown} is encrypted: save it without a password")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{shown} uses an unsupported compression: save it with numpy.savez or numpy.savez_compressed")
        with self._zip.open(member) as stream:
            return read_array(stream, member.file_size, member.compress_size, shown)


def _check_directory(file: IO[bytes], size: int, name: str) -> None:
    """Raise DataError if the list of members is too long for an archive of arrays, before zipfile reads it."""
    tail_size = min(size, 22 + 65_535 + 20)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < 22:
        raise DataError(f"{name} is a zip file that ends too early: write it again")
    length: int = struct.unpack_from("<I", tail, end + 12)[0]
    locator = end - 20
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        # Where a zip64 record exists, zipfile prefers it to the older one.
        file.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = reading.exactly(file, 56)
        length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", record, 40)[0])
    if length > min(size, _DIRECTORY_LIMIT):
        raise DataError(f"{name} claims a list of members of {length:,} bytes: save only the arrays that are needed")
    file.seek(0)
