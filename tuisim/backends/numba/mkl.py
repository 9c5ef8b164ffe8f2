"""Intel's MKL, if its package is installed: its name, its functions and a limit on its threads."""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from tuisim.backends.numpy.blas import Restore, ThreadLimit

_FILE = re.compile(r"(lib)?mkl_rt(\.\d+)?\.(so(\.\d+)?|dll|dylib)")
"""The library of MKL that loads the others."""
_NEEDED = ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads", "cblas_sgemm_64", "cblas_dgemm_64")
_MAX_VERSION_BYTES = 256


@dataclass(frozen=True)
class Mkl:
    """The loaded library."""

    library: Any
    name: str
    """`MKL 2026.0.1`."""

    @property
    def threads(self) -> int:
        """The current number of threads."""
        return int(self.library.MKL_Get_Max_Threads())


@cache
def mkl() -> Mkl | None:
    """Return the library; None if its package is not installed or does not work here."""
    try:
        files = list(importlib.metadata.distribution("mkl").files or ())
    except Exception:  # not installed, or its list of files is damaged
        return None
    for file in files:
        if _FILE.fullmatch(file.name):
            try:
                library = ctypes.CDLL(str(file.locate()))
                for name in _NEEDED:
                    getattr(library, name)
                return Mkl(library, f"MKL {_version(library)}".rstrip())
            except (OSError, AttributeError):  # built for another system, or another library of that name
                continue
    return None


def _version(library: Any) -> str:
    words = ctypes.create_string_buffer(_MAX_VERSION_BYTES)
    library.mkl_get_version_string(words, _MAX_VERSION_BYTES)
    found = re.search(r"Version (\d+(?:\.\d+)*)", words.value.decode(errors="replace"))
    return found[1] if found else ""


def _set_count(count: int) -> Restore:
    found = mkl()
    assert found is not None
    before, set_threads = found.threads, found.library.MKL_Set_Num_Threads
    set_threads(count)
    return partial(set_threads, before)


_limit = ThreadLimit(_set_count)


def hold(count: int) -> AbstractContextManager[None]:
    """Limit MKL, if there is one, to `count` threads."""
    return _limit.hold(count) if mkl() is not None else nullcontext()
