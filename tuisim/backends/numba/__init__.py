"""The Numba backend: many steps per call as compiled loops over flat buffers, without the interpreter.

Large matrix products are computed by BLAS, called from the compiled code. Where BLAS cannot be called so, steps with large
products are those of the NumPy backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuisim.backends.numba import gemm, mkl
from tuisim.backends.numba.bound import BlasStep, CompiledStep
from tuisim.backends.numba.compiler import VERSION, shared_compiler
from tuisim.backends.numba.table import uses_blas
from tuisim.backends.numpy import NumpyBackend
from tuisim.backends.numpy.blas import threads
from tuisim.backends.protocol import Backend, BoundStep
from tuisim.program import StepProgram

__all__ = ["BlasStep", "CompiledStep", "NumbaBackend"]

LOOPS_MAX_PRODUCT = 1_000_000
"""B·N·M of the largest layer up to which loops compete with a BLAS that cannot be called from compiled code.

Time of the NumPy backend over that of loops, on a Xeon with AVX-512, one thread each: 1.1 for 128-128-128 at batch 32
(524,288), 1.0 at batch 64, and 0.8 for 512-512-512 at batch 8.
"""


class NumbaBackend(Backend):
    """Compiled loops, and BLAS for large matrix products: MKL if it is installed, else that of NumPy."""

    name = "numba"

    def __init__(self) -> None:
        self._bound = False
        self._compiles = True
        self._library = ""
        """The library of the large products of the network bound last; empty if it has none."""

    def bind(self, program: StepProgram, share: BoundStep | None = None) -> CompiledStep | BlasStep:
        """Return a bound step; see `Backend.bind`. The first call compiles for some seconds, or loads compiled code."""
        if share is not None and not isinstance(share, CompiledStep | BlasStep):
            raise TypeError("a Numba step can only share a Numba step's arrays")
        compiles = suits(program.largest_product, program.dtype)
        if share is None:
            calls_blas = gemm.address(program.dtype) and any(map(uses_blas, program.ops))
            self._bound, self._compiles = True, compiles
            self._library = gemm.find_gemm(program.dtype).library if calls_blas else ""
            return CompiledStep(program) if compiles else BlasStep(program)
        if isinstance(share, BlasStep) or (not program.learning and not compiles):
            return BlasStep(program, share)
        return CompiledStep(program, share)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Limit BLAS to `count` threads; compiled loops use one."""
        with super().threads(count), mkl.hold(count):
            yield

    def device(self) -> str:
        """Return Numba and its one thread, and the BLAS that the network bound last uses."""
        loops = f"Numba {VERSION} ×1"
        if not self._bound:
            library = gemm.find_gemm("float32").library
            return loops + (f", large products by {library}" if library else "")
        if not self._compiles:
            return f"{NumpyBackend().device()} (called by NumPy: Numba's loops would take longer)"
        if not self._library:
            return loops
        intel = mkl.mkl()
        count = intel.threads if intel is not None and intel.name == self._library else threads()
        return f"{loops}, {self._library}" + (f" ×{count}" if count is not None else "")

    @property
    def compile_seconds(self) -> float | None:
        """Seconds that this process has spent compiling or loading compiled code; None before the first compiled step."""
        return shared_compiler.seconds


def suits(largest_product: int, dtype: str) -> bool:
    """Return True if compiled steps are the fastest for a network whose largest product has so many multiplications."""
    return largest_product <= LOOPS_MAX_PRODUCT or gemm.address(dtype) != 0
