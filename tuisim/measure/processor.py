"""The processor and main memory, and how much of them a process may use, as the system describes them."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tuisim.measure.caches import Cache, caches
from tuisim.threads import usable_cores

LEVELS: dict[str, frozenset[str]] = {
    "SSE2": frozenset({"sse2"}),
    "SSE3": frozenset({"pni"}),
    "SSSE3": frozenset({"ssse3"}),
    "SSE4.1": frozenset({"sse4_1"}),
    "SSE4.2": frozenset({"sse4_2"}),
    "AVX": frozenset({"avx"}),
    "AVX2": frozenset({"avx", "avx2", "fma"}),
    "AVX-512": frozenset({"avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"}),
}
"""SIMD instruction sets of x86 processors in ascending order, by the flags they need; of AVX-512 those that BLAS kernels use."""
_CPUINFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor; what is unknown is None."""

    name: str
    architecture: str
    instructions: str | None
    """The highest of LEVELS that it supports; None if unknown, and on other architectures."""
    logical_cores: int | None
    physical_cores: int | None
    usable_cores: int
    """Cores in the affinity of this process."""
    quota: float | None
    """The CPU quota of a container in cores; None if there is no limit."""
    caches: tuple[Cache, ...]
    """Data caches, innermost first; empty if unknown."""


@dataclass(frozen=True, slots=True)
class MainMemory:
    """Bytes of main memory."""

    total_bytes: int | None
    available_bytes: int | None
    limit_bytes: int | None
    """The memory limit of a container; None if there is none."""


def processor() -> Processor:
    """Return the description of this processor."""
    return Processor(
        name=name(),
        architecture=platform.machine(),
        instructions=level(flags()),
        logical_cores=os.cpu_count(),
        physical_cores=_physical(),
        usable_cores=usable_cores(),
        quota=_quota(),
        caches=caches(),
    )


def name() -> str:
    """Return the name of the processor, or its architecture if unknown. No other program is run."""
    reported = platform.processor() if sys.platform == "win32" else ""  # elsewhere it would run `uname`
    return _cpuinfo("model name") or reported or platform.machine()


def environment() -> dict[str, Any]:
    """Return the processor and the versions of Python, NumPy and BLAS, for the JSON document of a measurement."""
    import numpy as np

    from tuisim.backends.numpy.blas import blas

    return {
        "processor": name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": str(blas()),
        "pinned_by": blas().pinned_by,
    }


def memory() -> MainMemory:
    """Return the bytes of main memory."""
    try:
        import psutil
    except ImportError:
        total, available = _pages("SC_PHYS_PAGES"), _pages("SC_AVPHYS_PAGES")
    else:
        total, available = (int(getattr(psutil.virtual_memory(), key)) for key in ("total", "available"))
    limit = _number(_CGROUP / "memory.max") or _number(_CGROUP / "memory" / "memory.limit_in_bytes")
    # Control groups of version 1 have a huge number if there is no limit.
    return MainMemory(total, available, limit if limit and (total is None or limit < total) else None)


def level(found: Collection[str]) -> str | None:
    """Return the highest of LEVELS whose flags are all in `found`."""
    names = [name for name, needed in LEVELS.items() if needed <= set(found)]
    return names[-1] if names else None


@cache
def flags() -> frozenset[str]:
    """Return the features of the processor as listed by the system, or else by NumPy; empty if unknown."""
    if listed := _cpuinfo("flags"):
        return frozenset(listed.split())
    if os.environ.get("NPY_DISABLE_CPU_FEATURES"):  # NumPy reports disabled features as missing
        return frozenset()
    try:
        features: Any = getattr(import_module("numpy._core._multiarray_umath"), "__cpu_features__", {})
    except ImportError:
        return frozenset()
    names = {_NUMPY_NAMES.get(name, name.lower()) for name, there in features.items() if there}
    # NumPy has one name for the features of Skylake-X.
    return frozenset(names | LEVELS["AVX-512"] if "avx512_skx" in names else names)


_NUMPY_NAMES = {"SSE3": "pni", "SSE41": "sse4_1", "SSE42": "sse4_2", "FMA3": "fma"}


def _cpuinfo(key: str) -> str:
    """Return the first value of `key` in /proc/cpuinfo; empty if there is none."""
    try:
        with _CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        return ""
    return ""


def _physical() -> int | None:
    try:
        import psutil
    except ImportError:
        return None
    count: int | None = psutil.cpu_count(logical=False)
    return count


def _quota() -> float | None:
    """Read the quota of control groups, of version 2 (`200000 100000`, or `max`) or 1."""
    try:
        time, period = (_CGROUP / "cpu.max").read_text(encoding="utf-8").split()
        return int(time) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        allowed, per = (_number(_CGROUP / "cpu" / f"cpu.cfs_{key}_us") for key in ("quota", "period"))
        return allowed / per if allowed and per and allowed > 0 else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _pages(name: str) -> int | None:
    """Return the bytes of the pages that the system configuration names; None if there is no such entry."""
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
