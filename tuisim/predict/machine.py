"""The identity of a machine: everything that distinguishes its profile from another machine's, as comparable text.

It holds no name of a person or host, since profiles are shared.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import metadata

import numpy as np

from tuisim.backends.numpy.blas import blas
from tuisim.errors import printable
from tuisim.measure.processor import processor

CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy")
"""Names of CuPy's packages."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor and libraries; empty if the system does not say."""

    processor: str
    cores: int
    """The cores that a process may use."""
    system: str
    python: str
    numpy: str
    blas: str
    """The library and its kernel."""
    pinned_by: str
    """`NAME=value` of the variable that chose the kernel."""
    numba: str
    cupy: str
    tuisim: str
    """The version of tuisim, whose loops are timed."""

    @property
    def id(self) -> str:
        """Eight letters and digits that change with any of these."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        pinned = f" ({self.pinned_by})" if self.pinned_by else ""
        return f"{self.processor}, {self.blas}{pinned}"

    def differs(self, other: Machine) -> str:
        """Return the differences from `other` in words; empty if there are none."""
        changed = [
            f"{field.name} was {getattr(self, field.name) or 'none'}, is {getattr(other, field.name) or 'none'}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]
        return "; ".join(changed)


def called(identity: str) -> str:
    """Return `this machine`, or the machine's `id` if it is another or has other libraries."""
    return "this machine" if identity == this_machine().id else f"machine {printable(identity)}"


@cache
def this_machine() -> Machine:
    """Return the machine that this runs on."""
    found = processor()
    return Machine(
        processor=printable(" ".join(found.name.split()), 500),
        cores=found.usable_cores,
        system=f"{platform.system()} {platform.machine()}".strip(),
        python=platform.python_version(),
        numpy=np.__version__,
        blas=str(blas()),
        pinned_by=blas().pinned_by or "",
        numba=_version("numba"),
        cupy=next(filter(None, map(_version, CUPY)), ""),
        tuisim=_version("tuisim") or "from its folder",
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
