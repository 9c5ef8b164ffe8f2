"""The result of a sweep, as a JSON document and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import Any

from tuisim.config import RunConfig
from tuisim.features.compare.crossover.cell import Cell
from tuisim.features.compare.crossover.rule import Rule
from tuisim.features.compare.entries import BackendPair
from tuisim.measure.processor import environment
from tuisim.provenance import Provenance

MARKS: dict[str, Provenance] = (
    dict.fromkeys(
        ("entries[].threads", "network", "widths", "batches", "cells[].width", "cells[].batch", "budget"), Provenance.GIVEN
    )
    | dict.fromkeys(("cells[]", "rule", "seconds"), Provenance.MEASURED)
    | dict.fromkeys(("cells[].operations", "cells[].rounds"), Provenance.COUNTED)
)


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
            "network": {"depth": len(config.layers), "activations": list(config.activations)}
            | {name: getattr(config, name) for name in ("loss", "optimizer", "weight_decay", "clip_norm", "dtype")},
            "widths": sorted({cell.width for cell in self.cells}),
            "batches": sorted({cell.batch for cell in self.cells}),
            "cells": [asdict(cell) for cell in self.cells],
            "rule": self.rule.to_dict(),
            "budget": self.budget,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "environment": environment(),
            "marks": dict(MARKS),
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
