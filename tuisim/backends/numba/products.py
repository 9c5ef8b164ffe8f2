"""Sums of rows with weights, in blocks that stay in registers: what both z = x·W and gW = xᵀ·d are.

out[r, :] = start + Σₜ c[r, t]·v[t, :], with c's steps from row to row and from term to term given, so that it may be read
either way round. The last block of columns begins early enough to end with the row: what it covers twice comes out the
same. Whether this is a layer's way forward or back is not known here. Offsets are unsigned throughout: Numba looks twice at
an index that may be negative, and loops with such a look use no lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import block, kernel
from tuisim.backends.numba.lanes import add_product, add_up, count, load, only_last, spread, store

ZERO: Any = np.uint64(0)
ONE: Any = np.uint64(1)
TWO: Any = np.uint64(2)
THREE: Any = np.uint64(3)
FOUR: Any = np.uint64(4)


@block
def four_rows(
    c: Any, at: int, down: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, first: Any, second: Any,
    start: Any, begin: Any, started: Any,
) -> None:  # fmt: skip
    """A block of four rows by two lanes, at columns `first` and `second`."""
    zero = spread(c.dtype.type(0))
    a0, b0 = zero, zero
    if started != ZERO:
        a0, b0 = load(start, begin + first), load(start, begin + second)
    a1, a2, a3, b1, b2, b3 = a0, a0, a0, b0, b0, b0
    at1, at2, at3 = at + down, at + down + down, at + down + down + down
    term, row = ZERO, rows
    for _ in range(terms):
        a, b = load(v, row + first), load(v, row + second)
        x0, x1, x2, x3 = spread(c[at + term]), spread(c[at1 + term]), spread(c[at2 + term]), spread(c[at3 + term])
        a0, b0 = add_product(a0, x0, a), add_product(b0, x0, b)
        a1, b1 = add_product(a1, x1, a), add_product(b1, x1, b)
        a2, b2 = add_product(a2, x2, a), add_product(b2, x2, b)
        a3, b3 = add_product(a3, x3, a), add_product(b3, x3, b)
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


@block
def one_row(
    c: Any, at: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, first: Any, second: Any, third: Any,
    fourth: Any, start: Any, begin: Any, started: Any,
) -> None:  # fmt: skip
    """A block of one row by four lanes."""
    zero = spread(c.dtype.type(0))
    t0, t1, t2, t3 = zero, zero, zero, zero
    if started != ZERO:
        t0, t1 = load(start, begin + first), load(start, begin + second)
        t2, t3 = load(start, begin + third), load(start, begin + fourth)
    term, row = at, rows
    for _ in range(terms):
        x = spread(c[term])
        t0, t1 = add_product(t0, x, load(v, row + first)), add_product(t1, x, load(v, row + second))
        t2, t3 = add_product(t2, x, load(v, row + third)), add_product(t3, x, load(v, row + fourth))
        term += along
        row += m
    store(out, to + first, t0)
    store(out, to + second, t1)
    store(out, to + third, t2)
    store(out, to + fourth, t3)


@kernel
def combine(
    c: Any, at: int, down: int, along: int, height: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int,
    start: Any, begin: Any, started: Any,
) -> None:  # fmt: skip
    """All of it: `height` rows of m columns. Where `started` is not 0, each begins with what `start` holds from `begin` on."""
    wide = count(c)
    if m < wide:
        for r in range(height):
            for j in range(m):
                total = start[begin + j] if started != ZERO else c.dtype.type(0)
                for t in range(terms):
                    total += c[at + r * down + t * along] * v[rows + t * m + j]
                out[to + r * m + j] = total
        return
    last = m - wide
    fours = height - height % FOUR
    for r in range(ZERO, fours, FOUR):
        for j in range(ZERO, m, TWO * wide):
            first, second = min(j, last), min(j + wide, last)
            four_rows(c, at + r * down, down, along, terms, v, rows, m, out, to + r * m, first, second, start, begin, started)
    for r in range(fours, height):
        for j in range(ZERO, m, FOUR * wide):
            first, second = min(j, last), min(j + wide, last)
            third, fourth = min(j + TWO * wide, last), min(j + THREE * wide, last)
            one_row(
                c, at + r * down, along, terms, v, rows, m, out, to + r * m, first, second, third, fourth, start, begin, started
            )


@kernel
def transpose(v: Any, rows: int, n: int, m: int, out: Any, to: int) -> None:
    """out[j, k] = v[k, j], of n rows and m columns; four columns at a time, so that few lines of cache are written at once."""
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


@block
def four_dots(d: Any, row: int, v: Any, at: Any, m: int, out: Any, to: int) -> None:
    """Products of one row of d with four rows of v, both of m ≥ one value's numbers."""
    wide = count(d)
    zero, rest, last = spread(d.dtype.type(0)), m % wide, m - wide
    t0, t1, t2, t3 = zero, zero, zero, zero
    at1, at2, at3 = at + m, at + m + m, at + m + m + m
    for j in range(ZERO, m - rest, wide):
        x = load(d, row + j)
        t0, t1 = add_product(t0, x, load(v, at + j)), add_product(t1, x, load(v, at1 + j))
        t2, t3 = add_product(t2, x, load(v, at2 + j)), add_product(t3, x, load(v, at3 + j))
    if rest != ZERO:
        x = only_last(load(d, row + last), rest)
        t0, t1 = add_product(t0, x, load(v, at + last)), add_product(t1, x, load(v, at1 + last))
        t2, t3 = add_product(t2, x, load(v, at2 + last)), add_product(t3, x, load(v, at3 + last))
    out[to], out[to + ONE], out[to + TWO], out[to + THREE] = add_up(t0), add_up(t1), add_up(t2), add_up(t3)


@kernel
def dots(d: Any, at: int, height: int, v: Any, rows: int, n: int, m: int, out: Any, to: int) -> None:
    """out[r, k] = Σⱼ d[r, j]·v[k, j], for `height` rows r and n rows k."""
    fours = n - n % FOUR if m >= count(d) else ZERO
    for r in range(height):
        row, place = at + r * m, to + r * n
        for k in range(ZERO, fours, FOUR):
            four_dots(d, row, v, rows + k * m, m, out, place + k)
        for k in range(fours, n):
            total = d.dtype.type(0)
            for j in range(m):
                total += d[row + j] * v[rows + k * m + j]
            out[place + k] = total
