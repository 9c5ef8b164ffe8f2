"""What a run came to: the document `tuisim run --json` prints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tuisim.accounting.operations import Operations
from tuisim.config import RunConfig
from tuisim.engine.events import State
from tuisim.errors import ExitCode
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Summary:
    """The end of a run. Times are seconds; what is not known is none."""

    config: RunConfig
    """As resolved."""
    data: str
    """Where the rows came from: the dataset's name, or `arrays` where the caller gave them."""
    parameters: int
    steps: int
    epochs: int
    examples_seen: int
    seconds: float
    """Sum of the step's phases."""
    wall_seconds: float
    """Everything from the first batch."""
    validation_seconds: float
    probe_seconds: float
    """Looking at gradients, for whoever watched."""
    paused_seconds: float
    phase_seconds: tuple[tuple[str, float], ...]
    """(phase, seconds per step): medians of sampled steps."""
    loss: float | None
    """Mean training loss of the last whole epoch."""
    validation_loss: float | None
    validation_accuracy: float | None
    training_accuracy: float | None
    operations: Operations
    """Done, by kind, the loss included."""
    flushed: int | None
    """Numbers of the optimizer's buffers set to 0 because they became subnormal; None if they are kept or it has no buffers."""
    subnormal: int | None
    """Numbers of the optimizer's buffers that are subnormal at the end; None if it has no buffers."""
    paced: bool
    """Whether any step was held to a pace, so that no throughput is claimed."""
    backend: str
    device: str
    ended: State
    message: str
    notes: tuple[str, ...]

    @property
    def examples_per_second(self) -> float | None:
        return None if self.paced or self.seconds <= 0 else self.examples_seen / self.seconds

    @property
    def flops_per_second(self) -> float | None:
        return None if self.paced or self.seconds <= 0 else self.operations.flops / self.seconds

    @property
    def exit_code(self) -> ExitCode:
        return {
            State.COMPLETED: ExitCode.DONE,
            State.STOPPED: ExitCode.DONE,
            State.INTERRUPTED: ExitCode.INTERRUPTED,
        }.get(self.ended, ExitCode.RUN_FAILED)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is unknown or not finite is null; `marks` says what kind of number each is."""
        return {
            "config": self.config.to_dict(),
            "data": self.data,
            "parameters": self.parameters,
            "steps": self.steps,
            "epochs": self.epochs,
            "examples_seen": self.examples_seen,
            "seconds": self.seconds,
            "wall_seconds": self.wall_seconds,
            "validation_seconds": self.validation_seconds,
            "probe_seconds": self.probe_seconds,
            "paused_seconds": self.paused_seconds,
            "phase_seconds_per_step": dict(self.phase_seconds),
            "examples_per_second": _finite(self.examples_per_second),
            "flops_per_second": _finite(self.flops_per_second),
            "loss": _finite(self.loss),
            "validation_loss": _finite(self.validation_loss),
            "validation_accuracy": _finite(self.validation_accuracy),
            "training_accuracy": _finite(self.training_accuracy),
            "operations": {**self.operations.as_dict(), "total": self.operations.total},
            "flushed": self.flushed,
            "subnormal": self.subnormal,
            "backend": self.backend,
            "device": self.device,
            "ended": self.ended.value,
            "message": self.message,
            "notes": list(self.notes),
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = (
    {"config": Provenance.GIVEN}
    | dict.fromkeys(("parameters", "steps", "epochs", "examples_seen", "operations", "flushed", "subnormal"), Provenance.COUNTED)
    | dict.fromkeys(
        (
            "seconds", "wall_seconds", "validation_seconds", "probe_seconds", "paused_seconds", "phase_seconds_per_step",
            "examples_per_second",
            "flops_per_second", "loss", "validation_loss", "validation_accuracy", "training_accuracy",
        ),
        Provenance.MEASURED,
    )
)  # fmt: skip


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
