"""The tick counter of x86 processors, read inside compiled code, where a phase may be shorter than a call from Python.

On other processors it stays at 0, and `has_tick_counter` is False.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from time import perf_counter
from typing import Any

from llvmlite import ir
from numba import types

from tuisim.backends.numba.compiler import intrinsic, shared_compiler

has_tick_counter: bool = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


@intrinsic
def ticks(typing_context: Any) -> tuple[Any, Any]:
    """Return the counter, which grows at a constant rate."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        if not has_tick_counter:
            return ir.Constant(word, 0)
        return builder.call(builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(word, ())), ())

    return types.uint64(), code


def _read() -> int:
    reading: int = ticks()
    return reading


class TickRate:
    """Seconds per tick, from reading both clocks at two times; the longer between them, the more accurate."""

    def __init__(self) -> None:
        self._read: Callable[[], int] | None = None
        self._start = 0.0, 0

    def begin(self) -> None:
        """Read both clocks for the first time; later calls do nothing."""
        if self._read is None:
            self._read = shared_compiler.compiled(_read, types.uint64())
            self._start = perf_counter(), self._read()

    def seconds(self) -> float:
        """Return the seconds per tick between the first reading and now."""
        assert self._read is not None
        start, first = self._start
        return (perf_counter() - start) / max(self._read() - first, 1)


rate = TickRate()
