"""The tick counter of x86 processors, read inside compiled code, where a phase may be shorter than a call from Python.

On other processors it stays at 0, and `has_tick_counter` is False.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
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


@cache
def start_clock() -> tuple[Callable[[], int], float, int]:
    """Return the function that reads the counter, and the readings of both clocks at the first call."""
    read = shared_compiler.compiled(_read, types.uint64())
    return read, perf_counter(), read()


def tick_seconds() -> float:
    """Return the seconds per tick between `start_clock` and now; the longer between them, the more accurate."""
    read, begun, first = start_clock()
    return (perf_counter() - begun) / max(read() - first, 1)
