"""The summary of a run: the document that `tuisim run --json` prints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tuisim.accounting.operations import Operations
from tuisim.engine.events import RunFigures, State
from tuisim.errors import ExitCode
from tuisim.measure.gradients import LayerGradients
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(RunFigures):
    """The figures of a run at its end."""

    data: str
    """The dataset's name, or `arrays` if the caller gave them."""
    parameters: int
    steps: int
    epochs: int
    paused_seconds: float
    loss: float | None
    """Mean training loss of the last whole epoch."""
    operations: Operations
    """Operations of all steps by kind, the loss included."""
    subnormal: int | None
    """Numbers of the optimizer's buffers that are subnormal at the end; None if it has no buffers."""
    throttled: bool
    """True if any step was made below full speed; throughput is then not shown."""
    backend: str
    ended: State

    @property
    def examples_per_second(self) -> float | None:
        """Examples per second of step time; None if throttled."""
        return None if self.throttled or self.seconds <= 0 else self.examples_seen / self.seconds

    @property
    def flops_per_second(self) -> float | None:
        """FLOP per second of step time; None if throttled."""
        return None if self.throttled or self.seconds <= 0 else self.operations.flops / self.seconds

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a command that made this run."""
        return {
            State.COMPLETED: ExitCode.DONE,
            State.STOPPED: ExitCode.DONE,
            State.INTERRUPTED: ExitCode.INTERRUPTED,
        }.get(self.ended, ExitCode.RUN_FAILED)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; unknown or non-finite numbers are None; `marks` has the provenance of each."""
        values: dict[str, Any] = {name: getattr(self, _FIELDS.get(name, name)) for name in (*_COUNTED, *_MEASURED, *_WORDS)}
        values = {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in values.items()}
        marks = {"config": Provenance.GIVEN} | dict.fromkeys(_COUNTED, Provenance.COUNTED)
        return (
            {"config": self.config.to_dict()}
            | values
            | {
                "operations": {**self.operations.as_dict(), "total": self.operations.total},
                "phase_seconds_per_step": dict(self.phase_seconds),
                "confusion": None if self.confusion is None else self.confusion.to_dict(),
                "health": {"step": self.gradient_step, "layers": [_layer(layer) for layer in self.gradients]},
                "hints": [hint.to_dict() for hint in self.hints],
                "ended": self.ended.value,
                "notes": list(self.notes),
                "marks": marks | dict.fromkeys((*_MEASURED, "health", "hints"), Provenance.MEASURED),
            }
        )


def _layer(figures: LayerGradients) -> dict[str, Any]:
    """Return a layer's gradient sample as plain values."""
    values = {"gradient_norm": figures.norm, "update_ratio": figures.update_ratio, "dead_units": figures.dead_units}
    finite = {name: None if value is None or not math.isfinite(value) else value for name, value in values.items()}
    return {"layer": figures.layer, **finite, "state": figures.health.value}


_FIELDS = {"probe_seconds": "instrumentation_seconds", "phase_seconds_per_step": "phase_seconds"}
"""Names of fields by their keys in JSON, where they differ."""
_COUNTED = ("parameters", "steps", "epochs", "examples_seen", "operations", "flushed", "subnormal", "best_step")
_MEASURED = (
    "seconds", "wall_seconds", "validation_seconds", "probe_seconds", "paused_seconds", "phase_seconds_per_step",
    "examples_per_second", "flops_per_second", "loss", "validation_loss", "validation_accuracy", "validation_baseline_accuracy",
    "validation_rmse", "validation_r2", "training_accuracy", "confusion",
)  # fmt: skip
_WORDS = ("data", "backend", "device", "ended", "stopped_early", "message", "notes")
