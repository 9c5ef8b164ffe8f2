"""The result of a sweep: its cells, each with both times and a winner, as a JSON document and as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from tuisim.config import RunConfig
from tuisim.engine.step_time import spread
from tuisim.features.compare.crossover.rule import TIE, Rule
from tuisim.features.compare.entries import BackendEntry
from tuisim.measure.environment import environment
from tuisim.provenance import Provenance

ALIKE = 0.03
"""A ratio this near to 1 is a tie: NumPy compared with itself differs by as much, depending on where its arrays lie."""
Size = tuple[int, int]
"""Width and batch."""
Pair = tuple[float, float]
"""A figure of the first entry and of the second."""
BackendPair = tuple[BackendEntry, BackendEntry]


@dataclass(frozen=True, slots=True)
class Cell:
    """One width and batch. Without a winner it is blank, and `reason` may say why."""

    width: int
    batch: int
    operations: int
    """Operations of one step, of all kinds."""
    in_between: bool = False
    """True for a size that was not asked for, measured because the winner changes there."""
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


@dataclass(frozen=True)
class Crossover:
    """The map, and what it was measured on."""

    config: RunConfig
    entries: BackendPair
    threads: tuple[int, int]
    devices: tuple[str, str]
    cells: tuple[Cell, ...]
    """In ascending order of their operations."""
    rule: Rule
    notes: tuple[str, ...]
    budget: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim crossover --json` prints."""
        config = self.config
        return {
            "entries": [
                {"name": entry.name, "backend": entry.backend, "threads": threads, "device": device}
                for entry, threads, device in zip(self.entries, self.threads, self.devices, strict=True)
            ],
            "network": {
                "depth": len(config.layers),
                "activations": list(config.activations),
                "loss": config.loss,
                "optimizer": config.optimizer,
                "weight_decay": config.weight_decay,
                "clip_norm": config.clip_norm,
                "dtype": config.dtype,
            },
            "widths": sorted({cell.width for cell in self.cells}),
            "batches": sorted({cell.batch for cell in self.cells}),
            "cells": [asdict(cell) for cell in self.cells],
            "rule": self.rule.to_dict(),
            "budget": self.budget,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "environment": environment(),
            "marks": {
                "entries[].threads": Provenance.GIVEN,
                "network": Provenance.GIVEN,
                "widths": Provenance.GIVEN,
                "batches": Provenance.GIVEN,
                "cells[]": Provenance.MEASURED,
                "cells[].width": Provenance.GIVEN,
                "cells[].batch": Provenance.GIVEN,
                "cells[].operations": Provenance.COUNTED,
                "cells[].rounds": Provenance.COUNTED,
                "rule": Provenance.MEASURED,
                "budget": Provenance.GIVEN,
                "seconds": Provenance.MEASURED,
            },
        }

    def csv(self) -> str:
        """Return one line for each cell under a line of headings. Times are in seconds per step; unknown values are empty."""
        text = io.StringIO()
        rows = [self._csv_row(cell) for cell in self.cells]
        lines = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)
        return text.getvalue()

    def _csv_row(self, cell: Cell) -> dict[str, Any]:
        seconds, spreads = cell.seconds or (None, None), cell.spreads or (None, None)
        row: dict[str, Any] = {"width": cell.width, "batch": cell.batch, "operations": cell.operations}
        for i, which in enumerate(("first", "second")):
            row |= {which: self.entries[i].name, f"{which}_seconds": seconds[i], f"{which}_spread": spreads[i]}
        return row | {
            "ratio": cell.ratio, "ratio_spread": cell.ratio_spread, "rounds": cell.rounds, "winner": cell.winner,
            "reason": cell.reason,
        }  # fmt: skip
