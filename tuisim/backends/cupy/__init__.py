"""The CuPy backend: data, parameters and batches on an NVIDIA GPU, matrix products by cuBLAS, the rest by kernels of our own.

CuPy is imported and the device opened by the first bound step or the first question about the GPU.
"""

from __future__ import annotations

from tuisim.backends.cupy.bound import CupyStep
from tuisim.backends.cupy.gpu_thread import gpu_thread
from tuisim.backends.cupy.peak_rates import peak_rates
from tuisim.backends.protocol import Backend, Costs, PeakRates

__all__ = ["CupyBackend", "CupyStep"]


class CupyBackend(Backend):
    """One GPU, the first that CUDA lists; all calls to it are made on one thread.

    The first `bind` opens the GPU and compiles the kernels; it raises DeviceLost if the GPU failed earlier in this process.
    """

    name, step = "cupy", CupyStep

    def __init__(self) -> None:
        self._thread = gpu_thread()

    def device(self) -> str:
        """Return GPU, CuPy and CUDA: `NVIDIA H200, CuPy 14.2.0, CUDA 13.0`."""
        return self._thread.do(lambda gpu: gpu.label)

    def free_bytes(self) -> int | None:
        """Return the bytes of GPU memory available for new arrays."""
        return self._thread.do(lambda gpu: gpu.free_bytes())

    def peak_rates(self, dtype: str) -> PeakRates:
        """Measure the peak rates of the GPU by a matrix product and a copy."""
        return self._thread.do(lambda gpu: peak_rates(gpu, dtype))

    @property
    def compile_seconds(self) -> float | None:
        """Seconds spent compiling kernels or loading them from CuPy's cache; None before the first."""
        return self._thread.compile_seconds

    @property
    def costs(self) -> Costs:
        """The overheads so far in this process."""
        return self._thread.costs()
