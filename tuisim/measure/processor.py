"""The processor this runs on and what of it and of the memory a process may use; blank where the system does not say.

It asks the system alone: no library that computes, and nothing is measured by running it.
"""

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
"""Vector instructions of x86 processors, least first, by the flags they need: of AVX-512 those that BLAS kernels use."""
_CPUINFO = Path("/proc/cpuinfo")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Processor:
    """What computes, without a GPU."""

    name: str
    architecture: str
    instructions: str | None
    """The highest of LEVELS it has; none where that is not known, and on other architectures."""
    logical_cores: int | None
    physical_cores: int | None
    usable_cores: int
    """Those this process may run on (its affinity)."""
    quota: float | None
    """Cores' worth of time a container may use; none where there is no limit or nothing says so."""
    caches: tuple[Cache, ...]
    """Those that hold data, innermost first; empty if the system does not tell."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of main memory."""

    total_bytes: int | None
    available_bytes: int | None
    """To be had without swapping."""
    limit_bytes: int | None
    """What a container may use; none where there is no limit or nothing says so."""


def processor() -> Processor:
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
    """The processor's name where the system keeps it, else its architecture; no other program is asked."""
    told = platform.processor() if sys.platform == "win32" else ""  # elsewhere `uname` would be run, whatever that is
    return _cpuinfo("model name") or told or platform.machine()


def memory() -> Memory:
    try:
        import psutil
    except ImportError:
        total, available = _pages("SC_PHYS_PAGES"), _pages("SC_AVPHYS_PAGES")
    else:
        total, available = (int(getattr(psutil.virtual_memory(), key)) for key in ("total", "available"))
    limit = _number(_CGROUP / "memory.max") or _number(_CGROUP / "memory" / "memory.limit_in_bytes")
    # Version 1 writes a number beyond every memory where there is no limit.
    return Memory(total, available, limit if limit and (total is None or limit < total) else None)


def level(found: Collection[str]) -> str | None:
    """The highest of LEVELS whose flags are all there."""
    names = [name for name, needed in LEVELS.items() if needed <= set(found)]
    return names[-1] if names else None


@cache
def flags() -> frozenset[str]:
    """The processor's features as the system lists them, or else as NumPy found them; empty where nothing tells."""
    listed = _cpuinfo("flags")
    return frozenset(listed.split()) if listed else _flags_of_numpy()


def _flags_of_numpy() -> frozenset[str]:
    if os.environ.get("NPY_DISABLE_CPU_FEATURES"):  # what is disabled is reported as not there
        return frozenset()
    try:
        features: Any = getattr(import_module("numpy._core._multiarray_umath"), "__cpu_features__", {})
    except ImportError:
        return frozenset()
    names = {_NUMPY_NAMES.get(name, name.lower()) for name, there in features.items() if there}
    # One name there for the whole group that Skylake-X brought.
    return frozenset(names | LEVELS["AVX-512"] if "avx512_skx" in names else names)


_NUMPY_NAMES = {"SSE3": "pni", "SSE41": "sse4_1", "SSE42": "sse4_2", "FMA3": "fma"}


def _cpuinfo(key: str) -> str:
    """The first line of that name in the system's list of processors."""
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
    """Control groups of version 2 (`200000 100000`, or `max`) or 1."""
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
    """Bytes of as many pages as the system configuration names; none where there is no such thing."""
    try:
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
