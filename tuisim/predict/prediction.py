"""A prediction: what one run will take, in seconds with their bands and in bytes, and what is behind it.

It does not know how it was reckoned, nor whether the run will ever be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuisim.accounting import Ledger
from tuisim.config import RunConfig
from tuisim.predict.interval import Interval
from tuisim.program import Op
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class RunMemory:
    """Bytes a run holds at most, by what they are for."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    batch: int
    aside: int
    """What evaluation needs beside the step, and what setting up, probing or making rows takes for a moment."""
    data: int | None
    """Rows to train on: all that are kept, or two blocks of those made as the run goes; none where only the file would tell."""
    held_out: int | None
    """Rows to validate on; none as well."""

    @property
    def total(self) -> int:
        """Without the rows where they are not known."""
        step = self.parameters + self.gradients + self.optimizer + self.activations + self.batch
        return step + self.aside + (self.data or 0) + (self.held_out or 0)


@dataclass(frozen=True)
class Prediction:
    """What a run will take. Seconds throughout."""

    config: RunConfig
    """As resolved."""
    ledger: Ledger
    backend: str
    threads: int
    machine: str
    """The card's machine in words."""
    foreign: bool
    """Priced by another machine's card."""
    slowdown: float
    """How many times as long as at its best the machine is likely to take for such a step: between how it is now, where that is
    known, and how it was when it was calibrated. All times have it in them."""
    prices: tuple[tuple[Op, float], ...]
    """(operation, likely seconds) of a full step, in the program's order."""
    overhead: float
    """Likely seconds of a step outside its operations."""
    calls: float
    """Of a step's likely seconds, those paid for calling operations however small they are."""
    step: Interval
    epoch: Interval | None
    """None where the volume is not known."""
    seconds: Interval | None
    """Of all steps' phases; none where volume or epochs are not known."""
    wall_seconds: Interval | None
    """From the first batch to the end, unwatched; none where it cannot be told."""
    memory: RunMemory
    beyond: float | None = None
    """How many times as many multiplications its largest product has as any that was measured; none where that is not far."""
    loading: float | None = None
    """Seconds that reading the data file took, here and before the first batch; None if none was read."""

    @property
    def memory_bytes(self) -> int:
        return self.memory.total

    @property
    def examples_per_second(self) -> float:
        return self.ledger.batch / self.step.likely

    @property
    def dearest(self) -> tuple[Op, float]:
        """The operation that takes longest, and its share of the step."""
        op, seconds = max(self.prices, key=lambda one: one[1])
        return op, seconds / self.step.likely if self.step.likely else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim predict --json` prints."""
        return {
            "config": self.config.to_dict(),
            "backend": self.backend,
            "threads": self.threads,
            "machine": self.machine,
            "foreign": self.foreign,
            "slowdown": self.slowdown,
            "beyond_measured": self.beyond,
            "step_seconds": self.step.to_dict(),
            "epoch_seconds": self.epoch and self.epoch.to_dict(),
            "seconds": self.seconds and self.seconds.to_dict(),
            "wall_seconds": self.wall_seconds and self.wall_seconds.to_dict(),
            "loading_seconds": self.loading,
            "examples_per_second": self.examples_per_second,
            "memory_bytes": self.memory_bytes,
            "memory": {name: getattr(self.memory, name) for name in self.memory.__slots__},
            "parameters": self.ledger.parameters,
            "operations": {
                "step": self.ledger.step_total.total,
                "run": None if self.ledger.run is None else sum(part.total for part in self.ledger.run.values()),
            },
            "rows": [
                {"layer": op.layer, "phase": op.phase.value, "operation": op.kind.value, "seconds": spent}
                for op, spent in self.prices
            ],
            "overhead_seconds": self.overhead,
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = (
    {
        "config": Provenance.GIVEN,
        "threads": Provenance.GIVEN,
        "slowdown": Provenance.PROJECTED,
        "beyond_measured": Provenance.COUNTED,
    }
    | dict.fromkeys(("memory_bytes", "memory", "parameters", "operations"), Provenance.COUNTED)
    | dict.fromkeys(
        ("step_seconds", "epoch_seconds", "seconds", "wall_seconds", "examples_per_second", "rows[].seconds", "overhead_seconds"),
        Provenance.PROJECTED,
    )
    | {"rows[].layer": Provenance.COUNTED, "loading_seconds": Provenance.MEASURED}
)
