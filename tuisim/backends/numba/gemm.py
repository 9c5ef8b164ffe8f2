"""Matrix products by MKL or by the BLAS that NumPy has loaded, called from compiled code: no interpreter between two of them.

It finds the library's own function and calls it by its address; what is multiplied is not known here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product as product_of
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tuisim.backends.numba.mkl import mkl
from tuisim.backends.numpy.blas import blas, pools, threads

_NAMES = ("cblas_{}gemm_64", "scipy_cblas_{}gemm64_", "cblas_{}gemm64_")
"""MKL's with 64-bit sizes; OpenBLAS's as NumPy's own wheels have it, and by itself. Under other names the sizes are not known."""
_ROW_MAJOR, _AS_IS, _TURNED = 101, 111, 112
"""CBLAS's."""
_TRIED = (37, 41, 53)
"""Rows, columns and terms of the products tried: odd, and more than a kernel's block."""


@dataclass(frozen=True, slots=True)
class Product:
    """A library's product of matrices of one dtype."""

    address: int
    """0 where there is none that we know how to call, or where it computes nonsense."""
    library: str
    """Whose it is."""


@cache
def product(dtype: str) -> Product:
    """MKL's where that is installed, else that of the BLAS that NumPy has loaded."""
    for name, library in _libraries():
        for symbol in _NAMES:
            function = getattr(library, symbol.format("d" if dtype == "float64" else "s"), None)
            if function is not None and _right(function, dtype):
                return Product(ctypes.cast(function, ctypes.c_void_p).value or 0, name)
    return Product(0, "")


def address(dtype: str) -> int:
    """Of `product`."""
    return product(dtype).address


def product_threads(library: str) -> int | None:
    """How many threads the library of that name uses now; none where that cannot be told."""
    found = mkl()
    return found.threads if found is not None and found.name == library else threads()


def _libraries() -> Iterator[tuple[str, Any]]:
    """Each with its name, the one that is to be taken first."""
    found = mkl()
    if found is not None:
        yield found.name, found.library
    controller = pools()
    for pool in controller.info() if controller is not None else ():
        # In a process where others have loaded a BLAS of their own, NumPy's is the one that it names.
        if pool.get("user_api") == "blas" and pool.get("filepath"):
            try:
                yield str(blas()), ctypes.CDLL(pool["filepath"])  # loaded already
            except OSError:
                continue


def _right(function: Any, dtype: str) -> bool:
    """Whether it is what its name says: products of whole numbers, either factor turned or not, beside NumPy's."""
    real, size = (ctypes.c_double if dtype == "float64" else ctypes.c_float), ctypes.c_int64
    flags, sizes = [ctypes.c_int] * 3, [size] * 3
    function.restype = None
    function.argtypes = [*flags, *sizes, real, ctypes.c_void_p, size, ctypes.c_void_p, size, real, ctypes.c_void_p, size]
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-4, 5, shape).astype(dtype) for shape in ((_TRIED[0], _TRIED[2]), (_TRIED[2], _TRIED[1])))
    wanted = a @ b
    for turn_a, turn_b, beta in product_of((False, True), (False, True), (0.0, 1.0)):
        left, right = (np.ascontiguousarray(one.T if turn else one) for one, turn in ((a, turn_a), (b, turn_b)))
        c = np.full_like(wanted, 1.0 if beta else np.nan)  # what is in it must not be read where beta is 0
        turns = [_TURNED if turn else _AS_IS for turn in (turn_a, turn_b)]
        function(
            _ROW_MAJOR, *turns, *_TRIED, 1.0, left.ctypes.data, left.shape[1], right.ctypes.data, right.shape[1], beta,
            c.ctypes.data, c.shape[1],
        )  # fmt: skip
        if not np.array_equal(c, wanted + beta):
            return False
    return True


def _gemm(
    typing_context: Any, function: Any, turn_a: Any, turn_b: Any, rows: Any, columns: Any, terms: Any, a: Any, a_at: Any,
    b: Any, b_at: Any, beta: Any, c: Any, c_at: Any,
) -> tuple[Any, Any]:  # fmt: skip
    real = c.dtype
    signature = types.void(
        types.uint64, types.boolean, types.boolean, types.uint64, types.uint64, types.uint64, a, types.uint64, b, types.uint64,
        real, c, types.uint64,
    )  # fmt: skip
    return signature, _code


def _code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """out ← a·b + beta·out over rows that lie one after another, each as long as it is wide."""
    function, turn_a, turn_b, rows, columns, terms, *_ = arguments
    real = context.get_value_type(signature.args[10])
    flag, size, pointer = ir.IntType(32), ir.IntType(64), real.as_pointer()

    def begin(array: int) -> Any:
        view = context.make_array(signature.args[array])(context, builder, arguments[array])
        return builder.gep(view.data, [arguments[array + 1]])

    def turned(yes: Any) -> Any:
        return builder.select(yes, ir.Constant(flag, _TURNED), ir.Constant(flag, _AS_IS))

    a_width, b_width = builder.select(turn_a, rows, terms), builder.select(turn_b, terms, columns)
    type_ = ir.FunctionType(
        ir.VoidType(),
        [flag, flag, flag, size, size, size, real, pointer, size, pointer, size, real, pointer, size],
    )
    call = builder.inttoptr(function, type_.as_pointer())
    builder.call(call, [
        ir.Constant(flag, _ROW_MAJOR), turned(turn_a), turned(turn_b), rows, columns, terms, ir.Constant(real, 1.0),
        begin(6), a_width, begin(8), b_width, arguments[10], begin(11), columns,
    ])  # fmt: skip
    return context.get_dummy_value()


gemm: Any = intrinsic(_gemm)
"""gemm(function, turn_a, turn_b, rows, columns, terms, a, a_at, b, b_at, beta, c, c_at): for compiled code.

c[c_at:] ← op(a[a_at:])·op(b[b_at:]) + beta·c[c_at:], of flat arrays; op(a) is (rows, terms) and op(b) (terms, columns), each
lying the other way round where it is to be turned. `function` is an `address` of c's dtype.
"""
