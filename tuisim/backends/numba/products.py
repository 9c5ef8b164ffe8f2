"""Sums of rows with weights, in blocks that stay in registers: what both z = x·W and gW = xᵀ·d are.

out[r, :] = start + Σₜ c[r, t]·v[t, :], with c's steps from row to row and from term to term given, so that it may be read
either way round. The last block of columns begins early enough to end with the row: what it covers twice comes out the
same. Where a row is narrower than one value, what lies behind it is read along: arrays have room to spare at their end, and
only what belongs to the row is written. Whether this is a layer's way forward or back is not known here. Offsets are unsigned
throughout: Numba looks twice at an index that may be negative, and loops with such a look use no lanes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import block, kernel
from tuisim.backends.numba.simd import add_product, add_up, count, load, only_last, pick, spread, store

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


@block
def put(out: Any, to: int, m: int, lanes: Any) -> None:
    """The first m of a value's numbers."""
    for j in range(m):
        out[to + j] = pick(lanes, j)


@block
def narrow_rows(
    c: Any, at: int, down: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, start: Any, begin: Any,
    started: Any,
) -> None:  # fmt: skip
    """Four rows of fewer columns than a value has numbers: those beyond are of what lies behind, computed and left."""
    a0 = spread(c.dtype.type(0))
    if started != ZERO:
        a0 = load(start, begin)
    a1, a2, a3 = a0, a0, a0
    at1, at2, at3 = at + down, at + down + down, at + down + down + down
    term, row = ZERO, rows
    for _ in range(terms):
        a = load(v, row)
        a0, a1 = add_product(a0, spread(c[at + term]), a), add_product(a1, spread(c[at1 + term]), a)
        a2, a3 = add_product(a2, spread(c[at2 + term]), a), add_product(a3, spread(c[at3 + term]), a)
        term += along
        row += m
    put(out, to, m, a0)
    put(out, to + m, m, a1)
    put(out, to + m + m, m, a2)
    put(out, to + m + m + m, m, a3)


@block
def narrow_row(
    c: Any, at: int, along: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int, start: Any, begin: Any, started: Any
) -> None:
    """One such row; four sums side by side, since each addition waits for the one before it."""
    zero, one = spread(c.dtype.type(0)), spread(c.dtype.type(1))
    a0, a1, a2, a3 = zero, zero, zero, zero
    if started != ZERO:
        a0 = load(start, begin)
    fours, term, row = terms - terms % FOUR, at, rows
    for _ in range(ZERO, fours, FOUR):
        a0 = add_product(a0, spread(c[term]), load(v, row))
        a1 = add_product(a1, spread(c[term + along]), load(v, row + m))
        a2 = add_product(a2, spread(c[term + TWO * along]), load(v, row + TWO * m))
        a3 = add_product(a3, spread(c[term + THREE * along]), load(v, row + THREE * m))
        term += FOUR * along
        row += FOUR * m
    for _ in range(fours, terms):
        a0 = add_product(a0, spread(c[term]), load(v, row))
        term += along
        row += m
    put(out, to, m, add_product(add_product(a0, one, a1), one, add_product(a2, one, a3)))


@kernel
def combine(
    c: Any, at: int, down: int, along: int, height: int, terms: int, v: Any, rows: int, m: int, out: Any, to: int,
    start: Any, begin: Any, started: Any,
) -> None:  # fmt: skip
    """All of it: `height` rows of m columns. Where `started` is not 0, each begins with what `start` holds from `begin` on."""
    wide = count(c)
    if m < wide:
        whole = height - height % FOUR
        for r in range(ZERO, whole, FOUR):
            narrow_rows(c, at + r * down, down, along, terms, v, rows, m, out, to + r * m, start, begin, started)
        for r in range(whole, height):
            narrow_row(c, at + r * down, along, terms, v, rows, m, out, to + r * m, start, begin, started)
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
