"""Intel's MKL, where its package is installed: another library of matrix products, on many processors quicker than NumPy's own.

It finds the library, names it and keeps it to so many threads; what is multiplied is not known here.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

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


class _Threads:
    """MKL's one thread count per process: the newest holder's holds, and goes back as holders leave in any order."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted: list[tuple[object, int]] = []
        self._first = 1

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        found, token = mkl(), object()
        if found is None:
            yield
            return
        with self._lock:
            if not self._wanted:
                self._first = found.threads
            self._wanted.append((token, count))
            found.library.MKL_Set_Num_Threads(count)
        try:
            yield
        finally:
            with self._lock:
                self._wanted = [(held, wanted) for held, wanted in self._wanted if held is not token]
                found.library.MKL_Set_Num_Threads(self._wanted[-1][1] if self._wanted else self._first)


threads = _Threads()
"""Whoever wants MKL kept to so many threads asks here."""
