"""How functions become machine code: Numba's options in one place, and how long compiling has taken so far.

What the functions compute is not its to know. Nothing is compiled until a bound step asks for the whole step's function.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar, cast

import numba
from numba import types

from tuisim import files
from tuisim.backends import gemm_dispatch as ways
from tuisim.files import is_writable

Function = TypeVar("Function", bound=Callable[..., Any])
Entry = Callable[..., int]

VERSION: str = numba.__version__
_njit: Any = numba.njit

_PRODUCT_FLAGS = {"reassoc", "contract", "nsz"}
"""Sums may be cut into lanes and a·b + c be rounded once. Never `nnan` or `ninf`: what is not finite must be found."""

_CACHED = (".nbi", ".nbc")
"""Suffixes of the files in Numba's cache: indexes and machine code."""
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
"""Kernels are called from compiled code alone: wrappers for Python would take half of the compile time. No array is made
there, so none need be counted: counting took 70 ns per operation."""


def kernel(function: Function) -> Function:
    """Compile as part of its caller; a·b + c may be rounded once, everything else is as written."""
    return cast(Function, _njit(error_model="numpy", fastmath={"contract"}, **_INNER)(function))


def product(function: Function) -> Function:
    """The same with sums in any order, which is what lets a dot product use the processor's lanes."""
    return cast(Function, _njit(error_model="numpy", fastmath=_PRODUCT_FLAGS, **_INNER)(function))


def block(function: Function) -> Function:
    """A kernel put wherever it is called: the innermost blocks, which handing over their arguments would double."""
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True, **_INNER}
    return cast(Function, _njit(**options)(function))


def inlined(function: Function) -> Function:
    """Part of its caller's own text: what is only cut out of a long function need not be compiled twice."""
    return cast(Function, _njit(inline="always", _nrt=False)(function))


def stamp() -> int:
    """A number that changes with any source of this package, and with the rules of which way is taken.

    Numba knows a cached function by its own file, code and closure, and would go on using it when only a kernel it calls
    in another file has changed; this number is put into its closure.
    """
    digest = hashlib.sha256()
    for source in (Path(ways.__file__), *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(source.read_bytes())
    return int.from_bytes(digest.digest()[:4], "little") | 1


class Machine:
    """What has been compiled in this process, and how long that took."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.seconds: float | None = None
        """Spent compiling, or loading what an earlier process compiled; none before the first."""

    def entry(self, dtype: str, make: Callable[[int], Callable[..., Any]]) -> Entry:
        """`make(stamp)` compiled for `dtype`, when first asked for, and kept."""
        if dtype not in self._entries:
            self._entries[dtype] = self.compiled(make(stamp()), _signature(dtype))
        return self._entries[dtype]

    def compiled(self, function: Callable[..., Any], signature: Any) -> Entry:
        """Machine code that Python can call, kept on disk for the next process where there is a folder for it."""
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
        start = perf_counter()
        try:
            if not _has_folder():
                raise NotImplementedError  # Numba would make one where nobody looks for it
            made = _njit(cache=True, **options)(function)
            if not files.all_regular(made.stats.cache_path, _CACHED):
                raise NotImplementedError  # Numba would wait for a pipe
            made.compile(signature)
            made.disable_compile()
        except Exception:  # no folder to keep it in, a full disk, a file torn in whatever way
            made = _njit([signature], **options)(function)
        self.seconds = (self.seconds or 0.0) + perf_counter() - start
        return cast(Entry, made)


def _has_folder() -> bool:
    """Tell if Numba has a folder for compiled code. Without a home it would create one named `~` in the current folder."""
    from numba.misc import appdirs

    named = os.environ.get("NUMBA_CACHE_DIR")
    own = Path(cast(Any, appdirs).user_cache_dir())
    return bool(named) or own.is_absolute() or is_writable(Path(__file__).parent / "__pycache__")


def _signature(dtype: str) -> Any:
    real = types.float64 if dtype == "float64" else types.float32

    def array(of: Any, dimensions: int = 1, readonly: bool = False) -> Any:
        return types.Array(of, dimensions, "C", readonly=readonly)

    return types.int64(
        array(types.uint64, 2),  # table
        array(types.uint64),  # span
        array(real),  # own
        array(real),  # shared
        array(types.int64),  # integers
        array(types.float64),  # scalars
        array(types.float64),  # constants
        array(real, 2, readonly=True),  # inputs
        array(real, 2, readonly=True),  # targets
        array(types.int64, 1, readonly=True),  # classes
        array(types.int64, 1, readonly=True),  # rows
        array(types.float64),  # losses
        array(types.uint64),  # times
    )


machine = Machine()
