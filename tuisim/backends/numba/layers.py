"""The layers' products over flat arrays: forward, and the three parts of the way back.

`p` holds what is the step's own (a batch, activations and their gradients), `s` what steps share (parameters and their
gradients); every buffer is an offset. How a product is cut into blocks is not known here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuisim.backends import gemm_dispatch as ways
from tuisim.backends.numba.compiler import kernel, product
from tuisim.backends.numba.gemm import gemm
from tuisim.backends.numba.products import ONE, ZERO, combine, dots, transpose
from tuisim.backends.numba.simd import count

TURNING_PAYS: Any = np.uint64(ways.TURNING_PAYS)


@kernel
def dense(p: Any, s: Any, batch: int, n: int, m: int, x: int, w: int, b: int, z: int) -> None:
    """z = x·W + b: each row of z is b and a sum of W's rows."""
    combine(p, x, n, ONE, batch, n, s, w, m, p, z, s, b, ONE)


@kernel
def dense_by_blas(call: Any, p: Any, s: Any, batch: int, n: int, m: int, x: int, w: int, b: int, z: int) -> None:
    """The same: z is b in every row, and the product is added to it."""
    for i in range(batch):
        row = z + i * m
        for j in range(m):
            p[row + j] = s[b + j]
    gemm(call, False, False, batch, m, n, p, x, s, w, p.dtype.type(1), p, z)


@kernel
def weight_gradient_by_blas(call: Any, p: Any, s: Any, batch: int, n: int, m: int, x: int, d: int, g: int) -> None:
    gemm(call, True, False, n, m, batch, p, x, p, d, p.dtype.type(0), s, g)


@kernel
def input_gradient_by_blas(call: Any, p: Any, s: Any, batch: int, n: int, m: int, d: int, w: int, out: int) -> None:
    gemm(call, False, True, batch, n, m, p, d, s, w, p.dtype.type(0), p, out)


@kernel
def weight_gradient(p: Any, s: Any, batch: int, n: int, m: int, x: int, d: int, g: int) -> None:
    """gW = xᵀ·d: each row of gW is a sum of d's rows."""
    combine(p, x, ONE, n, n, batch, p, d, m, s, g, s, ZERO, ZERO)


@product
def bias_gradient(p: Any, s: Any, batch: int, m: int, d: int, g: int) -> None:
    """gb = the rows of d added up."""
    for j in range(m):
        s[g + j] = p[d + j]
    for i in range(ONE, batch):
        row = d + i * m
        for j in range(m):
            s[g + j] += p[row + j]


@kernel
def input_gradient(p: Any, s: Any, batch: int, n: int, m: int, d: int, w: int, out: int, turned: int) -> None:
    """d·Wᵀ: products of d's rows with W's rows, or sums of Wᵀ's rows where it pays to write Wᵀ at `turned` first."""
    if batch < TURNING_PAYS and m >= count(p):
        dots(p, d, batch, s, w, n, m, p, out)
    else:
        transpose(s, w, n, m, p, turned)
        combine(p, d, m, ONE, batch, m, p, turned, n, p, out, p, ZERO, ZERO)
