"""Whether a backend works here, and in one line each why it does not and what would cure that.

It asks the library a backend stands on; how the backend computes, and which networks suit it, is not its to know.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tuisim.errors import printable, said


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found out about a backend or its library."""

    name: str
    available: bool
    version: str | None = None
    """Of its library; none where it is not installed, or where there is none to have a version."""
    device: str = ""
    """What does the work, where that is known."""
    reason: str = ""
    """Why it does not work; empty where it does."""
    remedy: str = ""
    """What would cure that."""

    @property
    def absent(self) -> bool:
        """Nothing is broken: it is just not there."""
        return not self.available and self.version is None

    @property
    def why_not(self) -> str:
        """`reason; remedy`."""
        return "; ".join(part for part in (self.reason, self.remedy) if part)


@dataclass(frozen=True, slots=True)
class Home:
    """Where a backend is, and what it needs."""

    module: str
    cls: str
    library: str | None
    """What must be importable for it."""
    install: str = ""
    """What brings the library."""
    mend: str = ""
    """What may help where it is there and does not work."""
    own_memory: bool = False
    """Whether it computes in a device's memory."""
    threads: int | None = None
    """How many it has, whatever is asked for; none where it goes by that."""
    dtype: str | None = None
    """In which numbers it computes, whatever is asked for; none where it goes by that."""

    def make(self) -> Any:
        """The backend itself; raises whatever its library raises."""
        return getattr(import_module(self.module), self.cls)()


def look(name: str, home: Home) -> Probe:
    """Import what the backend called `name` needs, and make it once; never raises."""
    if not installed(home):
        return Probe(name, False, reason="not installed", remedy=home.install)
    version = _version(home.library)
    if (pinned := _switched_off(name)) is not None:
        return Probe(name, False, version, reason=f"{pinned} is set", remedy=f"unset {pinned.partition('=')[0]}")
    try:
        if home.library is not None:
            import_module(home.library)
        device = home.make().device()
    except Exception as error:  # a library made for another NumPy or Python fails in any way it likes
        message = said(str(error)) or "it does not say why"
        return Probe(
            name, False, version or "", reason=printable(f"cannot be imported: {message.rstrip('.')}", 200), remedy=home.mend
        )
    return Probe(name, True, version, printable(device, 80))


def installed(home: Home) -> bool:
    """Whether its library is there to be imported; nothing is imported to find out."""
    if home.library is None:
        return True
    try:
        return importlib.util.find_spec(home.library) is not None
    except (ImportError, ValueError):  # it has been put out of reach
        return False


def _version(library: str | None) -> str | None:
    try:
        return importlib.metadata.version(library) if library else None
    except importlib.metadata.PackageNotFoundError:
        return ""


def _switched_off(name: str) -> str | None:
    """`NAME=value` of the environment variable that leaves a backend nothing to compute with."""
    if name != "numba":
        return None
    off = [variable for variable in ("NUMBA_DISABLE_JIT",) if os.environ.get(variable, "") not in ("", "0")]
    # LLVM writes these to the terminal as they are.
    off += [variable for variable in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES") if not os.environ.get(variable, "").isprintable()]
    return f"{off[0]}={printable(os.environ[off[0]], 20)}" if off else None
