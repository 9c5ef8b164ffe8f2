"""The CuPy backend: data, parameters and batches on an NVIDIA GPU, matrix products by cuBLAS, everything else by own kernels.

Importing it imports nothing of CuPy's; the first bound step, or the first question about the card, opens the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.backends.cupy.bound import CupyStep
from tuisim.backends.cupy.ceilings import ceilings
from tuisim.backends.cupy.device import device
from tuisim.backends.numpy.blas import limits
from tuisim.backends.protocol import BoundStep, Ceilings, Costs
from tuisim.program import StepProgram

__all__ = ["CupyBackend", "CupyStep"]


class CupyBackend:
    """One GPU, the first that CUDA shows; every call to it comes from one thread."""

    name = "cupy"

    def __init__(self) -> None:
        self._device = device()

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> CupyStep:
        """Arrays on the GPU; the first call in a process opens it and compiles the kernels.

        Raises MemoryNeeded where they have no room there, DeviceLost where the GPU failed earlier in this process.
        """
        if share is not None and not isinstance(share, CupyStep):
            raise TypeError("a CuPy step can only share a CuPy step's arrays")
        return CupyStep(program, self._device, share)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """The steps are the GPU's, and one thread launches them; BLAS, which makes rows on the host, is kept to `count`."""
        with limits.hold(count):
            yield

    def device(self) -> str:
        """Card, CuPy and CUDA: `NVIDIA H200, CuPy 14.2.0, CUDA 13.0`."""
        return self._device.do(lambda card: card.label)

    def free_bytes(self) -> int | None:
        """Of the GPU's memory, what new arrays could take."""
        return self._device.do(lambda card: card.free_bytes())

    def ceilings(self, dtype: str) -> Ceilings:
        """What the card can do, measured on it: a matrix product and a copy."""
        return self._device.do(lambda card: ceilings(card, dtype))

    @property
    def compile_seconds(self) -> float | None:
        """Seconds this process has spent compiling kernels, or loading them from CuPy's cache; none before the first."""
        return self._device.compile_seconds

    @property
    def costs(self) -> Costs:
        """What handing things to the GPU has taken in this process so far."""
        return self._device.costs()
