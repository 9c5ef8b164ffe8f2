"""What can run a step program: backends by name, none imported until asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuisim.backends.probing import Probe
from tuisim.backends.registry import (
    AUTO,
    Choice,
    choose,
    computed_dtype,
    computes_with,
    get_backend,
    has_own_memory,
    known,
    names,
    precision,
    precision_notes,
    probe,
)

if TYPE_CHECKING:
    from tuisim.backends.protocol import Backend, BoundStep, Costs, OnDevice, PhaseSeconds

__all__ = [
    "AUTO", "Backend", "BoundStep", "Choice", "Costs", "OnDevice", "PhaseSeconds", "Probe", "choose", "computed_dtype",
    "computes_with", "get_backend", "has_own_memory", "known", "names", "precision", "precision_notes", "probe",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # The protocol speaks of arrays, and so imports NumPy; whoever only asks for names need not pay for that.
    if name in ("Backend", "BoundStep", "Costs", "OnDevice", "PhaseSeconds"):
        from tuisim.backends import protocol

        return getattr(protocol, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
