"""Which machine a card is of: what would make its figures another machine's, in words that can be compared.

No name of a person or host is in it, since cards are handed on. It does not know what was measured.
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
"""Names that CuPy is installed by."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor and libraries; blank where the system does not say."""

    processor: str
    cores: int
    """Those a process may run on."""
    system: str
    python: str
    numpy: str
    blas: str
    """The library and the kernel it chose."""
    pinned_by: str
    """`NAME=value` of a variable that chose the kernel."""
    numba: str
    cupy: str
    tuisim: str
    """This program's version: the loops it times are its own."""

    @property
    def id(self) -> str:
        """Eight letters and digits that stay the same while all of this does."""
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        pinned = f" ({self.pinned_by})" if self.pinned_by else ""
        return f"{self.processor}, {self.blas}{pinned}"

    def differs(self, other: Machine) -> str:
        """What is another here than in `other`, in words; empty where nothing is."""
        changed = [
            f"{field.name} was {getattr(self, field.name) or 'none'}, is {getattr(other, field.name) or 'none'}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]
        return "; ".join(changed)


def called(identity: str) -> str:
    """A machine by its `id`, as people are told: this one, or whatever has other libraries or is another altogether."""
    return "this machine" if identity == this_machine().id else f"machine {printable(identity)}"


@cache
def this_machine() -> Machine:
    """The one this runs on."""
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
