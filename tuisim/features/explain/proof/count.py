"""The count check: the predicted count (the ledger) compared with the executed count (the tally of the scalar backend).

The ledger comes from the formulas; the scalar backend adds up what plain Python executes for real examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Any

from tuisim.accounting import KINDS, Operations, count
from tuisim.accounting.ledger import COUNTED_PHASES
from tuisim.backends.scalar import ScalarStep
from tuisim.engine.initial_state import InitialState, one_step
from tuisim.errors import RunError
from tuisim.program import Phase
from tuisim.units import count as in_full


@dataclass(frozen=True, slots=True)
class CountCell:
    """One predicted and one executed count."""

    phase: Phase
    kind: str
    """One of the ledger's kinds: multiply, add, …"""
    ledger: int
    tally: int
    operation: str = ""
    """Layer and name of the operation; empty for a whole phase."""

    @property
    def passed(self) -> bool:
        """Return True if nothing differs."""
        return self.ledger == self.tally

    @property
    def words(self) -> str:
        """The cell and its two counts, in one line."""
        place = ", ".join(part for part in (self.phase.value, self.operation, self.kind) if part)
        return f"{place}: {in_full(self.ledger)} predicted, {in_full(self.tally)} executed"


@dataclass(frozen=True, slots=True)
class OperationCount:
    """One operation of the step; a whole phase if it has no name."""

    layer: int | None
    phase: Phase
    what: str
    ledger: Operations
    tally: Operations

    @property
    def passed(self) -> bool:
        """Return True if nothing differs."""
        return self.ledger == self.tally

    def cells(self) -> list[CountCell]:
        """Return the counts of every kind."""
        name = self.what if self.layer is None else f"layer {self.layer}, {self.what}"
        counted, tallied = self.ledger.as_dict(), self.tally.as_dict()
        return [CountCell(self.phase, kind, counted[kind], tallied[kind], name) for kind in KINDS]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        head = {"layer": self.layer, "phase": self.phase.value, "operation": self.what, "passed": self.passed}
        return head | {"ledger": self.ledger.as_dict(), "tally": self.tally.as_dict()}


@dataclass(frozen=True)
class BatchCount:
    """The counts of one step of `batch` examples."""

    batch: int
    operations: tuple[OperationCount, ...]
    ledger: dict[Phase, Operations]
    """By phase."""

    @cached_property
    def phases(self) -> tuple[OperationCount, ...]:
        """The counts of whole phases."""
        executed = {
            phase: sum((row.tally for row in self.operations if row.phase is phase), Operations()) for phase in COUNTED_PHASES
        }
        return tuple(OperationCount(None, phase, "", self.ledger[phase], tally) for phase, tally in executed.items())

    @cached_property
    def cells(self) -> tuple[CountCell, ...]:
        """The counts of every phase and kind."""
        return tuple(cell for phase in self.phases for cell in phase.cells())

    @property
    def wrong(self) -> list[CountCell]:
        """Cells that differ: those of single operations, if any, since they are more specific."""
        single = [cell for row in self.operations for cell in row.cells() if not cell.passed]
        return single or [cell for cell in self.cells if not cell.passed]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {
            "batch": self.batch,
            "cells": [
                {"phase": c.phase.value, "kind": c.kind, "ledger": c.ledger, "tally": c.tally, "passed": c.passed}
                for c in self.cells
            ],
            "operations": [row.to_dict() for row in self.operations],
        }


@dataclass(frozen=True)
class CountCheck:
    """Predicted and executed counts, cell by cell, for the full batch and the short last one."""

    batches: tuple[BatchCount, ...]
    name = "count"

    @cached_property
    def wrong(self) -> tuple[tuple[int, CountCell], ...]:
        """(batch, cell) of every difference."""
        return tuple((one.batch, cell) for one in self.batches for cell in one.wrong)

    @property
    def passed(self) -> bool:
        """Return True if nothing differs."""
        return not self.wrong

    @property
    def worst(self) -> int:
        """The largest difference of a cell."""
        return max((abs(cell.ledger - cell.tally) for _, cell in self.wrong), default=0)

    @property
    def where(self) -> str | None:
        """The cell with the largest difference."""
        if not self.wrong:
            return None
        batch, cell = max(self.wrong, key=lambda item: abs(item[1].ledger - item[1].tally))
        return f"batch {in_full(batch)}, {cell.words}"

    @property
    def compared(self) -> int:
        """The number of compared cells, of phases and of single operations."""
        return sum(len(one.cells) + len(KINDS) * len(one.operations) for one in self.batches)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        head = {"name": self.name, "passed": self.passed, "worst": self.worst, "where": self.where}
        return head | {"compared": self.compared, "batches": [one.to_dict() for one in self.batches]}


def check(start: InitialState, tell: Callable[[int, int], None]) -> CountCheck:
    """Count one full step on the run's first batch, and a short step if an epoch ends with one.

    `tell(done, of)` is called between them. Raises RunError if the first loss is not finite, since then no update is made.
    """
    batches = [start.batches(1)[0], *([start.dataset.sample(start.short_batch)] if start.short_batch else [])]
    found: list[BatchCount] = []
    for X, Y in batches:
        tell(len(found), len(batches))
        network = start.network("scalar")
        if not isfinite(one_step(network, X, Y)):
            raise RunError("the loss is not finite before the first update: scale the data down, or use another initializer")
        step = network.step(len(X))
        assert isinstance(step, ScalarStep)
        ledger = count(replace(start.config, batch_size=len(X)))
        operations = tuple(
            OperationCount(row.layer, row.phase, row.what, row.operations, Operations(**tally.as_dict()))
            for row, tally in zip(ledger.rows, step.tallies, strict=True)
        )
        found.append(BatchCount(len(X), operations, ledger.per_step))
    tell(len(found), len(batches))
    return CountCheck(tuple(found))
