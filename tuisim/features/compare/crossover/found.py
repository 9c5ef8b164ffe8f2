"""What a sweep has found: the cells, the rule in words, and both as a document or a table of plain text.

It measures nothing.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from typing import Any

from tuisim.config import RunConfig
from tuisim.features.compare.crossover.cell import Cell
from tuisim.features.compare.crossover.rule import Rule
from tuisim.features.compare.entries import BackendEntry
from tuisim.measure.environment import environment
from tuisim.provenance import Provenance

HEADINGS = (
    "width",
    "batch",
    "operations",
    "first",
    "first_seconds",
    "first_spread",
    "second",
    "second_seconds",
    "second_spread",
    "ratio",
    "ratio_spread",
    "rounds",
    "winner",
    "reason",
)
"""Of the table: times are seconds per step, the ratio is the second's over the first's."""


@dataclass(frozen=True)
class Crossover:
    """The map, and what it was measured on."""

    config: RunConfig
    entries: tuple[BackendEntry, BackendEntry]
    threads: tuple[int, int]
    devices: tuple[str, str]
    cells: tuple[Cell, ...]
    """From few operations to many."""
    rule: Rule
    notes: tuple[str, ...]
    budget: float
    seconds: float

    @property
    def names(self) -> tuple[str, str]:
        return self.entries[0].name, self.entries[1].name

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim crossover --json` prints."""
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
        """One line for each cell under a line of headings; what is unknown is empty. Times are in seconds."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(HEADINGS)
        for cell in self.cells:
            seconds, spreads = cell.seconds or (None, None), cell.spreads or (None, None)
            lines.writerow(
                (
                    cell.width,
                    cell.batch,
                    cell.operations,
                    self.names[0],
                    seconds[0],
                    spreads[0],
                    self.names[1],
                    seconds[1],
                    spreads[1],
                    cell.ratio,
                    cell.ratio_spread,
                    cell.rounds,
                    cell.winner,
                    cell.reason,
                )
            )
        return text.getvalue()
