"""The NumPy backend: a step as a list of ready-made calls into preallocated buffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.backends.numpy.blas import blas, limits, threads
from tuisim.backends.numpy.bound import NumpyStep
from tuisim.backends.protocol import BoundStep
from tuisim.program import StepProgram

__all__ = ["NumpyBackend", "NumpyStep"]


class NumpyBackend:
    """Matrix products by NumPy's BLAS, everything else by its ufuncs, nothing allocated per step."""

    name = "numpy"

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> NumpyStep:
        if share is not None and not isinstance(share, NumpyStep):
            raise TypeError("a NumPy step can only share a NumPy step's arrays")
        return NumpyStep(program, share)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Limit BLAS to `count` threads; the limit is the whole process's. Without threadpoolctl it stays as it is."""
        with limits.hold(count):
            yield

    def device(self) -> str:
        used = threads()
        return f"{blas()} ×{used}" if used is not None else str(blas())
