"""One cell of a sweep: a width and a batch, both times, and the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tuisim.engine.step_time import spread

TIE = "tie"
"""The winner of a cell that neither wins."""
ALIKE = 0.03
"""A ratio this near to 1 is a tie: NumPy compared with itself differs by that, depending on the addresses of its arrays."""
Size = tuple[int, int]
"""Width and batch."""
Pair = tuple[float, float]
"""A figure of the first entry and of the second."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One width and batch. Without a winner it is blank, and `reason` may say why."""

    width: int
    batch: int
    operations: int
    """Operations of one step, of all kinds."""
    in_between: bool = False
    """True for a size between two given ones, measured because the winner changes there."""
    seconds: Pair | None = None
    """Per step, the median of the rounds."""
    spreads: Pair | None = None
    """Half the 10-90 % range of those."""
    ratio: float | None = None
    """The second's time over the first's, the median over the rounds: above 1 the first is faster."""
    ratio_spread: float | None = None
    rounds: int = 0
    winner: str = ""
    """A name, or TIE."""
    reason: str = ""
    failed: bool = False
    """True if one of the two raised an error; False if the cell was left out."""

    @property
    def size(self) -> Size:
        """Width and batch."""
        return self.width, self.batch

    @property
    def factor(self) -> float | None:
        """Return how many times as fast the winner is; None without one."""
        if self.ratio is None or self.winner in ("", TIE):
            return None
        return max(self.ratio, 1 / self.ratio)


def figures(samples: tuple[Sequence[float], Sequence[float]], names: tuple[str, str]) -> dict[str, Any]:
    """Return a cell's measured fields, from the seconds per step of both in the same rounds."""
    ratios = [second / first for first, second in zip(*samples, strict=True)]
    ratio, reach = median(ratios), spread(ratios)
    if abs(math.log(ratio)) <= math.log(1 + ALIKE):
        winner = TIE
    else:
        winner = names[0] if ratio - reach > 1 else names[1] if ratio + reach < 1 else TIE
    return {
        "seconds": (median(samples[0]), median(samples[1])),
        "spreads": (spread(samples[0]), spread(samples[1])),
        "ratio": ratio,
        "ratio_spread": reach,
        "rounds": len(ratios),
        "winner": winner,
        "reason": "",
        "failed": False,
    }
