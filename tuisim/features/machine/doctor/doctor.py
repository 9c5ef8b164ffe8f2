"""What this machine has, what of it tuisim can use, and what would cure what is missing: one report of plain values.

It gathers and decides nothing else; each thing is asked for by a module of its own. Where NumPy itself is broken, that is in the
report like anything else.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tuisim import __version__
from tuisim.backends import AUTO, Probe, choose, names, probe
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.machine.doctor import extras as doctor_extras
from tuisim.features.machine.doctor import gpu as doctor_gpu
from tuisim.features.machine.doctor.extras import Extra
from tuisim.features.machine.doctor.gpu import Driver
from tuisim.measure import processor as processors
from tuisim.measure.processor import Memory, Processor
from tuisim.provenance import Provenance

if TYPE_CHECKING:
    from tuisim.features.machine.doctor.blas import BlasReport

_VARIABLES = ("OPENBLAS_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "GOTO_", "NPY_", "NUMBA_", "CUDA_VISIBLE_DEVICES", "CUPY_")
"""Environment variables that change how fast anything here is, or whether it works, by how they begin."""

MARKS: dict[str, Provenance] = {
    "cpu.logical_cores": Provenance.MEASURED,
    "cpu.physical_cores": Provenance.MEASURED,
    "cpu.usable_cores": Provenance.MEASURED,
    "cpu.quota": Provenance.MEASURED,
    "cpu.caches[]": Provenance.MEASURED,
    "memory.*": Provenance.MEASURED,
    "blas.threads": Provenance.MEASURED,
    "gpu.devices[].total_bytes": Provenance.MEASURED,
    "gpu.devices[].free_bytes": Provenance.MEASURED,
    "gpu.cupy.total_bytes": Provenance.MEASURED,
    "gpu.cupy.free_bytes": Provenance.MEASURED,
}
"""What kind of number stands at each path of `Report.to_dict`; `*` is any key."""


@dataclass(frozen=True, slots=True)
class CupyReport:
    """CuPy, the library that the backend of that name stands on, and what it says of the GPU."""

    probe: Probe
    driver_cuda: str
    """The newest CUDA its driver is made for, as CuPy was told; blank where it was not."""
    runtime_cuda: str
    """The CUDA it was made for itself."""
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it; what is not known is blank or none."""

    environment: dict[str, Any]
    processor: Processor
    memory: Memory
    blas: BlasReport | None
    """None where NumPy does not work."""
    numpy_goes_without: str | None
    """`NAME=value` of a variable that takes instructions from NumPy's own loops."""
    driver: Driver
    cupy: CupyReport
    backends: tuple[Probe, ...]
    auto: tuple[str, str]
    """What `auto` comes to for a small network and for a large one."""
    extras: tuple[Extra, ...]

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim doctor --json` prints."""
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
            "extras": [
                {"name": extra.name, "packages": list(map(asdict, extra.packages)), "missing": list(extra.missing)}
                for extra in self.extras
            ],
            "marks": dict(MARKS),
        }


def diagnose(tell: Callable[[str], None] = lambda what: None) -> Report:
    """Ask everything; `tell` hears what is being asked. It takes a second, and up to 40 where a GPU's driver hangs."""
    tell("asking the system")
    processor, memory = processors.processor(), processors.memory()
    tell("importing the backends")
    backends = tuple(map(probe, names()))
    blas, without = _blas(processor, backends)
    tell("asking for a GPU")
    return Report(
        environment=_environment(backends),
        processor=processor,
        memory=memory,
        blas=blas,
        numpy_goes_without=without,
        driver=doctor_gpu.driver(),
        cupy=_cupy(),
        backends=backends,
        auto=_auto(),
        extras=doctor_extras.extras(),
    )


def _auto() -> tuple[str, str]:
    """Of the question's network and of the largest that the benchmark has."""
    asked = RunConfig(layers=(30, 30, 30), loss="mse", batch_size=1), RunConfig(layers=(784, 4096, 4096, 10), batch_size=512)
    small, large = (choose(replace(config, backend=AUTO)).name for config in asked)
    return small, large


def _environment(backends: tuple[Probe, ...]) -> dict[str, Any]:
    return {
        "tuisim": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": "-".join(
            filter(None, (platform.system(), platform.release(), platform.machine(), "".join(platform.libc_ver())))
        ),
        "numpy": next((found.version for found in backends if found.name == "numpy"), None),
        "variables": {name: printable(value) for name, value in sorted(os.environ.items()) if name.startswith(_VARIABLES)},
    }


def _blas(processor: Processor, backends: tuple[Probe, ...]) -> tuple[BlasReport | None, str | None]:
    if not any(found.name == "numpy" and found.available for found in backends):
        return None, None
    from tuisim.features.machine.doctor import blas as doctor_blas  # needs NumPy

    return doctor_blas.report(processor.instructions), doctor_blas.numpy_goes_without()


def _cupy() -> CupyReport:
    from tuisim.backends import gpu_probe, gpu_verdict

    found = probe("cupy")
    facts = gpu_probe.facts()
    return CupyReport(
        found,
        gpu_verdict.cuda(facts.get("driver")),
        gpu_verdict.cuda(facts.get("runtime")),
        facts.get("total_bytes"),
        facts.get("free_bytes"),
    )
