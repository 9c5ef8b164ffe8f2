"""The rule of a sweep in words: the size at which the faster backend changes, computed from the measured cells alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, permutations
from typing import Any

from tuisim import units
from tuisim.features.compare.crossover.cell import TIE, Cell

PRODUCT, OPERATIONS, WIDTH = "width × batch", "operations per step", "width"


@dataclass(frozen=True, slots=True)
class Threshold:
    """A size that separates the winners: `below` is faster below `value`, `above` otherwise; either may be TIE."""

    of: str
    """The quantity that is compared with `value`: PRODUCT, OPERATIONS or WIDTH."""
    value: int
    width: int
    """Width of a measured cell with exactly this value."""
    batch: int
    below: str
    above: str
    correct: int
    """The number of measured cells for which that is true."""
    regret: float
    """Sum over the other cells of the logarithm of the speed that is lost."""


@dataclass(frozen=True)
class Rule:
    """The sentences, and the figures in them."""

    sentences: tuple[str, ...]
    """The whole map first, then by batch, then the range."""
    threshold: Threshold | None
    """None if one wins everywhere, or if no threshold is better than always using the same one."""
    measured: int
    ties: int
    """Cells that neither wins."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        threshold = None if self.threshold is None else asdict(self.threshold)
        return {
            "sentences": list(self.sentences),
            "threshold": threshold and {name: value for name, value in threshold.items() if name != "regret"},
            "measured": self.measured,
            "ties": self.ties,
        }


def rule(cells: Sequence[Cell], names: tuple[str, str]) -> Rule:
    """Return the rule of a sweep of the two `names`; blank cells are ignored."""
    measured = [cell for cell in cells if cell.winner]
    if not measured:
        return Rule(("nothing was measured, so there is no rule",), None, 0, 0)
    reach, ties = _range(cells, measured), sum(cell.winner == TIE for cell in measured)
    winners = {cell.winner for cell in measured}
    if len(winners) == 1:
        where = f"all {len(measured)} measured cells" if len(measured) > 1 else "the one measured cell"
        words = f"{names[0]} and {names[1]} tie in {where}"
        if (winner := winners.pop()) != TIE:
            words = f"{winner} wins in {where}: {_factors(measured)} as fast"
        return Rule((words, reach), None, len(measured), ties)
    keys: tuple[tuple[str, Callable[[Cell], int]], ...] = (
        (PRODUCT, lambda cell: cell.width * cell.batch),
        (OPERATIONS, lambda cell: cell.operations),
    )
    found = [best for of, key in keys if (best := _best(measured, of, key)) is not None]
    # If both are equally good, the product, which needs no ledger.
    threshold = min(found, key=lambda best: (-best.correct, best.of != PRODUCT), default=None)
    sentences = (_overall(threshold, measured), _gains(measured, names), *_by_batch(measured), reach)
    return Rule(sentences, threshold, len(measured), ties)


# ── thresholds ──


def _best(measured: Sequence[Cell], of: str, key: Callable[[Cell], int]) -> Threshold | None:
    """Return the threshold with the fewest mistakes; None if always using the same backend makes no more."""
    counts = Counter(sorted(cell.winner for cell in measured))
    found: list[Threshold] = []
    for value in sorted({key(cell) for cell in measured})[1:]:
        at = min((cell for cell in measured if key(cell) == value), key=lambda cell: abs(math.log(cell.width / cell.batch)))
        for below, above in permutations(counts, 2):
            wrong = [cell for cell in measured if cell.winner != (below if key(cell) < value else above)]
            regret = sum(math.log(cell.factor or 1.0) for cell in wrong)
            found.append(Threshold(of, value, at.width, at.batch, below, above, len(measured) - len(wrong), regret))
    best = min(found, key=lambda threshold: (-threshold.correct, threshold.regret), default=None)
    return best if best is not None and best.correct > max(counts.values()) else None


# ── words ──


