"""One size of a sweep, width by batch, with both times and who won; and how it is written in a few characters.

It does not measure, and knows no other cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tuisim.engine.step_time import spread
from tuisim.features.compare.entries import BackendEntry

LEVEL = "level"
"""The winner where the spread of the ratio includes 1, or where it is nearer to 1 than ALIKE."""
ALIKE = 0.03
"""NumPy against itself differs by as much, round after round, by where its arrays happen to lie in memory."""
Pair = tuple[float, float]
"""A figure of the first and of the second."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One width and batch. Without a winner it is blank, and `reason` says why where there is something to say."""

    width: int
    batch: int
    operations: int
    """Of one step, all kinds together."""
    in_between: bool = False
    """Not of the sizes asked for: measured because the winner changes there."""
    seconds: Pair | None = None
    """Per step, the median of the rounds."""
    spreads: Pair | None = None
    """Half the 10-90 % range of those."""
    ratio: float | None = None
    """The second's time over the first's, the median over the rounds: above 1 the first is faster."""
    ratio_spread: float | None = None
    rounds: int = 0
    winner: str = ""
    """A name, or LEVEL."""
    reason: str = ""
    failed: bool = False
    """One of the two could not do it; else the cell was left out."""

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.batch

    @property
    def factor(self) -> float | None:
        """How many times as fast the winner is; none where nobody won."""
        if self.ratio is None or self.winner in ("", LEVEL):
            return None
        return max(self.ratio, 1 / self.ratio)


def result(samples: tuple[Sequence[float], Sequence[float]], names: tuple[str, str]) -> dict[str, object]:
    """A cell's measured fields, from the seconds per step of both in the same rounds."""
    ratios = [second / first for first, second in zip(*samples, strict=True)]
    ratio, reach = median(ratios), spread(ratios)
    return {
        "seconds": (median(samples[0]), median(samples[1])),
        "spreads": (spread(samples[0]), spread(samples[1])),
        "ratio": ratio,
        "ratio_spread": reach,
        "rounds": len(ratios),
        "winner": _winner(ratio, reach, names),
        "reason": "",
        "failed": False,
    }


def _winner(ratio: float, reach: float, names: tuple[str, str]) -> str:
    if abs(math.log(ratio)) <= math.log(1 + ALIKE):
        return LEVEL
    return names[0] if ratio - reach > 1 else names[1] if ratio + reach < 1 else LEVEL


def times(factor: float) -> str:
    """A factor above 1 in at most four characters: `1.04`, `7.5`, `24`, `1.2k`."""
    if factor < 1.095:
        return f"{factor:.2f}"
    if factor < 9.95:
        return f"{factor:.1f}"
    return f"{factor:.0f}" if factor < 999.5 else f"{factor / 1000:.2g}k" if factor < 99_500 else f"{factor / 1000:.0f}k"


_SHORT = {"numpy": "np", "numba": "nb", "cupy": "cp", "scalar": "sc"}


def shorts(entries: tuple[BackendEntry, BackendEntry]) -> tuple[str, str]:
    """Both names in two or three letters that tell them apart: `np` and `nb`, `@1` and `@2`."""
    first, second = entries
    if first.backend == second.backend:
        found = tuple(entry.backend[:2] if entry.threads is None else f"@{entry.threads}" for entry in entries)
    else:
        found = tuple(_SHORT.get(entry.backend, entry.backend[:2]) for entry in entries)
    return (found[0], found[1]) if found[0] != found[1] else ("A", "B")


def written(cell: Cell, labels: dict[str, str], sign: str = "×", gap: str = " ", figure: bool = True) -> str:
    """`numba 7.5×`, `=` where level, `✗` where one failed, nothing where it was not measured; `labels` are by name."""
    if cell.winner == LEVEL:
        return "="
    if cell.factor is None:
        return "✗" if cell.failed else ""
    return labels[cell.winner] + (f"{gap}{times(cell.factor)}{sign}" if figure else "")
