"""Flush-to-zero: while a step runs, the processor writes 0 instead of subnormal numbers, on the calling thread.

Many processors compute with subnormal numbers ten to a hundred times slower; PyTorch's `set_flush_denormal` and XLA switch the
same bits. On x86-64 they are FTZ and DAZ of MXCSR (results and operands; Intel SDM vol. 1, 10.2.3), on 64-bit ARM FZ of FPCR.
They are set through C's floating-point environment; where that fails, `available()` is False and the kernels flush by
comparison.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from tuisim.config.choices import SMALLEST_NORMAL

_FENV_BYTES = 512
"""Bytes for a `fenv_t`, more than any of these systems needs."""
_FTZ_DAZ = 0x8040
_FZ = 1 << 24
_DN_FLUSH, _MCW_DN, _SW_UNDERFLOW = 0x0100_0000, 0x0300_0000, 0x2
"""Windows: the value and the mask of `_controlfp` for subnormal numbers, and the flag of `_statusfp`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Position of the control word in a `fenv_t`: bytes of a word, which word, the bits that flush, and the underflow flag."""

    word: int
    place: int
    bits: int
    underflow: int


LAYOUTS = {
    ("linux", "x86_64"): Layout(4, 7, _FTZ_DAZ, 0x10),
    ("darwin", "x86_64"): Layout(4, 1, _FTZ_DAZ, 0x10),
    ("linux", "aarch64"): Layout(4, 0, _FZ, 0x08),
    ("darwin", "arm64"): Layout(8, 1, _FZ, 0x08),
}
"""Layouts by `sys.platform` and machine, from the `fenv.h` of glibc, musl and Apple."""


class Flushing:
    """A reusable context in which the processor flushes on the calling thread; this one has no effect.

    Other threads, such as those of BLAS, are not affected.
    """

    underflowed: Callable[[], int] | None = None
    """A function that returns nonzero if the latest NumPy call flushed a result; each call clears the flag first.

    None if the processor does not flush.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


class _Fenv(Flushing):
    """C's `fegetenv` and `fesetenv`, for POSIX systems."""

    def __init__(self, library: Any, layout: Layout) -> None:
        self._get, self._set = library.fegetenv, library.fesetenv
        self.underflowed = partial(library.fetestexcept, layout.underflow)
        self._layout = layout
        words: Any = (ctypes.c_uint64 if layout.word == 8 else ctypes.c_uint32) * (_FENV_BYTES // layout.word)
        self._before, self._flushing = words(), words()

    def __enter__(self) -> None:
        self._get(self._before)
        self._get(self._flushing)
        self._flushing[self._layout.place] |= self._layout.bits
        self._set(self._flushing)

    def __exit__(self, *error: object) -> None:
        self._set(self._before)


class _Controlfp(Flushing):
    """Microsoft's `_controlfp`, which sets the same bits for the calling thread."""

    def __init__(self, library: Any) -> None:
        self._control, status = library._controlfp, library._statusfp
        self._control.restype = status.restype = ctypes.c_uint
        self.underflowed = lambda: int(status() & _SW_UNDERFLOW)
        self._before = 0

    def __enter__(self) -> None:
        self._before = self._control(0, 0) & _MCW_DN
        self._control(_DN_FLUSH, _MCW_DN)

    def __exit__(self, *error: object) -> None:
        self._control(self._before, _MCW_DN)


def _control() -> Flushing | None:
    """Return the control for this system; None if there is none."""
    try:
        if sys.platform == "win32":
            return _Controlfp(ctypes.CDLL("ucrtbase"))
        layout = LAYOUTS.get((sys.platform, platform.machine()))
        process = ctypes.CDLL(None)  # it has `fegetenv` on macOS and with musl; with glibc, libm has it
        library = process if hasattr(process, "fegetenv") else ctypes.CDLL("libm.so.6")
        return None if layout is None else _Fenv(library, layout)
    except (OSError, AttributeError):
        return None


def flushes(control: Flushing) -> bool:
    """Return True if half of the smallest normal number is 0 inside the context, and not after it, in both dtypes."""
    smallest = [np.array([SMALLEST_NORMAL[dtype]] * 16, dtype) for dtype in ("float32", "float64")]
    with control:
        inside = [np.multiply(array, array.dtype.type(0.5)) for array in smallest]
    after = [np.multiply(array, array.dtype.type(0.5)) for array in smallest]
    return not any(map(np.any, inside)) and all(map(np.all, after))


@cache
def available() -> bool:
    """Return True if the processor can flush here, tested once."""
    control = _control()
    return control is not None and flushes(control)


def flushing(enabled: bool) -> Flushing:
    """Return a context that flushes if `enabled` and available."""
    return (_control() if enabled and available() else None) or Flushing()
