"""GEMM dispatch of the compiled backend: which matrix products go to BLAS, and which loops compute the others.

The module imports nothing that computes, so that a machine profile can be read where Numba is not installed.
"""

from __future__ import annotations

from tuisim.program import Kind

BLAS_MIN_PRODUCT = {Kind.DENSE: 30_000, Kind.INPUT_GRADIENT: 30_000, Kind.WEIGHT_GRADIENT: 5_000}
"""B·N·M above which BLAS computes a product; below, loops finish before BLAS has checked its arguments.

Measured on a Xeon with AVX-512, OpenBLAS, one thread: microseconds per product by which BLAS is slower (+) or faster (−).

| layers, batch | B·N·M | forward | weights | inputs |
|---|---|---|---|---|
| 30-30-30, 8 | 7,200 | +0.2 | −0.3 | +0.3 |
| 30-30-30, 32 | 28,800 | 0.0 | −0.9 | +0.4 |
| 64-64-64, 8 | 32,768 | −1.2 | −1.6 | −2.7 |
| 784-128-10, 8 | 802,816 | −21 | −17 | |
| 512-512-512, 8 | 2,097,152 | −147 | +356 | −569 |
| 512-512-512, 32 | 8,388,608 | −1,554 | −69 | −1,422 |
"""
BLAS_MIN_ROWS, MAX_WEIGHTS_OF_FEW_ROWS = 32, 100_000
"""A gradient of more weights from fewer rows is limited by memory, and BLAS writes it twice: it first writes zeros."""
TRANSPOSE_MIN_ROWS = 8
"""Rows of a batch from which transposing W pays. For a W of 30×30, one row of the batch takes 0.18 µs as dot products with the
rows of W, and 0.04 µs as a weighted sum of the rows of Wᵀ; transposing takes 0.5 µs."""
SIMD_WIDTH = {"float32": 8, "float64": 4}
"""Numbers in one SIMD vector of the loops."""


def uses_blas(kind: Kind, batch: int, inputs: int, outputs: int) -> bool:
    """Return True if BLAS computes the product, where it can be called."""
    weights = inputs * outputs
    if kind is Kind.WEIGHT_GRADIENT and batch < BLAS_MIN_ROWS and weights > MAX_WEIGHTS_OF_FEW_ROWS:
        return False
    return kind in BLAS_MIN_PRODUCT and batch * weights > BLAS_MIN_PRODUCT[kind]


def transposes_weights(dtype: str, batch: int, outputs: int) -> bool:
    """Return True if the loops of an input gradient transpose the weights first: many rows, or rows of W too short for SIMD."""
    return batch >= TRANSPOSE_MIN_ROWS or outputs < SIMD_WIDTH[dtype]


def gemm_kernel(backend: str, dtype: str, kind: Kind, batch: int, inputs: int, outputs: int) -> str:
    """Return the name of the kernel; empty for a backend with only one, and for operations that are not matrix products."""
    if backend != "numba" or kind not in BLAS_MIN_PRODUCT:
        return ""
    if uses_blas(kind, batch, inputs, outputs):
        return "blas"
    transposed = kind is Kind.INPUT_GRADIENT and transposes_weights(dtype, batch, outputs)
    columns = inputs if transposed else outputs
    if columns < SIMD_WIDTH[dtype]:
        return "transposed narrow" if transposed else "narrow"
    if kind is Kind.INPUT_GRADIENT:
        return "transposed" if transposed else "dots"
    return "simd"
