"""Whether the memory that is free now holds a number of bytes, asked before they are allocated.

It does not know what the bytes are for beyond the words it is given.
"""

from __future__ import annotations

from tuisim import units
from tuisim.errors import MemoryNeeded

ADDRESSABLE = 2**47
"""What processors of today let one process address."""


def available() -> int | None:
    """Bytes that can be allocated without swapping; None where nothing here can tell."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def need(size: int, what: str, remedy: str) -> None:
    """Raises MemoryNeeded where `size` bytes are more than are free; where that is unknown, it may be tried."""
    free = available()
    if size > (ADDRESSABLE if free is None else free):
        known = "no machine has as much" if free is None else f"{units.size(free)} are free"
        raise MemoryNeeded(f"{what} needs {units.size(size)} of memory, {known}: {remedy}")
