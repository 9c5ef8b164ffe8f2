"""The NumPy backend: a step is a list of prepared calls into preallocated buffers."""

from __future__ import annotations

from tuisim.backends.numpy.blas import blas, threads
from tuisim.backends.numpy.bound import NumpyStep
from tuisim.backends.protocol import Backend

__all__ = ["NumpyBackend", "NumpyStep"]


class NumpyBackend(Backend):
    """Matrix products by NumPy's BLAS, everything else by its ufuncs; nothing is allocated per step."""

    name, step = "numpy", NumpyStep

    def device(self) -> str:
        """Return the BLAS and its threads: `OpenBLAS 0.3.31 SkylakeX ×2`."""
        used = threads()
        return f"{blas()} ×{used}" if used is not None else str(blas())
