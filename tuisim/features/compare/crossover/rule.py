"""From which size on the other one wins, in words: computed from the measured cells alone, and no further than they reach.

It does not know how they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, permutations
from typing import Any

from tuisim import units
from tuisim.features.compare.crossover.cell import LEVEL, Cell, times

PRODUCT, OPERATIONS, WIDTH = "width × batch", "operations a step", "width"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below `value` one is true, from it on the other: a name that wins there, or LEVEL."""

    of: str
    """What is held against the value: PRODUCT, OPERATIONS or WIDTH."""
    value: int
    width: int
    """Of a measured cell of just this value."""
    batch: int
    below: str
    above: str
    right: int
    """Measured cells of which that is true."""
    regret: float
    """Sum over the cells that the other one wins of the logarithm of what is lost there."""


@dataclass(frozen=True)
class Rule:
    """The sentences, and the figures they are made of."""

    sentences: tuple[str, ...]
    """The whole map first, then batch by batch, then how far it reaches."""
    threshold: Threshold | None
    """None where one wins everywhere, or no size divides them better than always taking the same one."""
    measured: int
    level: int
    """Cells that neither wins."""

    def to_dict(self) -> dict[str, Any]:
        threshold = None if self.threshold is None else asdict(self.threshold)
        return {
            "sentences": list(self.sentences),
            "threshold": threshold and {name: value for name, value in threshold.items() if name != "regret"},
            "measured": self.measured,
            "level": self.level,
        }


def rule(cells: Sequence[Cell], names: tuple[str, str]) -> Rule:
    """Of a sweep of the two `names`; blank cells say nothing."""
    measured = [cell for cell in cells if cell.winner]
    if not measured:
        return Rule(("nothing was measured, so there is no rule",), None, 0, 0)
    reach, level = _reach(cells, measured), sum(cell.winner == LEVEL for cell in measured)
    winners = {cell.winner for cell in measured}
    if len(winners) == 1:
        return Rule((_everywhere(winners.pop(), measured, names), reach), None, len(measured), level)
    threshold = _best_of_all(measured)
    sentences = (_overall(threshold, measured), _gains(measured, names), *_by_batch(measured), reach)
    return Rule(sentences, threshold, len(measured), level)


# ── thresholds ──


def _best_of_all(measured: Sequence[Cell]) -> Threshold | None:
    keys: tuple[tuple[str, Callable[[Cell], int]], ...] = (
        (PRODUCT, lambda cell: cell.width * cell.batch),
        (OPERATIONS, lambda cell: cell.operations),
    )
    found = [best for of, key in keys if (best := _best(measured, of, key)) is not None]
    # Of equals the product: a person knows it without counting.
    return min(found, key=lambda best: (-best.right, best.of != PRODUCT), default=None)


def _best(measured: Sequence[Cell], of: str, key: Callable[[Cell], int]) -> Threshold | None:
    """The value that divides them with the fewest mistakes; none where always saying the same makes no more."""
    labels = sorted({cell.winner for cell in measured})
    most = max(sum(cell.winner == label for cell in measured) for label in labels)
    found: list[Threshold] = []
    for value in sorted({key(cell) for cell in measured})[1:]:
        at = min((cell for cell in measured if key(cell) == value), key=lambda cell: abs(math.log(cell.width / cell.batch)))
        for below, above in permutations(labels, 2):
            wrong = [cell for cell in measured if cell.winner != (below if key(cell) < value else above)]
            regret = sum(math.log(cell.factor or 1.0) for cell in wrong)
            found.append(Threshold(of, value, at.width, at.batch, below, above, len(measured) - len(wrong), regret))
    best = min(found, key=lambda threshold: (-threshold.right, threshold.regret), default=None)
    return best if best is not None and best.right > most else None


# ── words ──


def _everywhere(winner: str, measured: Sequence[Cell], names: tuple[str, str]) -> str:
    where = f"all {len(measured)} cells measured" if len(measured) > 1 else "the one cell measured"
    if winner == LEVEL:
        return f"{names[0]} and {names[1]} are level in {where}"
    return f"{winner} wins in {where}: {_factors(measured)} as fast"


