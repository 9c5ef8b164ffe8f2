"""The BLAS behind NumPy: whether its kernel is all that the processor has, and which variable is the cause where it is not.

It says nothing where a kernel or a processor is not known to it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from tuisim.backends.numpy.blas import Blas, blas, threads
from tuisim.errors import printable
from tuisim.measure.processor import LEVELS

KERNELS: dict[str, str] = {
    **dict.fromkeys(("banias", "athlon", "opteron"), "SSE2"),
    **dict.fromkeys(("prescott", "opteron_sse3", "barcelona"), "SSE3"),
    **dict.fromkeys(("core2", "atom", "bobcat", "nano"), "SSSE3"),
    **dict.fromkeys(("penryn", "dunnington"), "SSE4.1"),
    "nehalem": "SSE4.2",
    **dict.fromkeys(("sandybridge", "bulldozer", "piledriver", "steamroller"), "AVX"),
    **dict.fromkeys(("haswell", "excavator", "zen", "zen2", "zen3"), "AVX2"),
    **dict.fromkeys(("skylakex", "cooperlake", "sapphirerapids", "skx", "zen4", "zen5"), "AVX-512"),
}
"""The instructions each kernel of OpenBLAS or BLIS is written for, by its name in lower case."""
_CHOOSES = {"OpenBLAS": "OPENBLAS_CORETYPE", "BLIS": "BLIS_ARCH_TYPE", "MKL": "MKL_ENABLE_INSTRUCTIONS"}
"""The variable that chooses each library's kernel."""
_ORDER = tuple(LEVELS)


@dataclass(frozen=True, slots=True)
class BlasReport:
    """What does the matrix products."""

    library: str | None
    kernel: str | None
    instructions: str | None
    """Those its kernel is written for; none where that is not known."""
    threads: int | None
    """It would use if nobody limited it."""
    below: bool | None
    """Whether the processor has more than the kernel uses; none where either is not known."""
    cause: str | None
    """`NAME=value` of the variable that chose the kernel, where one is set that this library heeds."""
    remedy: str


def report(has: str | None) -> BlasReport:
    """Of the BLAS NumPy has loaded, on a processor with the instructions `has`."""
    return judge(blas(), has, threads())


def judge(found: Blas, has: str | None, count: int | None = None) -> BlasReport:
    uses = KERNELS.get((found.kernel or "").lower())
    below = None if uses is None or has is None else _ORDER.index(uses) < _ORDER.index(has)
    family = (found.library or "").partition(" ")[0]
    name = _CHOOSES.get(family, "")
    cause = f"{name}={printable(os.environ[name], 30)}" if os.environ.get(name) else None
    remedy = ""
    if below:
        remedy = f"unset {name}" if cause else f"the library chose it by itself: a newer {family or 'BLAS'} may do better"
    return BlasReport(found.library, found.kernel, uses, count, below, cause, remedy)


def numpy_goes_without() -> str | None:
    """`NAME=value` of the variable that takes instructions from NumPy's own loops; BLAS does not heed it."""
    value = os.environ.get("NPY_DISABLE_CPU_FEATURES")
    return f"NPY_DISABLE_CPU_FEATURES={printable(value, 40)}" if value else None
