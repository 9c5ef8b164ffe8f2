"""A prediction: the seconds of a run with their intervals, its bytes, and the operations behind them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tuisim.accounting import Ledger
from tuisim.config import RunConfig
from tuisim.program import Op
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Interval:
    """A likely value, and the ends between which the actual value is expected; all in one unit."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return all three times `factor`."""
        return Interval(factor * self.low, factor * self.likely, factor * self.high)

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values, None if one is not finite."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class RunMemory:
    """The bytes that a run holds at most, by purpose."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    batch: int
    workspace: int
    """Evaluation beside the step, and what initializing, sampling gradients or generating rows takes for a moment."""
    data: int | None
    """Rows to train on: all that are kept, or two blocks of generated ones; None if only the file would tell."""
    validation: int | None
    """Rows to validate on; None if only the file would tell."""

    @property
    def total(self) -> int:
        """Without the rows if they are not known."""
        step = self.parameters + self.gradients + self.optimizer + self.activations + self.batch
        return step + self.workspace + (self.data or 0) + (self.validation or 0)


@dataclass(frozen=True)
class Prediction:
    """The time and memory of a run before it starts. Times are seconds."""

    config: RunConfig
    """The resolved configuration."""
    ledger: Ledger
    backend: str
    threads: int
    machine: str
    """The machine of the profile, in words."""
    foreign: bool
    """True if the profile is another machine's."""
    prices: tuple[tuple[Op, float], ...]
    """(operation, likely seconds) of a full step, in the program's order."""
    step: Interval
    epoch: Interval | None
    """None if the volume is not known."""
    seconds: Interval | None
    """All phases of all steps; None if volume or epochs are not known."""
    wall_seconds: Interval | None
    """From the first batch to the end, without a screen; None if it is not known."""
    memory: RunMemory
    scale: float = 1.0
    """The pilot's seconds per step over the model's; 1 without a pilot."""
    pilot: float | None = None
    """Seconds that the step was timed for, here; None if the times come from the model alone."""
    beyond: float | None = None
    """Multiplications of the largest product over those of the largest calibrated one; None if within the calibrated range."""
    loading: float | None = None
    """Seconds that reading the data file took, before the first batch; None if none was read."""

    @property
    def run_seconds(self) -> Interval | None:
        """The wall seconds of the run, or those of its steps alone where the wall seconds are not known."""
        return self.wall_seconds or self.seconds

    @property
    def memory_bytes(self) -> int:
        """The bytes that the run holds at most."""
        return self.memory.total

    @property
    def examples_per_second(self) -> float:
        """Examples of a full batch over the time of a step."""
        return self.ledger.batch / self.step.likely

    @property
    def most_expensive(self) -> tuple[Op, float]:
        """The operation that takes longest, and its share of the step."""
        op, seconds = max(self.prices, key=lambda one: one[1])
        return op, seconds / self.step.likely if self.step.likely else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim predict --json` prints."""
        return {
            "config": self.config.to_dict(),
            "backend": self.backend,
            "threads": self.threads,
            "machine": self.machine,
            "foreign": self.foreign,
            "pilot_seconds": self.pilot,
            "beyond_measured": self.beyond,
            "step_seconds": self.step.to_dict(),
            "epoch_seconds": self.epoch and self.epoch.to_dict(),
            "seconds": self.seconds and self.seconds.to_dict(),
            "wall_seconds": self.wall_seconds and self.wall_seconds.to_dict(),
            "loading_seconds": self.loading,
            "examples_per_second": self.examples_per_second,
            "memory_bytes": self.memory_bytes,
            "memory": asdict(self.memory),
            "parameters": self.ledger.parameters,
            "operations": {
                "step": self.ledger.step_total.total,
                "run": None if self.ledger.run is None else sum(part.total for part in self.ledger.run.values()),
            },
            "rows": [
                {"layer": op.layer, "phase": op.phase.value, "operation": op.kind.value, "seconds": spent}
                for op, spent in self.prices
            ],
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = (
    dict.fromkeys(("config", "threads"), Provenance.GIVEN)
    | dict.fromkeys(("beyond_measured", "memory_bytes", "memory", "parameters", "operations", "rows[].layer"), Provenance.COUNTED)
    | dict.fromkeys(
        ("step_seconds", "epoch_seconds", "seconds", "wall_seconds", "examples_per_second", "rows[].seconds"),
        Provenance.PROJECTED,
    )
    | dict.fromkeys(("loading_seconds", "pilot_seconds"), Provenance.MEASURED)
)
