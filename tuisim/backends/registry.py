"""Backends by name: which there are, which work here, and which is best for a network. Nothing is imported until asked for.

It knows where each one is; what it computes and how is the backend's own affair.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

from tuisim.backends.probing import Home, Probe, installed, look
from tuisim.errors import BackendError, nearest, printable

if TYPE_CHECKING:
    from tuisim.backends.protocol import Backend
    from tuisim.config import RunConfig

AUTO = "auto"
"""Asks for the best backend that works here for the network."""

_HOMES = {
    "numpy": Home("tuisim.backends.numpy", "NumpyBackend", "numpy", "pip install numpy", "pip install --force-reinstall numpy"),
    "scalar": Home("tuisim.backends.scalar", "ScalarBackend", None),
    "numba": Home(
        "tuisim.backends.numba",
        "NumbaBackend",
        "numba",
        "pip install 'tuisim[numba]'",
        "pip install --upgrade numba, or the NumPy that it asks for",
    ),
}
_found: dict[str, Probe] = {}
_looking: set[str] = set()
"""Names that some thread is finding out about."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend a run gets."""

    name: str
    note: str
    """Which was chosen for `auto` and why; empty where the run itself names its backend."""


def names() -> tuple[str, ...]:
    """The backends tuisim has, whether or not they work here."""
    return tuple(_HOMES)


def probe(name: str) -> Probe:
    """Whether the backend called `name` works here, found out once per process; `cupy` is the library alone so far.

    Raises BackendError for a name that is none.
    """
    if name not in _found:
        _looking.add(name)
        try:
            _found[name] = _cupy() if name == "cupy" else look(name, _home(name))
        finally:
            _looking.discard(name)
    return _found[name]


def _cupy() -> Probe:
    from tuisim.backends import gpu_probe, gpu_verdict

    return gpu_verdict.judge(gpu_probe.facts())


def known(name: str) -> Probe | None:
    """What can be said of a backend without importing anything for it; none where `probe` would have to.

    Raises BackendError for a name that is none.
    """
    home = _home(name)
    if name not in _found and name in _looking:  # its library is half imported, and asking now would be to wait for it
        return None
    at_hand = name in _found or home.library is None or home.library in sys.modules or not installed(home)
    return probe(name) if at_hand else None


def get_backend(name: str) -> Backend:
    """The backend called `name`. Raises BackendError where there is none, or where it cannot work here."""
    home = _home(name)
    found = probe(name)
    if not found.available:
        raise BackendError(f"backend {name}: {found.why_not}")
    backend: Backend = home.make()
    return backend


def _home(name: str) -> Home:
    if name in _HOMES:
        return _HOMES[name]
    if name == AUTO:
        raise BackendError("backend auto: it is chosen for a network; name one of " + ", ".join(_HOMES))
    if name == "cupy":
        raise BackendError("backend cupy: not part of this version of tuisim; one of " + ", ".join((*_HOMES, AUTO)))
    raise BackendError(f"backend {printable(name)}: {nearest(name, (*_HOMES, AUTO))}")


def choose(config: RunConfig) -> Choice:
    """The backend that `config` names, or for `auto` the best that works here for its network, with a note that says why.

    Whether a backend that is named works is not asked.
    """
    if config.backend != AUTO:
        return Choice(config.backend, "")
    compiled, vectors = probe("numba"), probe("numpy")
    if compiled.available:
        reason = _unsuited(config)
        if reason is None:
            return Choice("numba", "backend auto: numba, whose compiled loops suit products as small as this network's")
        why = f"numba {reason}"
    else:
        why = f"numba {compiled.why_not}"
    if vectors.available:
        return Choice("numpy", f"backend auto: numpy; {why}")
    return Choice("scalar", f"backend auto: scalar; numpy {vectors.why_not}; {why}")


def _unsuited(config: RunConfig) -> str | None:
    """Why numba would not be the quickest for this network; none where it would."""
    limit: int = import_module(_HOMES["numba"].module).LARGEST_PRODUCT
    batch = min(config.batch_size, config.examples or config.batch_size)
    largest = batch * max(n * m for n, m in pairwise(config.layers))
    return None if largest <= limit else "leaves products as large as this network's to BLAS"
