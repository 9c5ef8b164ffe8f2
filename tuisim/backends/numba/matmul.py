"""Matrix products as weighted sums of rows, in blocks that stay in registers.

out[r, :] = start + Σₜ c[r, t]·v[t, :]. The strides `down` and `along` of c, between rows and between terms, are given, so that c
may be transposed. The last block of columns begins early enough to end with the row: columns that it covers twice get the same
result. If a row is narrower than one SIMD vector, the numbers after it are read too, so arrays are padded at their end, and
only those of the row are written. Offsets are unsigned: Numba checks an index that may be negative, and loops with such a
check do not use SIMD.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import inline_kernel, kernel
from tuisim.backends.numba.simd import broadcast, extract, keep_last, load, multiply_add, reduce_add, simd_width, store

ZERO: Any = np.uint64(0)
ONE: Any = np.uint64(1)
TWO: Any = np.uint64(2)
THREE: Any = np.uint64(3)
FOUR: Any = np.uint64(4)


@inline_kernel
def four_rows(
    c: Any, at: int, down: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, first: Any, second: Any,
    start: Any, begin: Any, has_start: Any,
) -> None:  # fmt: skip
    """Compute a block of four rows by two SIMD vectors, at columns `first` and `second`."""
    zero = broadcast(c.dtype.type(0))
    a0, b0 = zero, zero
    if has_start != ZERO:
        a0, b0 = load(start, begin + first), load(start, begin + second)
    a1, a2, a3, b1, b2, b3 = a0, a0, a0, b0, b0, b0
    at1, at2, at3 = at + down, at + down + down, at + down + down + down
    term, row = ZERO, rows
    for _ in range(terms):
        a, b = load(v, row + first), load(v, row + second)
        x0, x1, x2, x3 = broadcast(c[at + term]), broadcast(c[at1 + term]), broadcast(c[at2 + term]), broadcast(c[at3 + term])
        a0, b0 = multiply_add(a0, x0, a), multiply_add(b0, x0, b)
        a1, b1 = multiply_add(a1, x1, a), multiply_add(b1, x1, b)
        a2, b2 = multiply_add(a2, x2, a), multiply_add(b2, x2, b)
        a3, b3 = multiply_add(a3, x3, a), multiply_add(b3, x3, b)
        term += along
        row += m
    to1, to2, to3 = to + m, to + m + m, to + m + m + m
    store(out, to + first, a0)
    store(out, to + second, b0)
    store(out, to1 + first, a1)
    store(out, to1 + second, b1)
    store(out, to2 + first, a2)
    store(out, to2 + second, b2)
    store(out, to3 + first, a3)
    store(out, to3 + second, b3)


@inline_kernel
def one_row(
    c: Any, at: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, first: Any, second: Any, third: Any,
    fourth: Any, start: Any, begin: Any, has_start: Any,
) -> None:  # fmt: skip
    """Compute a block of one row by four SIMD vectors."""
    zero = broadcast(c.dtype.type(0))
    t0, t1, t2, t3 = zero, zero, zero, zero
    if has_start != ZERO:
        t0, t1 = load(start, begin + first), load(start, begin + second)
        t2, t3 = load(start, begin + third), load(start, begin + fourth)
    term, row = at, rows
    for _ in range(terms):
        x = broadcast(c[term])
        t0, t1 = multiply_add(t0, x, load(v, row + first)), multiply_add(t1, x, load(v, row + second))
        t2, t3 = multiply_add(t2, x, load(v, row + third)), multiply_add(t3, x, load(v, row + fourth))
        term += along
        row += m
    store(out, to + first, t0)
    store(out, to + second, t1)
    store(out, to + third, t2)
    store(out, to + fourth, t3)


@inline_kernel
def store_first(out: Any, to: int, m: int, value: Any) -> None:
    """Store the first m numbers of a SIMD vector."""
    for j in range(m):
        out[to + j] = extract(value, j)


@inline_kernel
def narrow_rows(
    c: Any, at: int, down: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, start: Any, begin: Any,
    has_start: Any,
) -> None:  # fmt: skip
    """Compute four rows of fewer columns than a SIMD vector; the numbers beyond them are computed and dropped."""
    a0 = broadcast(c.dtype.type(0))
    if has_start != ZERO:
        a0 = load(start, begin)
    a1, a2, a3 = a0, a0, a0
    at1, at2, at3 = at + down, at + down + down, at + down + down + down
    term, row = ZERO, rows
    for _ in range(terms):
        a = load(v, row)
        a0, a1 = multiply_add(a0, broadcast(c[at + term]), a), multiply_add(a1, broadcast(c[at1 + term]), a)
        a2, a3 = multiply_add(a2, broadcast(c[at2 + term]), a), multiply_add(a3, broadcast(c[at3 + term]), a)
        term += along
        row += m
    store_first(out, to, m, a0)
    store_first(out, to + m, m, a1)
    store_first(out, to + m + m, m, a2)
    store_first(out, to + m + m + m, m, a3)


@inline_kernel
def narrow_row(
    c: Any, at: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, start: Any, begin: Any, has_start: Any
) -> None:
    """Compute one such row by four independent sums, since each addition waits for the one before it."""
    zero, one = broadcast(c.dtype.type(0)), broadcast(c.dtype.type(1))
    a0, a1, a2, a3 = zero, zero, zero, zero
    if has_start != ZERO:
        a0 = load(start, begin)
    fours, term, row = terms - terms % FOUR, at, rows
    for _ in range(ZERO, fours, FOUR):
        a0 = multiply_add(a0, broadcast(c[term]), load(v, row))
        a1 = multiply_add(a1, broadcast(c[term + along]), load(v, row + m))
        a2 = multiply_add(a2, broadcast(c[term + TWO * along]), load(v, row + TWO * m))
        a3 = multiply_add(a3, broadcast(c[term + THREE * along]), load(v, row + THREE * m))
        term += FOUR * along
        row += FOUR * m
    for _ in range(fours, terms):
        a0 = multiply_add(a0, broadcast(c[term]), load(v, row))
        term += along
        row += m
    store_first(out, to, m, multiply_add(multiply_add(a0, one, a1), one, multiply_add(a2, one, a3)))


@kernel
def matmul(
    c: Any, at: int, down: int, along: int, height: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int,
    start: Any, begin: Any, has_start: Any,
) -> None:  # fmt: skip
    """Compute `height` rows of m columns. If `has_start` is not 0, each starts with the values of `start` from `begin` on."""
    wide = simd_width(c)
    if m < wide:
        whole = height - height % FOUR
        for r in range(ZERO, whole, FOUR):
            narrow_rows(c, at + r * down, down, along, terms, v, rows, m, out, to + r * m, start, begin, has_start)
        for r in range(whole, height):
            narrow_row(c, at + r * down, along, terms, v, rows, m, out, to + r * m, start, begin, has_start)
        return
    last = m - wide
    fours = height - height % FOUR
    for r in range(ZERO, fours, FOUR):
        for j in range(ZERO, m, TWO * wide):
            first, second = min(j, last), min(j + wide, last)
            four_rows(c, at + r * down, down, along, terms, v, rows, m, out, to + r * m, first, second, start, begin, has_start)
    for r in range(fours, height):
        for j in range(ZERO, m, FOUR * wide):
            first, second = min(j, last), min(j + wide, last)
            third, fourth = min(j + TWO * wide, last), min(j + THREE * wide, last)
            one_row(
                c, at + r * down, along, terms, v, rows, m, out, to + r * m, first, second, third, fourth, start, begin, has_start
            )


@kernel
def transpose(v: Any, rows: int, n: int, m: int, out: Any, to: int) -> None:
    """Compute out[j, k] = v[k, j], of n rows and m columns; four columns at a time, to write few cache lines at once."""
    fours = m - m % FOUR
    for j in range(ZERO, fours, FOUR):
        at, to0 = rows + j, to + j * n
        to1, to2, to3 = to0 + n, to0 + n + n, to0 + n + n + n
        for k in range(n):
            v0, v1, v2, v3 = v[at], v[at + ONE], v[at + TWO], v[at + THREE]
            out[to0 + k], out[to1 + k], out[to2 + k], out[to3 + k] = v0, v1, v2, v3
            at += m
    for j in range(fours, m):
        for k in range(n):
            out[to + j * n + k] = v[rows + k * m + j]


@inline_kernel
def four_dots(d: Any, row: int, v: Any, at: Any, m: int, out: Any, to: int) -> None:
    """Compute the dot products of one row of d with four rows of v, all of m numbers: at least one SIMD vector."""
    wide = simd_width(d)
    zero, rest, last = broadcast(d.dtype.type(0)), m % wide, m - wide
    t0, t1, t2, t3 = zero, zero, zero, zero
    at1, at2, at3 = at + m, at + m + m, at + m + m + m
    for j in range(ZERO, m - rest, wide):
        x = load(d, row + j)
        t0, t1 = multiply_add(t0, x, load(v, at + j)), multiply_add(t1, x, load(v, at1 + j))
        t2, t3 = multiply_add(t2, x, load(v, at2 + j)), multiply_add(t3, x, load(v, at3 + j))
    if rest != ZERO:
        x = keep_last(load(d, row + last), rest)
        t0, t1 = multiply_add(t0, x, load(v, at + last)), multiply_add(t1, x, load(v, at1 + last))
        t2, t3 = multiply_add(t2, x, load(v, at2 + last)), multiply_add(t3, x, load(v, at3 + last))
    out[to], out[to + ONE], out[to + TWO], out[to + THREE] = (
        reduce_add(t0),
        reduce_add(t1),
        reduce_add(t2),
        reduce_add(t3),
    )


@kernel
def dot_products(d: Any, at: int, height: int, v: Any, rows: int, n: int, m: int, out: Any, to: int) -> None:
    """Compute out[r, k] = Σⱼ d[r, j]·v[k, j], for `height` rows r and n rows k."""
    fours = n - n % FOUR if m >= simd_width(d) else ZERO
    for r in range(height):
        row, place = at + r * m, to + r * n
        for k in range(ZERO, fours, FOUR):
            four_dots(d, row, v, rows + k * m, m, out, place + k)
        for k in range(fours, n):
            total = d.dtype.type(0)
            for j in range(m):
                total += d[row + j] * v[rows + k * m + j]
            out[place + k] = total