def _overall(threshold: Threshold | None, measured: Sequence[Cell]) -> str:
    if threshold is None:
        return f"no threshold in size: {_counts(measured)} of {len(measured)} cells"
    size = f"width {units.count(threshold.width)}, batch {units.count(threshold.batch)}"
    if threshold.of == PRODUCT:
        where = f"width × batch below {units.count(threshold.value)} (reached at {size})"
    else:
        where = f"below {units.si(threshold.value)} operations per step (reached at {size})"
    below, above = ("a tie" if label == TIE else f"use {label}" for label in (threshold.below, threshold.above))
    of = "all" if threshold.correct == len(measured) else f"{threshold.correct} of"
    return f"{where}: {below}; otherwise: {above}; correct in {of} {len(measured)} cells"


def _gains(measured: Sequence[Cell], names: tuple[str, str]) -> str:
    """Return how much faster each is in the cells that it wins."""
    parts: list[str] = []
    for name in names:
        won = [cell for cell in measured if cell.winner == name]
        parts += [f"{name} {_factors(won)} as fast in {units.counted(len(won), 'cell')}"] if won else []
    ties = sum(cell.winner == TIE for cell in measured)
    return ", ".join([*parts, *([f"a tie in {units.counted(ties, 'cell')}"] if ties else [])])


def _by_batch(measured: Sequence[Cell]) -> list[str]:
    """Return the threshold width of each batch that was asked for; neighbouring batches with the same one are joined."""
    asked = sorted({cell.batch for cell in measured if not cell.in_between})
    said = [(_by_width([cell for cell in measured if cell.batch == batch]), batch) for batch in asked]
    lines: list[str] = []
    for words, group in groupby(said, key=lambda one: one[0]):
        batches = [units.count(batch) for _, batch in group]
        joined = f"{', '.join(batches[:-1])} and {batches[-1]}"
        lines.append(f"batch {batches[0]}: {words}" if len(batches) == 1 else f"batches {joined}: {words}")
    return lines


def _by_width(column: Sequence[Cell]) -> str:
    labels = {cell.winner for cell in column}
    if len(labels) == 1:
        low, high = min(cell.width for cell in column), max(cell.width for cell in column)
        widths = f"width {units.count(low)}" if low == high else f"widths {units.count(low)} to {units.count(high)}"
        return f"{labels.pop()} at {widths}"
    best = _best(column, WIDTH, lambda cell: cell.width)
    if best is None:
        return f"no threshold in width: {_counts(column)} of {len(column)}"
    correct = "" if best.correct == len(column) else f" (correct in {best.correct} of {len(column)})"
    return f"{best.below} below width {units.count(best.width)}, otherwise {best.above}{correct}"


def _counts(cells: Sequence[Cell]) -> str:
    """Return `numpy in 3, tie in 2`, the most frequent first."""
    counts = Counter(sorted(cell.winner for cell in cells))
    return ", ".join(f"{label} in {number}" for label, number in counts.most_common())


def _range(cells: Sequence[Cell], measured: Sequence[Cell]) -> str:
    """Return the largest measured size, and how many cells have no figures."""
    largest = max(measured, key=lambda cell: cell.operations)
    size = f"width {units.count(largest.width)}, batch {units.count(largest.batch)}"
    words = f"measured up to {size}: {units.si(largest.operations)} operations per step"
    blank, failed = (sum(not cell.winner and cell.failed is kind for cell in cells) for kind in (False, True))
    words += f"; {blank} of {len(cells)} cells left blank" if blank else ""
    return words + (f"; {units.counted(failed, 'cell')} failed" if failed else "")


def _factors(won: Sequence[Cell]) -> str:
    factors = [cell.factor for cell in won if cell.factor is not None]
    low, high = factor_text(min(factors)), factor_text(max(factors))
    return f"{low} to {high} times" if low != high else f"{low} times"


def factor_text(factor: float) -> str:
    """Write a factor above 1 in at most four characters: `1.04`, `7.5`, `24`, `1.2k`."""
    if factor < 1.095:
        return f"{factor:.2f}"
    if factor < 9.95:
        return f"{factor:.1f}"
    return f"{factor:.0f}" if factor < 999.5 else f"{factor / 1000:.2g}k" if factor < 99_500 else f"{factor / 1000:.0f}k"
