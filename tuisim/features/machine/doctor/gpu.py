"""The NVIDIA driver and its GPUs, asked by NVML with a time limit.

A GPU that is listed may still be unusable for CUDA's libraries or CuPy.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from threading import Thread
from typing import Any

from tuisim import threads
from tuisim.errors import RunError, printable

LIMIT_SECONDS = 10.0
"""A driver that wakes a GPU takes a few."""
_INSTALL = "if there is an NVIDIA GPU, install NVIDIA's driver"
_REPAIR = "restart the machine, or install the driver again"


@dataclass(frozen=True, slots=True)
class GpuInfo:
    """One GPU; memory in bytes, None if unknown."""

    name: str
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class GpuDriver:
    """The driver and its GPUs, or why they are unknown."""

    version: str | None
    devices: tuple[GpuInfo, ...] = ()
    reason: str = ""
    remedy: str = ""
    absent: bool = False
    """True if there is no driver, or no nvidia-ml-py to ask it."""


def driver(limit: float = LIMIT_SECONDS) -> GpuDriver:
    """Ask the driver for at most `limit` seconds; never raises."""
    try:
        installed = importlib.util.find_spec("pynvml") is not None
    except ValueError:  # blocked in sys.modules
        installed = False
    if not installed:
        remedy = "if there is an NVIDIA GPU: pip install nvidia-ml-py"
        return GpuDriver(None, reason="not known: nvidia-ml-py is not installed", remedy=remedy, absent=True)
    found: list[GpuDriver] = []
    thread = Thread(target=lambda: found.append(_ask()), name="tuisim-nvml", daemon=True)
    try:
        threads.start(thread)
    except RunError as error:
        return GpuDriver(None, reason=str(error))
    thread.join(limit)
    return found[0] if found else GpuDriver(None, reason=f"the NVIDIA driver gave no answer within {limit:g} s", remedy=_REPAIR)


def _ask() -> GpuDriver:
    try:
        import pynvml as nvml

        nvml.nvmlInit()
        try:
            count = nvml.nvmlDeviceGetCount()
            if not count:
                return GpuDriver(None, reason="the NVIDIA driver lists no GPU", remedy="check that one is installed and powered")
            devices = tuple(_device(nvml, number) for number in range(count))
            return GpuDriver(printable(nvml.nvmlSystemGetDriverVersion(), 20), devices)
        finally:
            nvml.nvmlShutdown()
    except Exception as error:  # a driver, or another version of the library, may raise anything
        if type(error).__name__ == "NVMLError_LibraryNotFound":
            return GpuDriver(None, reason="no NVIDIA driver", remedy=_INSTALL, absent=True)
        return GpuDriver(None, reason=f"the NVIDIA driver failed: {printable(str(error), 160)}", remedy=_REPAIR)


def _device(nvml: Any, number: int) -> GpuInfo:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    name = printable(nvml.nvmlDeviceGetName(handle))
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:  # a GPU that shares the memory of the machine
        return GpuInfo(name, None, None)
    return GpuInfo(name, int(memory.total), int(memory.free))
