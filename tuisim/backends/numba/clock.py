"""The processor's own clock, readable inside compiled code, where a phase may be shorter than a call from Python.

What is timed with it is not known here. Only x86 has one that any program may read by one instruction; elsewhere it stays
at 0, and `ticking` says so.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from time import perf_counter
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tuisim.backends.numba.compiler import machine

ticking: bool = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
"""Whether the clock moves."""


def _ticks(typing_context: Any) -> tuple[Any, Any]:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        if not ticking:
            return ir.Constant(word, 0)
        return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(word, ())), ())

    return types.uint64(), code


ticks: Any = intrinsic(_ticks)
"""The clock's reading, a whole number that grows at a steady rate; for compiled code."""


def _read() -> int:
    reading: int = ticks()
    return reading


class Rate:
    """Seconds per tick, from both clocks read at two moments: the longer between them, the better."""

    def __init__(self) -> None:
        self._read: Callable[[], int] | None = None
        self._start = 0.0, 0

    def begin(self) -> None:
        """The first moment; later calls change nothing."""
        if self._read is None:
            self._read = machine.compiled(_read, types.uint64())
            self._start = perf_counter(), self._read()

    def seconds(self) -> float:
        """Seconds per tick, as found from the first moment to now."""
        assert self._read is not None
        start, first = self._start
        return (perf_counter() - start) / max(self._read() - first, 1)


rate = Rate()
