"""The report of the doctor: what this machine has, what tuisim can use, and what would fix what is missing.

It is made even if NumPy does not work.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tuisim import __version__
from tuisim.backends import AUTO, Probe, choose, names, probe
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.machine.doctor import gpu
from tuisim.measure import processor as processors
from tuisim.measure.processor import LEVELS, MainMemory, Processor
from tuisim.provenance import Provenance

if TYPE_CHECKING:
    from tuisim.backends.numpy.blas import Blas

_VARIABLES = ("OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "GOTO_", "NPY_", "NUMBA_", "CUDA_VISIBLE_DEVICES", "CUPY_")
"""Prefixes of environment variables that change speed, or whether something works."""

MARKS: dict[str, Provenance] = dict.fromkeys(
    (
        "cpu.logical_cores", "cpu.physical_cores", "cpu.usable_cores", "cpu.quota", "cpu.caches[]", "memory.*", "blas.threads",
        "gpu.devices[].total_bytes", "gpu.devices[].free_bytes", "gpu.cupy.total_bytes", "gpu.cupy.free_bytes",
    ),
    Provenance.MEASURED,
)  # fmt: skip
"""The provenance by path of `DoctorReport.to_dict`; `*` is any key."""


@dataclass(frozen=True, slots=True)
class BlasReport:
    """The library of the matrix products."""

    library: str | None
    kernel: str | None
    instructions: str | None
    """The instructions that its kernel is written for; None if unknown."""
    threads: int | None
    """Its threads unless limited."""
    below: bool | None
    """True if the processor supports more than the kernel uses; None if either is unknown."""
    cause: str | None
    """`NAME=value` of the variable that selects the kernel, if one is set."""
    remedy: str


@dataclass(frozen=True, slots=True)
class CupyReport:
    """CuPy, and what it reports about the GPU."""

    probe: Probe
    driver_cuda: str
    """The newest CUDA version that the driver supports; empty if unknown."""
    runtime_cuda: str
    """The CUDA version that CuPy was built for."""
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Package:
    """A package of an extra."""

    name: str
    requirement: str
    """`>=14,<15`."""
    version: str | None
    """The installed version; None if it is not installed."""


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional extra of tuisim."""

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(package.name for package in self.packages if package.version is None)


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """The whole report; what is unknown is empty or None."""

    environment: dict[str, Any]
    processor: Processor
    memory: MainMemory
    blas: BlasReport | None
    """None if NumPy does not work."""
    numpy_goes_without: str | None
    """`NAME=value` of a variable that disables instructions in NumPy's own loops."""
    driver: gpu.GpuDriver
    cupy: CupyReport
    backends: tuple[Probe, ...]
    auto: tuple[str, str]
    """The backend that `auto` selects for a small network and for a large one."""
    extras: tuple[Extra, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim doctor --json` prints."""
        cupy = asdict(self.cupy)
        return {
            "environment": self.environment,
            "cpu": asdict(self.processor) | {"numpy_goes_without": self.numpy_goes_without},
            "memory": asdict(self.memory),
            "blas": asdict(self.blas) if self.blas is not None else None,
            "gpu": {
                "driver": self.driver.version,
                "devices": list(map(asdict, self.driver.devices)),
                "reason": self.driver.reason,
                "remedy": self.driver.remedy,
                "cupy": cupy.pop("probe") | cupy,
            },
            "backends": [asdict(found) for found in self.backends],
            "auto": dict(zip(("small", "large"), self.auto, strict=True)),
            "extras": [asdict(extra) | {"missing": list(extra.missing)} for extra in self.extras],
            "marks": dict(MARKS),
        }


def diagnose(tell: Callable[[str], None] = lambda what: None) -> DoctorReport:
    """Make the report; `tell` is called with each stage. It takes a second, and up to 40 if the driver of a GPU hangs."""
    tell("reading the system")
    processor, memory = processors.processor(), processors.memory()
    tell("importing the backends")
    backends = tuple(map(probe, names()))
    blas = None
    if any(found.name == "numpy" and found.available for found in backends):
        from tuisim.backends.numpy.blas import blas as numpy_blas  # needs NumPy
        from tuisim.backends.numpy.blas import threads

        blas = judge(numpy_blas(), processor.instructions, threads())
    disabled = os.environ.get("NPY_DISABLE_CPU_FEATURES")
    # 30-30-30, and the largest network of the benchmark.
    small = RunConfig(layers=(30, 30, 30), loss="mse", batch_size=1, backend=AUTO)
    large = RunConfig(layers=(784, 4096, 4096, 10), batch_size=512, backend=AUTO)
    tell("looking for a GPU")
    return DoctorReport(
        environment=_environment(backends),
        processor=processor,
        memory=memory,
        blas=blas,
        numpy_goes_without=f"NPY_DISABLE_CPU_FEATURES={printable(disabled, 40)}" if disabled and blas is not None else None,
        driver=gpu.driver(),
        cupy=_cupy(),
        backends=backends,
        auto=(choose(small).name, choose(large).name),
        extras=extras(),
    )


def _environment(backends: tuple[Probe, ...]) -> dict[str, Any]:
    system = platform.system(), platform.release(), platform.machine(), "".join(platform.libc_ver())
    return {
        "tuisim": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": "-".join(filter(None, system)),
        "numpy": next((found.version for found in backends if found.name == "numpy"), None),
        "variables": {name: printable(value) for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES)},
    }


def _cupy() -> CupyReport:
    from tuisim.backends import gpu_probe

    found, facts = probe("cupy"), gpu_probe.facts()
    driver, runtime = (gpu_probe.cuda_version(facts.get(key)) for key in ("driver", "runtime"))
    return CupyReport(found, driver, runtime, facts.get("total_bytes"), facts.get("free_bytes"))


# ── BLAS ──

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
"""The instructions of each kernel of OpenBLAS or BLIS, by its name in lower case."""
_KERNEL_VARIABLES = {"OpenBLAS": "OPENBLAS_CORETYPE", "BLIS": "BLIS_ARCH_TYPE", "MKL": "MKL_ENABLE_INSTRUCTIONS"}
"""The variable that selects the kernel of each library."""


def judge(found: Blas, supported: str | None, threads: int | None = None) -> BlasReport:
    """Compare the kernel of a BLAS with the instructions that the processor supports."""
    levels = tuple(LEVELS)
    uses = KERNELS.get((found.kernel or "").lower())
    below = None if uses is None or supported is None else levels.index(uses) < levels.index(supported)
    family = (found.library or "").partition(" ")[0]
    name = _KERNEL_VARIABLES.get(family, "")
    cause = f"{name}={printable(os.environ[name], 30)}" if os.environ.get(name) else None
    remedy = ""
    if below:
        remedy = f"unset {name}" if cause else f"the library chose it by itself: a newer {family or 'BLAS'} may do better"
    return BlasReport(found.library, found.kernel, uses, threads, below, cause, remedy)


# ── extras ──

_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(?P<parts>\[[^\]]*\])?\s*(?P<versions>[^;]*)(;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


def extras(distribution: str = "tuisim") -> tuple[Extra, ...]:
    """Return the extras of the installed distribution; empty if it is not installed."""
    try:
        metadata = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ()
    return parse_extras(metadata.get_all("Provides-Extra") or (), metadata.get_all("Requires-Dist") or ())


def parse_extras(names: Iterable[str], requirements: Iterable[str]) -> tuple[Extra, ...]:
    """Return extras from the requirements of the metadata: `cupy-cuda12x[ctk]<15,>=14; extra == 'cuda12-ctk'`."""
    packages: dict[str, list[Package]] = {name: [] for name in names}
    for text in requirements:
        match = _REQUIREMENT.match(text)
        extra = _EXTRA.search(match["marker"] or "") if match else None
        if match and extra and extra["extra"] in packages:
            requirement = f"{match['parts'] or ''}{match['versions'].strip()}"
            packages[extra["extra"]].append(Package(match["name"], requirement, _installed(match["name"])))
    return tuple(Extra(name, tuple(found)) for name, found in packages.items())


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
