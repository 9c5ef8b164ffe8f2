"""The scalar backend: plain Python, one scalar operation at a time, each tallied as it is done.

It trains like any backend, slowly, and is the proof of the others: what it tallies is what was really done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.backends.numpy.blas import limits
from tuisim.backends.protocol import BoundStep
from tuisim.backends.scalar.bound import ScalarStep
from tuisim.program import StepProgram

__all__ = ["ScalarBackend", "ScalarStep"]


class ScalarBackend:
    """Python floats, which are IEEE doubles whatever the program's dtype."""

    name = "scalar"

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> ScalarStep:
        if share is not None and not isinstance(share, ScalarStep):
            raise TypeError("a scalar step can only share a scalar step's buffers")
        return ScalarStep(program, share)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Plain Python has one thread; BLAS, which makes rows beside it, is kept to `count`."""
        with limits.hold(count):
            yield

    def device(self) -> str:
        return "plain Python ×1, float64"
