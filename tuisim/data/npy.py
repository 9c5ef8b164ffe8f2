"""Arrays in NumPy's file format, read without pickle and without believing the header before it agrees with the size.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. It does not know what the arrays mean.
"""

from __future__ import annotations

import math
import re
import struct
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


def read(stream: IO[bytes], size: int, stored: int, name: str) -> NDArray[Any]:
    """The array in `stream`, of `size` bytes in all that take `stored` in the file. Raises DataError or what broke."""
    dtype, fortran, shape, used = _header(stream, name)
    claimed = math.prod(shape) * dtype.itemsize
    if not claimed:
        raise DataError(f"{name} has no values (shape {_show(shape)}): give at least one row")
    if claimed != size - used:
        raise DataError(f"{name} says shape {_show(shape)}, {claimed:,} bytes, and holds {size - used:,}: write it again")
    reading.check_size(name, claimed, stored)
    array = reading.fill(stream, claimed).view(dtype).reshape(shape, order="F" if fortran else "C")
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _show(shape: tuple[int, ...]) -> str:
    return printable(" × ".join(map(str, shape)))


def _header(stream: IO[bytes], name: str) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Type, order, shape, and how many bytes they took; read as text and matched, never evaluated."""
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
