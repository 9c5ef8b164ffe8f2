"""Backends: they execute a step program. They are known by name and imported when they are used."""

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

__all__ = [
    "AUTO", "BackendChoice", "Probe", "choose", "computed_dtype", "computes_with", "get_backend", "has_own_memory", "names",
    "precision", "precision_notes", "probe", "probe_if_loaded",
]  # fmt: skip
