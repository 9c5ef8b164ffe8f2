"""The Numba backend: the whole step as compiled loops over flat buffers, many steps per call, without the interpreter.

Products that BLAS is quicker at are BLAS's, called from the compiled code itself, and the backend says so. Where NumPy's BLAS
cannot be called so, steps with large products are the NumPy backend's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.backends.numba import gemm, mkl
from tuisim.backends.numba.blas import BlasStep
from tuisim.backends.numba.bound import CompiledStep
from tuisim.backends.numba.compiler import VERSION, machine
from tuisim.backends.numba.table import by_blas
from tuisim.backends.numpy import NumpyBackend
from tuisim.backends.protocol import BoundStep
from tuisim.program import StepProgram

__all__ = ["BlasStep", "CompiledStep", "NumbaBackend"]

LARGEST_PRODUCT = 1_000_000
"""B·N·M of the largest layer up to which loops compete with a BLAS that cannot be called from compiled code.

Measured beside the NumPy backend on a Xeon with AVX-512, one thread each: NumPy's time over that of loops alone is 1.1 for
128-128-128 at batch 32 (524,288), 1.0 at batch 64, and 0.8 for 512-512-512 at batch 8.
"""
_ALONE = "alone"


class NumbaBackend:
    """Compiled loops, and BLAS for products that are large: MKL's where it is installed, else NumPy's."""

    name = "numba"

    def __init__(self) -> None:
        self._numpy = NumpyBackend()
        self._says: str | None = None
        """Of the network bound last, who multiplies: nobody else, a library, or (blank) NumPy; none before there is one."""

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> CompiledStep | BlasStep:
        """The first call in a process compiles, for some seconds, or loads what an earlier one compiled."""
        if share is not None and not isinstance(share, CompiledStep | BlasStep):
            raise TypeError("a Numba step can only share a Numba step's arrays")
        compiles = suits(program.largest_product, program.dtype)
        if share is None:
            helped = gemm.address(program.dtype) and any(map(by_blas, program.ops))
            self._says = "" if not compiles else gemm.product(program.dtype).library if helped else _ALONE
            return CompiledStep(program) if compiles else BlasStep(program)
        if isinstance(share, BlasStep):
            return BlasStep(program, share)
        if not program.learning and not compiles:
            return BlasStep(program, share)
        return CompiledStep(program, share)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Compiled loops use one thread; what goes to BLAS is kept to `count`."""
        with self._numpy.threads(count), mkl.hold(count):
            yield

    def device(self) -> str:
        """Numba and its one thread, and the library where the network bound last has products for it."""
        if self._says is None:
            found = gemm.product("float32").library
            return f"Numba {VERSION} ×1" + (f", large products by {found}" if found else "")
        if self._says == _ALONE:
            return f"Numba {VERSION} ×1"
        if not self._says:
            return f"{self._numpy.device()} (called by NumPy: Numba's loops would take longer)"
        count = gemm.product_threads(self._says)
        return f"Numba {VERSION} ×1, {self._says}" + (f" ×{count}" if count is not None else "")

    @property
    def compile_seconds(self) -> float | None:
        """Seconds this process has spent compiling, or loading from Numba's cache; none before the first compiled step."""
        return machine.seconds


def suits(largest: int, dtype: str) -> bool:
    """Whether compiled steps are the quickest for a network whose largest product has so many multiplications."""
    return largest <= LARGEST_PRODUCT or gemm.address(dtype) != 0
