"""The memory that is free now, and the check against it that precedes every large allocation."""

from __future__ import annotations

from tuisim import units
from tuisim.errors import MemoryNeeded

ADDRESSABLE = 2**47
"""Bytes that today's processors let one process address."""


def available() -> int | None:
    """Return the bytes that can be allocated without swapping; None if psutil is not installed."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def limit(free: int | None) -> tuple[int, str]:
    """Return the largest size that may be allocated and the words for it, given the `free` bytes, None if unknown."""
    return (ADDRESSABLE, "no machine has as much") if free is None else (free, f"{units.size(free)} are free")


def require(size: int, what: str, remedy: str) -> None:
    """Raise MemoryNeeded if `size` bytes are more than `limit` allows."""
    most, words = limit(available())
    if size > most:
        raise MemoryNeeded(f"{what} needs {units.size(size)} of memory, {words}: {remedy}")
