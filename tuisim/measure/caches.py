"""The data caches of this processor by level, as the system describes them.

Sources: sysfs (Linux), sysctl (macOS), GetLogicalProcessorInformationEx (Windows); the last two are tested with recordings only.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_SYSFS = Path("/sys/devices/system/cpu")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_RELATION_CACHE = 2
_UNIFIED, _DATA = 0, 2
"""PROCESSOR_CACHE_TYPE of Windows, of caches that hold data."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache level: the size of one cache, and the number of them."""

    level: int
    size: int
    """Bytes; the largest where the cores differ."""
    instances: int

    @property
    def name(self) -> str:
        """`L1` to `L3`."""
        return f"L{self.level}"

    def capacity(self, threads: int) -> int:
        """Return the bytes of this level for `threads` threads, each alone on a core."""
        return self.size * max(1, min(threads, self.instances))


@cache
def caches() -> tuple[Cache, ...]:
    """Return the levels that hold data, innermost first; empty if unknown."""
    if sys.platform == "darwin":
        return mac(_sysctl())
    if sys.platform == "win32":
        return windows(_processor_information())
    return linux(_SYSFS)


def linux(root: Path) -> tuple[Cache, ...]:
    """Read `root`/cpu*/cache/index*/{level,type,size,shared_cpu_list}."""
    found = set()
    for folder in root.glob("cpu[0-9]*/cache/index[0-9]*"):
        level, kind, size, shared = (_read(folder / name) for name in ("level", "type", "size", "shared_cpu_list"))
        amount = _bytes(size)
        if level.isdecimal() and kind in ("Data", "Unified") and amount:
            found.add((int(level), amount, shared or folder.parent.parent.name))
    return _levels((level, amount) for level, amount, _ in found)


def mac(ask: Callable[[str], int | None]) -> tuple[Cache, ...]:
    """Read sysctl: the performance cores if there are two kinds, else all cores."""
    cores = ask("hw.physicalcpu") or 1
    fast = ask("hw.perflevel0.physicalcpu")
    found: list[tuple[int, int]] = []
    for level, name, per in ((1, "l1dcachesize", ""), (2, "l2cachesize", "cpusperl2"), (3, "l3cachesize", "cpusperl3")):
        size = (ask(f"hw.perflevel0.{name}") if fast else None) or ask(f"hw.{name}")
        if size:
            # By default the L3 is shared by all cores, and the others belong to one core.
            sharing = (ask(f"hw.perflevel0.{per}") if per else None) or (cores if level == 3 else 1)
            found += [(level, size)] * max(1, (fast or cores) // sharing)
    return _levels(found)


def windows(answer: bytes) -> tuple[Cache, ...]:
    """Read SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX records with a CACHE_RELATIONSHIP each."""
    found: list[tuple[int, int]] = []
    at = 0
    while at + 20 <= len(answer):
        relation, length = struct.unpack_from("<II", answer, at)
        level, _, _, size, kind = struct.unpack_from("<BBHII", answer, at + 8)
        if relation == _RELATION_CACHE and kind in (_UNIFIED, _DATA) and size:
            found.append((level, size))
        if length < 8:
            break
        at += length
    return _levels(found)


def _levels(found: Iterable[tuple[int, int]]) -> tuple[Cache, ...]:
    """Return one Cache per level from the (level, size) of every cache."""
    sizes: dict[int, list[int]] = {}
    for level, size in found:
        sizes.setdefault(level, []).append(size)
    return tuple(Cache(level, max(sizes[level]), len(sizes[level])) for level in sorted(sizes))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _bytes(text: str) -> int:
    """Parse `32K` to bytes; 0 if it is not a size."""
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    return int(number) * unit if number.isdecimal() else 0


def _sysctl() -> Callable[[str], int | None]:
    try:
        call: Any = ctypes.CDLL(None).sysctlbyname
    except (AttributeError, OSError, TypeError):
        return lambda name: None

    def ask(name: str) -> int | None:
        value, length = ctypes.c_uint64(0), ctypes.c_size_t(8)
        failed = call(name.encode(), ctypes.byref(value), ctypes.byref(length), None, ctypes.c_size_t(0))
        return None if failed else value.value

    return ask


def _processor_information() -> bytes:
    try:
        call: Any = getattr(ctypes, "windll").kernel32.GetLogicalProcessorInformationEx  # noqa: B009  absent elsewhere
    except (AttributeError, OSError):
        return b""
    length = ctypes.c_ulong(0)
    call(_RELATION_CACHE, None, ctypes.byref(length))
    answer = ctypes.create_string_buffer(length.value)
    return answer.raw[: length.value] if length.value and call(_RELATION_CACHE, answer, ctypes.byref(length)) else b""
