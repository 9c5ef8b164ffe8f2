"""The scalar backend: plain Python, one scalar operation at a time, each tallied as it is executed.

It trains like any backend, slowly; its tally proves the ledger.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from tuisim.backends.numpy.blas import thread_limit
from tuisim.backends.protocol import BoundStep
from tuisim.backends.scalar.bound import ScalarStep
from tuisim.program import StepProgram

__all__ = ["ScalarBackend", "ScalarStep"]


class ScalarBackend:
    """Python floats, which are IEEE doubles whatever the program's dtype."""

    name = "scalar"

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> ScalarStep:
        """Return a bound step; see `Backend.bind`."""
        if share is not None and not isinstance(share, ScalarStep):
            raise TypeError("a scalar step can only share a scalar step's buffers")
        return ScalarStep(program, share)

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Limit BLAS, which generates data, to `count` threads; the steps use one."""
        return thread_limit.hold(count)

    def device(self) -> str:
        """Return what computes."""
        return "plain Python ×1, float64"
