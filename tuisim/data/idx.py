"""IDX files, the format of MNIST: a header of sizes, then one array; plain or compressed with gzip.

Format: two zero bytes, a type, the number of dimensions, each size as four bytes, most significant first.
"""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from tuisim.data import reading
from tuisim.errors import DataError
from tuisim.files import display_name

GZIP = b"\x1f\x8b"
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(start: bytes) -> bool:
    """Return True if a file that begins with `start`, four bytes or more, is an IDX file."""
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in _TYPES and 1 <= start[3] <= 4


def is_images(file: IO[bytes]) -> bool:
    """Return True if a file, plain or gzip, begins as an IDX file; it is read from its beginning afterwards."""
    start = file.read(4)
    file.seek(0)
    if start[:2] == GZIP:
        with gzip.open(file) as stream:
            start = stream.read(4)
        file.seek(0)
    return is_idx(start)


def read(path: Path) -> NDArray[Any]:
    """Return the array in an IDX file, plain or gzip. Raises DataError."""
    name = display_name(path)
    with reading.opened(path) as (file, size):
        is_gzip = file.read(2) == GZIP
        file.seek(0)
        if not is_gzip:
            return _read(file, size, name)
        with gzip.open(file) as stream:
            return _read(cast(IO[bytes], stream), size, name)


def _read(stream: IO[bytes], stored: int, name: str) -> NDArray[Any]:
    start = reading.exactly(stream, 4)
    if not is_idx(start):
        raise DataError(f"{name} does not begin as an IDX file: give images such as train-images-idx3-ubyte")
    shape = struct.unpack(f">{start[3]}I", reading.exactly(stream, 4 * start[3]))
    dtype = np.dtype(_TYPES[start[2]])
    claimed = math.prod(shape) * dtype.itemsize
    if not claimed:
        raise DataError(f"{name} has no values (sizes {shape}): give at least one row")
    reading.check_size(name, claimed, stored)
    return reading.read_rest(stream, claimed).view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def find_labels(images: Path) -> Path | None:
    """Return the labels file that belongs to an images file by the usual names, plain or .gz; None if there is none."""
    name = images.name.removesuffix(".gz")
    renamed = name.replace("images", "labels").replace("idx3", "idx1").replace("idx2", "idx1").replace("idx4", "idx1")
    if renamed == name:
        return None
    candidates = (images.with_name(one) for one in (renamed + images.name[len(name) :], renamed, renamed + ".gz"))
    return next((path for path in candidates if path.is_file()), None)