def _overall(threshold: Threshold | None, measured: Sequence[Cell]) -> str:
    if threshold is None:
        return f"no size divides them: {_counts(measured)} of {len(measured)} cells"
    size = f"{units.count(threshold.width)} × {units.count(threshold.batch)}"
    if threshold.of == PRODUCT:
        where = f"below {size} (width × batch, {units.count(threshold.value)} in all)"
    else:
        where = f"below {units.si(threshold.value)} operations a step (as at {size})"
    below, above = threshold.below, threshold.above
    stay = "they are level" if below == LEVEL else f"take {below}" if above == LEVEL else f"stay on {below}"
    take = "they are level" if above == LEVEL else f"take {above}"
    of = "all" if threshold.right == len(measured) else f"{threshold.right} of"
    return f"{where} {stay}, from there on {take}: right in {of} {len(measured)} cells"


def _gains(measured: Sequence[Cell], names: tuple[str, str]) -> str:
    """By how much each wins where it does."""
    parts: list[str] = []
    for name in names:
        won = [cell for cell in measured if cell.winner == name]
        parts += [f"{name} {_factors(won)} as fast in {_cells(len(won))}"] if won else []
    level = sum(cell.winner == LEVEL for cell in measured)
    return ", ".join([*parts, *([f"level in {_cells(level)}"] if level else [])])


def _by_batch(measured: Sequence[Cell]) -> list[str]:
    """From which width on the other one wins, for each batch asked for; batches in a row of which the same is true together."""
    asked = sorted({cell.batch for cell in measured if not cell.in_between})
    said = [(_along([cell for cell in measured if cell.batch == batch]), batch) for batch in asked]
    lines: list[str] = []
    for words, group in groupby(said, key=lambda one: one[0]):
        batches = [units.count(batch) for _, batch in group]
        lines.append(f"batch {batches[0]}: {words}" if len(batches) == 1 else f"batches {_series(batches)}: {words}")
    return lines


def _along(column: Sequence[Cell]) -> str:
    """What is true of one batch."""
    labels = {cell.winner for cell in column}
    if len(labels) == 1:
        return f"{labels.pop()} at {_widths([cell.width for cell in column])}"
    best = _best(column, WIDTH, lambda cell: cell.width)
    if best is None:
        return f"no width divides them: {_counts(column)} of {len(column)}"
    right = "" if best.right == len(column) else f" (right in {best.right} of {len(column)})"
    return f"{best.below} below width {units.count(best.width)}, {best.above} from there on{right}"


def _counts(cells: Sequence[Cell]) -> str:
    """`numpy in 3, level in 2`, the most frequent first."""
    labels = sorted({cell.winner for cell in cells})
    counts = sorted(((sum(cell.winner == label for cell in cells), label) for label in labels), key=lambda one: -one[0])
    return ", ".join(f"{label} in {number}" for number, label in counts)


def _widths(widths: Sequence[int]) -> str:
    ordered = [units.count(width) for width in sorted(widths)]
    if len(ordered) == 1:
        return f"width {ordered[0]}"
    if len(ordered) == 2:
        return f"widths {ordered[0]} and {ordered[1]}"
    return f"all {len(ordered)} widths measured, {ordered[0]} to {ordered[-1]}"


def _reach(cells: Sequence[Cell], measured: Sequence[Cell]) -> str:
    """How far it goes, and what was left out."""
    largest = max(measured, key=lambda cell: cell.operations)
    size = f"{units.count(largest.width)} × {units.count(largest.batch)}"
    words = f"measured up to {size}, {units.si(largest.operations)} operations a step"
    blank, failed = (sum(not cell.winner and cell.failed is kind for cell in cells) for kind in (False, True))
    parts = [f"{blank} of {len(cells)} cells left blank"] * (blank > 0) + [f"{_cells(failed)} failed"] * (failed > 0)
    return "; ".join([words, *parts])


def _series(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _factors(won: Sequence[Cell]) -> str:
    factors = [cell.factor for cell in won if cell.factor is not None]
    low, high = times(min(factors)), times(max(factors))
    return f"{low} to {high} times" if low != high else f"{low} times"


def _cells(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"
