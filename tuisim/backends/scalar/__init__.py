"""The scalar backend: plain Python, one scalar operation at a time, each tallied as it is executed.

It trains like any backend, slowly; its tally proves the ledger.
"""

from __future__ import annotations

from tuisim.backends.protocol import Backend
from tuisim.backends.scalar.bound import ScalarStep

__all__ = ["ScalarBackend", "ScalarStep"]


class ScalarBackend(Backend):
    """Python floats, which are IEEE doubles whatever the program's dtype."""

    name, step = "scalar", ScalarStep

    def device(self) -> str:
        """Return what computes."""
        return "plain Python ×1, float64"
