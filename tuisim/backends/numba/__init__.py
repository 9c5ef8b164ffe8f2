"""The Numba backend: the whole step as compiled loops over flat buffers, many steps per call, without the interpreter.

From the size where BLAS is quicker the products are BLAS's, through the NumPy backend, and the backend says so.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from tuisim.backends.numba.blas import BlasStep
from tuisim.backends.numba.bound import CompiledStep
from tuisim.backends.numba.compiler import VERSION, machine
from tuisim.backends.numpy import NumpyBackend
from tuisim.backends.protocol import BoundStep
from tuisim.program import Kind, StepProgram

__all__ = ["BlasStep", "CompiledStep", "NumbaBackend"]

LARGEST_PRODUCT = 1_000_000
"""B·N·M of the largest layer up to which loops are compiled.

Measured beside the NumPy backend on a Xeon with AVX-512, one thread each; NumPy's time over ours in float32 and float64:

| layers, batch | B·N·M | float32 | float64 |
|---|---|---|---|
| 128-128-128, 8 | 131,072 | 1.6 | 1.5 |
| 128-128-128, 32 | 524,288 | 1.1 | 1.0 |
| 128-128-128, 64 | 1,048,576 | 1.0 | 0.9 |
| 128-128-128, 128 | 2,097,152 | 0.9 | 0.9 |
| 784-128-10, 8 | 802,816 | 1.4 | 1.3 |
| 784-128-10, 32 | 3,211,264 | 1.2 | 1.0 |
| 784-128-10, 128 | 12,845,056 | 0.8 | 0.7 |
| 512-512-512, 8 | 2,097,152 | 0.8 | 0.5 |
"""


class NumbaBackend:
    """Compiled loops for small networks, NumPy's BLAS for large ones."""

    name = "numba"

    def __init__(self) -> None:
        self._numpy = NumpyBackend()
        self._on_blas = False

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> CompiledStep | BlasStep:
        """The first call in a process compiles, for some seconds, or loads what an earlier one compiled."""
        if share is not None and not isinstance(share, CompiledStep | BlasStep):
            raise TypeError("a Numba step can only share a Numba step's arrays")
        if share is None:
            self._on_blas = largest_product(program) > LARGEST_PRODUCT
            return BlasStep(program) if self._on_blas else CompiledStep(program)
        if isinstance(share, BlasStep):
            return BlasStep(program, share)
        if not program.learning and largest_product(program) > LARGEST_PRODUCT:
            return BlasStep(program, share)
        return CompiledStep(program, share)

    def threads(self, count: int) -> AbstractContextManager[None]:
        """Compiled loops use one thread; what goes to BLAS is kept to `count`."""
        return self._numpy.threads(count)

    def device(self) -> str:
        """Numba and its one thread, or BLAS where the network bound last is too large for compiled loops."""
        if self._on_blas:
            return f"{self._numpy.device()} (too large for Numba's loops)"
        return f"Numba {VERSION} ×1"

    @property
    def compile_seconds(self) -> float | None:
        """Seconds this process has spent compiling, or loading from Numba's cache; none before the first compiled step."""
        return machine.seconds


def largest_product(program: StepProgram) -> int:
    """Multiplications of the largest layer's product: B·N·M."""
    return max(op.batch * op.inputs * op.outputs for op in program.ops if op.kind is Kind.DENSE)
