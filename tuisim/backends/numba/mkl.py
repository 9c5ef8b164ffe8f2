"""Intel's MKL, where its package is installed: another library of matrix products, on many processors quicker than NumPy's own.

It finds the library, names it and keeps it to so many threads; what is multiplied is not known here.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from tuisim.backends.thread_limit import Limit, Restore

_FILE = re.compile(r"(lib)?mkl_rt(\.\d+)?\.(so(\.\d+)?|dll|dylib)")
"""The one library of MKL's that brings the others."""
_NEEDED = ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads", "cblas_sgemm_64", "cblas_dgemm_64")
_MOST = 256
"""Characters of its own description of itself."""


@dataclass(frozen=True)
class Mkl:
    """The loaded library."""

    library: Any
    name: str
    """`MKL 2026.0.1`."""

    @property
    def threads(self) -> int:
        """As many as it uses now."""
        return int(self.library.MKL_Get_Max_Threads())


@cache
def mkl() -> Mkl | None:
    """The library; none where its package is not installed or does not work here."""
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
            except (OSError, AttributeError):  # made for another system, or not the library that its name says
                continue
    return None


def _version(library: Any) -> str:
    words = ctypes.create_string_buffer(_MOST)
    library.mkl_get_version_string(words, _MOST)
    found = re.search(r"Version (\d+(?:\.\d+)*)", words.value.decode(errors="replace"))
    return found[1] if found else ""


def _put(count: int) -> Restore:
    found = mkl()
    assert found is not None
    before, put = found.threads, found.library.MKL_Set_Num_Threads
    put(count)
    return partial(put, before)


_limit = Limit(_put)


def hold(count: int) -> AbstractContextManager[None]:
    """Keep MKL, where there is one, to so many threads inside."""
    return _limit.hold(count) if mkl() is not None else nullcontext()
