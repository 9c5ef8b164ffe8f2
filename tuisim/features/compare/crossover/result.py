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
    devices: tuple[str, ...]
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
        text, rows = io.StringIO(), list[dict[str, Any]]()
        for cell in self.cells:
            row: dict[str, Any] = {"width": cell.width, "batch": cell.batch, "operations": cell.operations}
            pairs = zip(self.entries, cell.seconds or (None, None), cell.spreads or (None, None), strict=True)
            for which, (entry, seconds, spread) in zip(("first", "second"), pairs, strict=True):
                row |= {which: entry.name, f"{which}_seconds": seconds, f"{which}_spread": spread}
            rows.append(row | {name: getattr(cell, name) for name in ("ratio", "ratio_spread", "rounds", "winner", "reason")})
        lines = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows(rows)
        return text.getvalue()
