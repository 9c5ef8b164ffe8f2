"""Which of several ways a backend takes to compute a product: for every way a price of its own.

The compiled backend chooses by these very rules. It imports nothing to compute with, so that a card of another machine can be
read where that backend is not installed.
"""

from __future__ import annotations

from tuisim.program import Kind

BLAS_PAYS = {Kind.DENSE: 30_000, Kind.INPUT_GRADIENT: 30_000, Kind.WEIGHT_GRADIENT: 5_000}
"""B·N·M above which BLAS does a product: less is done by loops before BLAS has looked at its arguments.

Measured on a Xeon with AVX-512, OpenBLAS, one thread; microseconds that BLAS takes more (+) or less (−) for one of them:

| layers, batch | B·N·M | forward | weights | inputs |
|---|---|---|---|---|
| 30-30-30, 8 | 7,200 | +0.2 | −0.3 | +0.3 |
| 30-30-30, 32 | 28,800 | 0.0 | −0.9 | +0.4 |
| 64-64-64, 8 | 32,768 | −1.2 | −1.6 | −2.7 |
| 784-128-10, 8 | 802,816 | −21 | −17 | |
| 512-512-512, 8 | 2,097,152 | −147 | +356 | −569 |
| 512-512-512, 32 | 8,388,608 | −1,554 | −69 | −1,422 |
"""
FEW_ROWS, MANY_WEIGHTS = 32, 100_000
"""A gradient of so many weights from fewer rows is written more than computed, and BLAS writes it twice: zeros come first."""
TURNING_PAYS = 8
"""Rows of a batch. Measured for 30×30: a row takes 0.18 µs as dot products and 0.04 µs as a sum, turning W 0.5 µs."""
LANES = {"float32": 8, "float64": 4}
"""Numbers in one of the wide values that the loops work on."""


def by_blas(kind: Kind, batch: int, inputs: int, outputs: int) -> bool:
    """Whether the compiled backend leaves a product to BLAS, where it can be called."""
    weights = inputs * outputs
    if kind is Kind.WEIGHT_GRADIENT and batch < FEW_ROWS and weights > MANY_WEIGHTS:
        return False
    return kind in BLAS_PAYS and batch * weights > BLAS_PAYS[kind]


def turns(dtype: str, batch: int, outputs: int) -> bool:
    """Whether the loops of an inputs' gradient write the weights the other way round first: rows too short for a value, too."""
    return batch >= TURNING_PAYS or outputs < LANES[dtype]


def way(backend: str, dtype: str, kind: Kind, batch: int, inputs: int, outputs: int) -> str:
    """The way's name; nothing for a backend that has one way only, and for what is no product."""
    if backend != "numba" or kind not in BLAS_PAYS:
        return ""
    if by_blas(kind, batch, inputs, outputs):
        return "blas"
    turned = kind is Kind.INPUT_GRADIENT and turns(dtype, batch, outputs)
    columns = inputs if turned else outputs
    if columns < LANES[dtype]:
        return "turned narrow" if turned else "narrow"
    if kind is Kind.INPUT_GRADIENT:
        return "turned" if turned else "dots"
    return "lanes"
