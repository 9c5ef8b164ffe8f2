"""Compilation with Numba: its options, the entry function of each dtype, and the seconds spent compiling.

Nothing is compiled before the first bound step.
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
from numba.core import event
from numba.extending import intrinsic as numba_intrinsic

from tuisim import files, stages
from tuisim.backends import gemm_dispatch
from tuisim.files import is_writable

Function = TypeVar("Function", bound=Callable[..., Any])
Entry = Callable[..., int]

VERSION: str = numba.__version__
_njit: Any = numba.njit
intrinsic = cast(Callable[[Callable[..., Any]], Any], numba_intrinsic)
"""The decorator of a function of the typing context and the types of the arguments, which returns signature and code."""

_REDUCTION_FLAGS = {"reassoc", "contract", "nsz"}
"""Sums may be vectorized and a·b + c rounded once. Never `nnan` or `ninf`: values that are not finite must be detected."""

_CACHE_SUFFIXES = (".nbi", ".nbc")
"""Files of Numba's cache: indexes and machine code."""
_INNER: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
"""Kernels are called from compiled code only: wrappers for Python would take half of the compile time. They allocate no arrays,
so reference counting is off; it took 70 ns per operation."""


_kernels: list[Any] = []
"""Every kernel, compiled or not."""


def _kernel(function: Function, **options: Any) -> Function:
    made = _njit(error_model="numpy", **options, **_INNER)(function)
    _kernels.append(made)
    return cast(Function, made)


def kernel(function: Function) -> Function:
    """Compile a function for callers in compiled code; a·b + c may be rounded once."""
    return _kernel(function, fastmath={"contract"})


def reduction_kernel(function: Function) -> Function:
    """Compile a kernel whose sums may be reordered, so that dot products use SIMD."""
    return _kernel(function, fastmath=_REDUCTION_FLAGS)


def inline_kernel(function: Function) -> Function:
    """Compile a kernel that LLVM inlines: passing its arguments would double the time of an innermost block."""
    return _kernel(function, fastmath={"contract"}, forceinline=True)


def inline_source(function: Function) -> Function:
    """Inline a part of a long function into its caller before compilation, so that it is not also compiled on its own."""
    return cast(Function, _njit(inline="always", _nrt=False)(function))


def stamp() -> int:
    """Return a number that changes with any source file of this package and of GEMM dispatch.

    Numba identifies a cached function by its own file, code and closure, and would use it although a kernel in another file
    has changed; this number is part of its closure.
    """
    digest = hashlib.sha256()
    for source in (Path(gemm_dispatch.__file__), *sorted(Path(__file__).parent.glob("*.py"))):
        digest.update(source.read_bytes())
    return int.from_bytes(digest.digest()[:4], "little") | 1


class _Counting(event.Listener):
    """Reports the kernels that are compiled; those of Numba itself and of Python's mathematics are not counted."""

    def __init__(self) -> None:
        self._compiled: set[int] = set()

    def on_start(self, event: Any) -> None:
        """Wait for the end."""

    def on_end(self, event: Any) -> None:
        """Report one kernel more."""
        dispatcher = event.data["dispatcher"]
        if any(dispatcher is one for one in _kernels):
            self._compiled.add(id(dispatcher))
            stages.report(len(self._compiled), len(_kernels) + 1, "kernels")  # the step itself is the last


class Compiler:
    """The functions compiled in this process, and the time that took."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self.seconds: float | None = None
        """Seconds spent compiling or loading from Numba's cache; None before the first time."""

    def entry(self, dtype: str, make: Callable[[int], Callable[..., Any]]) -> Entry:
        """Return `make(stamp)` compiled for `dtype`, once per process."""
        if dtype not in self._entries:
            self._entries[dtype] = self.compiled(make(stamp()), _signature(dtype))
        return self._entries[dtype]

    def compiled(self, function: Callable[..., Any], signature: Any) -> Entry:
        """Compile a function that Python can call, cached on disk if there is a folder for it."""
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
        start = perf_counter()
        try:
            if not _has_folder():
                raise NotImplementedError  # Numba would create one in an unexpected place
            made = _njit(cache=True, **options)(function)
            if not files.all_regular(made.stats.cache_path, _CACHE_SUFFIXES):
                raise NotImplementedError  # Numba would wait for a pipe
            with event.install_listener("numba:compile", _Counting()):
                made.compile(signature)
            made.disable_compile()
        except Exception:  # no cache folder, a full disk, a damaged file
            with event.install_listener("numba:compile", _Counting()):
                made = _njit([signature], **options)(function)
        self.seconds = (self.seconds or 0.0) + perf_counter() - start
        return cast(Entry, made)


def _has_folder() -> bool:
    """Return True if Numba has a cache folder. Without a home it would create one named `~` in the current folder."""
    from numba.misc import appdirs

    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(cast(Any, appdirs).user_cache_dir())
    return bool(named) or user.is_absolute() or is_writable(Path(__file__).parent / "__pycache__")


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


shared_compiler = Compiler()
"""The compiler of this process."""
