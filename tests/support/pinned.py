"""One machine for all: what an app shows of its machine, pinned, so that the same is shown on any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.made_machine_profile import ELSEWHERE
from tuisim import backends
from tuisim.backends import Probe, names, registry
from tuisim.features.compare import entries

CORES, FREE = 8, 8 << 30


def pinned_probe(name: str) -> Probe:
    """Return what is installed: everything but CuPy."""
    if name not in (*names(), backends.AUTO):
        return registry.probe(name)  # raises the error of an unknown name
    return Probe(name, False, reason="not installed", remedy="pip install cupy") if name == "cupy" else Probe(name, True, "1.0")


def pin_machine(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Pin cores, memory, backends, data, the name of the machine, and the folder of what is kept."""
    for name in [name for name in os.environ if name.startswith(("TUISIM_", "TEXTUAL_")) or name == "NO_COLOR"]:
        patch.delenv(name)
    patch.setenv("TUISIM_HOME", str(home))
    patch.setenv("TUISIM_CALIBRATION", "never")
    patch.setattr("tuisim.threads.usable_cores", lambda: CORES)
    patch.setattr("tuisim.threads.busy_cores", lambda: 0.0)
    patch.setattr("tuisim.threads.allowed", None)
    patch.setattr(entries, "usable_cores", lambda: CORES)
    for module in (backends, registry, entries):
        patch.setattr(module, "probe_if_loaded", pinned_probe)
    patch.setattr("tuisim.engine.memory_check.available", lambda: FREE)
    patch.setattr("tuisim.data.memory.available", lambda: FREE)
    patch.setattr("tuisim.data.available", lambda name: None)
    patch.setattr("tuisim.predict.machine.this_machine", lambda: ELSEWHERE)
