"""Backends: they execute a step program. They are known by name and imported when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuisim.backends.registry import (
    AUTO,
    BackendChoice,
    Probe,
    choose,
    computed_dtype,
    computes_with,
    get_backend,
    has_own_memory,
    names,
    precision,
    precision_notes,
    probe,
    probe_if_loaded,
)

if TYPE_CHECKING:
    from tuisim.backends.protocol import Backend, BoundStep, Costs, OnDevice, PhaseSeconds

__all__ = [
    "AUTO", "Backend", "BackendChoice", "BoundStep", "Costs", "OnDevice", "PhaseSeconds", "Probe", "choose", "computed_dtype",
    "computes_with", "get_backend", "has_own_memory", "names", "precision", "precision_notes", "probe", "probe_if_loaded",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # The protocol imports NumPy, which asking for names does not need.
    if name in ("Backend", "BoundStep", "Costs", "OnDevice", "PhaseSeconds"):
        from tuisim.backends import protocol

        return getattr(protocol, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
