"""Sweeps over widths and batches, under way and ended, with times that a test can rely on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuisim.config import RunConfig
from tuisim.features.compare.crossover.cell import TIE, Cell
from tuisim.features.compare.crossover.result import Crossover
from tuisim.features.compare.crossover.rule import rule
from tuisim.features.compare.crossover.sweep import BATCHES, WIDTHS, SweepProgress
from tuisim.features.compare.entries import BackendEntry

CONFIG = RunConfig(layers=(64, 32, 10))
PAIR = (BackendEntry("numpy", None), BackendEntry("numba", None))
THREADS = (BackendEntry("numpy", 1), BackendEntry("numpy", 2))


def cell(width: int, batch: int, **changes: Any) -> Cell:
    """Return a cell: numba wins below 4,096 = width × batch, NumPy above, and just there they tie."""
    product = width * batch
    ratio = 1.0 if product == 4_096 else 0.125 if product < 4_096 else 1.25
    plain = Cell(
        width, batch, 6 * width * width * batch, seconds=(8e-4, 8e-4 * ratio), spreads=(2e-5, 1e-5), ratio=ratio,
        ratio_spread=0.02, rounds=9, winner=TIE if ratio == 1 else PAIR[ratio < 1].name,
    )  # fmt: skip
    return replace(plain, **changes)


FULL = tuple(sorted((cell(w, b) for w in WIDTHS for b in BATCHES), key=lambda one: one.operations))
BLANK = Cell(2_048, 1_024, 10**10, reason="left out: its rounds would take 44.0 s, projected, and 2.00 s are left")
FAILED = Cell(2_048, 256, 10**9, reason="numba: out of memory", failed=True)
CELLS = (*(one for one in FULL if one.size not in (BLANK.size, FAILED.size)), FAILED, BLANK)
MORE = (*CELLS, *(cell(w, b, in_between=True) for w, b in ((48, 64), (96, 64), (64, 32), (32, 128), (384, 16), (192, 16))))
NAMES = (PAIR[0].name, PAIR[1].name)
HALF = SweepProgress(tuple(one if n < 25 else Cell(*one.size, one.operations) for n, one in enumerate(FULL)), FULL[25].size,
                FULL[24].size, 7.0)  # fmt: skip


def ended(cells: Sequence[Cell] = MORE) -> Crossover:
    """Return the sweep of these cells."""
    notes = ("numpy@2: uses every core, so none is left for the app",)
    return Crossover(CONFIG, PAIR, (1, 1), ("OpenBLAS", "Numba"), tuple(cells), rule(cells, NAMES), notes, 20.0, 19.8)


END = SweepProgress(MORE, None, (96, 64), 19.8)
