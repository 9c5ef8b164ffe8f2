"""Matrix products of the layers over flat arrays: the forward pass, and the gradients of the backward pass.

`p` holds the step's own buffers (the batch, activations and their gradients), `s` the shared ones (parameters and their
gradients); every buffer is an offset.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuisim.backends import gemm_dispatch
from tuisim.backends.numba.compiler import kernel, reduction_kernel
from tuisim.backends.numba.gemm import gemm
from tuisim.backends.numba.matmul import ONE, ZERO, dot_products, matmul, transpose
from tuisim.backends.numba.simd import simd_width

TRANSPOSE_MIN_ROWS: Any = np.uint64(gemm_dispatch.TRANSPOSE_MIN_ROWS)


@kernel
def dense_by_blas(call: Any, p: Any, s: Any, batch: int, n: int, m: int, x: int, w: int, b: int, z: int) -> None:
    """Compute z = x·W + b by BLAS, which adds the product to rows of b."""
    for i in range(batch):
        row = z + i * m
        for j in range(m):
            p[row + j] = s[b + j]
    gemm(call, False, False, batch, m, n, p, x, s, w, p.dtype.type(1), p, z)


@reduction_kernel
def bias_gradient(p: Any, s: Any, batch: int, m: int, d: int, g: int) -> None:
    """Compute gb = the sum of the rows of d."""
    for j in range(m):
        s[g + j] = p[d + j]
    for i in range(ONE, batch):
        row = d + i * m
        for j in range(m):
            s[g + j] += p[row + j]


@kernel
def input_gradient(p: Any, s: Any, batch: int, n: int, m: int, d: int, w: int, out: int, scratch: int) -> None:
    """Compute out = d·Wᵀ by dot products of rows, or by weighted sums of the rows of Wᵀ, which is written to `scratch`."""
    if batch < TRANSPOSE_MIN_ROWS and m >= simd_width(p):
        dot_products(p, d, batch, s, w, n, m, p, out)
    else:
        transpose(s, w, n, m, p, scratch)
        matmul(p, d, m, ONE, batch, m, p, scratch, n, p, out, p, ZERO, ZERO)
