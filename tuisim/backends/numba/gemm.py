"""GEMM of MKL or of the BLAS that NumPy has loaded, called from compiled code by the address of the function."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from tuisim.backends.numba.compiler import intrinsic
from tuisim.backends.numba.mkl import mkl
from tuisim.backends.numpy.blas import blas, blas_pools

_NAMES = ("cblas_{}gemm_64", "scipy_cblas_{}gemm64_", "cblas_{}gemm64_")
"""The functions with 64-bit sizes: MKL's, OpenBLAS's in NumPy's wheels, and OpenBLAS's. Other names may have other sizes."""
_ROW_MAJOR, _NO_TRANSPOSE, _TRANSPOSE = 101, 111, 112
"""Constants of CBLAS."""
_TEST_SIZES = (37, 41, 53)
"""Rows, columns and terms of the test products: odd, and larger than the block of a kernel."""


@dataclass(frozen=True, slots=True)
class GemmFunction:
    """The GEMM function of a library for one dtype."""

    address: int
    """0 if there is none that can be called, or if its results are wrong."""
    library: str
    """The name of the library."""


@cache
def find_gemm(dtype: str) -> GemmFunction:
    """Return the function of MKL if that is installed, else that of the BLAS that NumPy has loaded."""
    for name, library in _libraries():
        for symbol in _NAMES:
            function = getattr(library, symbol.format("d" if dtype == "float64" else "s"), None)
            if function is not None and _is_correct(function, dtype):
                return GemmFunction(ctypes.cast(function, ctypes.c_void_p).value or 0, name)
    return GemmFunction(0, "")


def address(dtype: str) -> int:
    """Return the address of `find_gemm(dtype)`."""
    return find_gemm(dtype).address


def _libraries() -> Iterator[tuple[str, Any]]:
    """Yield names and libraries, the preferred one first."""
    found = mkl()
    if found is not None:
        yield found.name, found.library
    for pool in blas_pools():
        try:
            yield str(blas()), ctypes.CDLL(pool["filepath"])  # already loaded
        except (OSError, KeyError):
            continue


def _is_correct(function: Any, dtype: str) -> bool:
    """Return True if products of integers equal NumPy's, with either factor transposed or not."""
    real, size = (ctypes.c_double if dtype == "float64" else ctypes.c_float), ctypes.c_int64
    flags, sizes = [ctypes.c_int] * 3, [size] * 3
    function.restype = None
    function.argtypes = [*flags, *sizes, real, ctypes.c_void_p, size, ctypes.c_void_p, size, real, ctypes.c_void_p, size]
    rng = np.random.default_rng(0)
    rows, columns, terms = _TEST_SIZES
    a, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in ((rows, terms), (terms, columns)))
    expected = a @ b
    for *transposed, beta in product((False, True), (False, True), (0.0, 1.0)):
        left, right = (np.ascontiguousarray(one.T if flag else one) for one, flag in zip((a, b), transposed, strict=True))
        c = np.full_like(expected, 1.0 if beta else np.nan)  # must not be read if beta is 0
        flags_ab = [_TRANSPOSE if flag else _NO_TRANSPOSE for flag in transposed]
        function(
            _ROW_MAJOR, *flags_ab, *_TEST_SIZES, 1.0, left.ctypes.data, left.shape[1], right.ctypes.data, right.shape[1], beta,
            c.ctypes.data, c.shape[1],
        )  # fmt: skip
        if not np.array_equal(c, expected + beta):
            return False
    return True


@intrinsic
def gemm(
    typing_context: Any, function: Any, trans_a: Any, trans_b: Any, rows: Any, columns: Any, terms: Any, a: Any, a_at: Any,
    b: Any, b_at: Any, beta: Any, c: Any, c_at: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Compute c[c_at:] ← op(a[a_at:])·op(b[b_at:]) + beta·c[c_at:] of flat arrays by `function`, the `address` for their dtype.

    op(a) is (rows, terms) and op(b) (terms, columns), each stored transposed if its flag is set.
    """
    real = c.dtype
    signature = types.void(
        types.uint64, types.boolean, types.boolean, types.uint64, types.uint64, types.uint64, a, types.uint64, b, types.uint64,
        real, c, types.uint64,
    )  # fmt: skip
    return signature, _code


def _code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Generate the call c ← op(a)·op(b) + beta·c of contiguous row-major matrices."""
    function, trans_a, trans_b, rows, columns, terms, *_ = arguments
    real = context.get_value_type(signature.args[10])
    flag, size, pointer = ir.IntType(32), ir.IntType(64), real.as_pointer()

    def begin(array: int) -> Any:
        view = context.make_array(signature.args[array])(context, builder, arguments[array])
        return builder.gep(view.data, [arguments[array + 1]])

    def cblas_flag(trans: Any) -> Any:
        return builder.select(trans, ir.Constant(flag, _TRANSPOSE), ir.Constant(flag, _NO_TRANSPOSE))

    a_width, b_width = builder.select(trans_a, rows, terms), builder.select(trans_b, terms, columns)
    type_ = ir.FunctionType(
        ir.VoidType(),
        [flag, flag, flag, size, size, size, real, pointer, size, pointer, size, real, pointer, size],
    )
    call = builder.inttoptr(function, type_.as_pointer())
    builder.call(call, [
        ir.Constant(flag, _ROW_MAJOR), cblas_flag(trans_a), cblas_flag(trans_b), rows, columns, terms, ir.Constant(real, 1.0),
        begin(6), a_width, begin(8), b_width, arguments[10], begin(11), columns,
    ])  # fmt: skip
    return context.get_dummy_value()
