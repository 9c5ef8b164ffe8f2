"""The NumPy backend: a step is a list of prepared calls into preallocated buffers."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tuisim.backends.numpy.blas import blas, thread_limit, threads
from tuisim.backends.numpy.bound import NumpyStep
from tuisim.backends.protocol import BoundStep
from tuisim.program import StepProgram

__all__ = ["NumpyBackend", "NumpyStep"]


class NumpyBackend:
    """Matrix products by NumPy's BLAS, everything else by its ufuncs; nothing is allocated per step."""

    name = "numpy"

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> NumpyStep:
        """Return a bound step; see `Backend.bind`."""
        if share is not None and not isinstance(share, NumpyStep):
            raise TypeError("a NumPy step can only share a NumPy step's arrays")
        return NumpyStep(program, share)

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Limit BLAS to `count` threads in the whole process. Without threadpoolctl the count does not change."""
        return thread_limit.hold(count)

    def device(self) -> str:
        """Return the BLAS and its threads: `OpenBLAS 0.3.31 SkylakeX ×2`."""
        used = threads()
        return f"{blas()} ×{used}" if used is not None else str(blas())
