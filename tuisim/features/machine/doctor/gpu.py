"""The GPUs and the driver that nvidia-smi shows, asked with a time limit.

It knows neither CUDA's libraries nor CuPy: a GPU that is listed may still be of no use to them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from tuisim.backends import child
from tuisim.errors import printable

LIMIT_SECONDS = 10.0
"""A driver that wakes a GPU takes a few."""
_MEBIBYTE = 1 << 20
_ABSENT = "install NVIDIA's driver if there is an NVIDIA GPU; it brings nvidia-smi"
_BROKEN = "restart the machine, or install the driver again"


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU; memory in bytes, none where it is not told."""

    name: str
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True)
class Driver:
    """What nvidia-smi says, or why it says nothing."""

    version: str | None
    devices: tuple[Device, ...] = ()
    reason: str = ""
    remedy: str = ""
    absent: bool = False
    """There is no nvidia-smi at all."""


def driver(limit: float = LIMIT_SECONDS) -> Driver:
    """Ask; never raises."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Driver(None, reason="no nvidia-smi, so no NVIDIA driver that could be asked", remedy=_ABSENT, absent=True)
    query = [program, "--query-gpu=driver_version,memory.total,memory.free,name", "--format=csv,noheader,nounits"]
    try:
        answer = child.ask(query, limit, stderr=True)
    except OSError as error:
        return Driver(None, reason=f"nvidia-smi cannot be started: {error.strerror or error}", remedy=_BROKEN)
    if answer.flooded:
        return Driver(None, reason="nvidia-smi wrote without end", remedy=_BROKEN)
    if answer.hung:
        return Driver(None, reason=f"nvidia-smi gave no answer within {limit:g} s", remedy=_BROKEN)
    if answer.code:
        said = next((line.strip() for line in (answer.text + answer.errors).splitlines() if line.strip()), "")
        reason = f"nvidia-smi failed ({answer.code}): {printable(said, 160)}"
        return Driver(None, reason=reason, remedy=_BROKEN)
    return _read(answer.text)


def _read(text: str) -> Driver:
    """The lines of its answer: driver, total and free memory in MiB, name."""
    rows = [[cell.strip() for cell in line.split(",", 3)] for line in text.splitlines() if line.count(",") >= 3]
    if not rows:
        return Driver(None, reason="nvidia-smi lists no GPU", remedy="see that one is fitted and switched on")
    devices = tuple(Device(printable(name), _bytes(total), _bytes(free)) for _, total, free, name in rows)
    return Driver(printable(rows[0][0], 20), devices)


def _bytes(mebibytes: str) -> int | None:
    """None for `[N/A]`, as where a GPU has the machine's own memory."""
    return int(mebibytes) * _MEBIBYTE if mebibytes.isdecimal() else None
