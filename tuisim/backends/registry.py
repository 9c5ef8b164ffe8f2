"""Backends by name: which there are, which work here, and which is best for a network. Nothing is imported until asked for.

It knows where each one is; what it computes and how is the backend's own affair.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from tuisim.backends.probing import Home, Probe, installed, look
from tuisim.errors import BackendError, nearest, printable
from tuisim.program import build

if TYPE_CHECKING:
    from tuisim.backends.protocol import Backend
    from tuisim.config import RunConfig

AUTO = "auto"
"""Asks for the best backend that works here for the network."""

_HOMES = {
    "numpy": Home("tuisim.backends.numpy", "NumpyBackend", "numpy", "pip install numpy", "pip install --force-reinstall numpy"),
    "scalar": Home("tuisim.backends.scalar", "ScalarBackend", None, threads=1, dtype="float64"),  # Python's own numbers
    "numba": Home(
        "tuisim.backends.numba",
        "NumbaBackend",
        "numba",
        "pip install 'tuisim[numba]'",
        "pip install --upgrade numba, or the NumPy that it asks for",
    ),
    "cupy": Home("tuisim.backends.cupy", "CupyBackend", "cupy", own_memory=True),
}
_WORTH_A_GPU = 3_000_000
"""B·N·M of the largest layer from which `auto` takes a GPU where there is one.

An estimate until `tuisim crossover` measures it on the machine at hand: handing a step over takes some tens of launches of a few
microseconds each, and on one core a step of this size takes half a millisecond.
"""
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
    """Whether the backend called `name` works here, found out once per process.

    Raises BackendError for a name that is none.
    """
    if name not in _found:
        _looking.add(name)
        try:
            home = _home(name)
            _found[name] = _cupy(home) if name == "cupy" else look(name, home)
        finally:
            _looking.discard(name)
    return _found[name]


def _cupy(home: Home) -> Probe:
    """Asked of a process of its own: a driver may hang, or take the process with it."""
    from tuisim.backends import gpu_probe, gpu_verdict

    return gpu_verdict.judge(gpu_probe.facts() if installed(home) else {"absent": True})


def known(name: str) -> Probe | None:
    """What can be said of a backend without importing anything for it; none where `probe` would have to.

    Raises BackendError for a name that is none.
    """
    home = _home(name)
    if name not in _found and name in _looking:  # its library is half imported, and asking now would be to wait for it
        return None
    at_hand = name in _found or home.library is None or home.library in sys.modules or not installed(home)
    return probe(name) if at_hand else None


def has_own_memory(name: str) -> bool:
    """Whether it computes in the memory of a device and not the host's; told without importing anything for it.

    Of `auto`: whether there may be such a one for it to choose. Raises BackendError for a name that is none.
    """
    if name != AUTO:
        return _home(name).own_memory
    devices = (known(one) for one, home in _HOMES.items() if home.own_memory)
    return any(found is None or found.available for found in devices)


def computes_with(name: str, threads: int, dtype: str) -> tuple[int, str]:
    """Threads and dtype that a backend really computes with where it is asked for these.

    Raises BackendError for a name that is none.
    """
    home = _home(name)
    return home.threads or threads, home.dtype or dtype


def computed_dtype(name: str, dtype: str) -> str:
    """Return the dtype that a backend computes in when `dtype` is asked for; `dtype` for a name that is none."""
    home = _HOMES.get(name)
    return dtype if home is None or home.dtype is None else home.dtype


def precision(name: str, dtype: str) -> str:
    """Return `dtype` in words, with the one that the backend computes in where it is another."""
    computed = computed_dtype(name, dtype)
    return dtype if computed == dtype else f"{dtype}, computed in {computed}"


def precision_notes(names: Iterable[str], dtype: str) -> tuple[str, ...]:
    """Return a note for each backend among `names` that computes in another dtype than the one asked for."""
    others = [name for name in dict.fromkeys(names) if computed_dtype(name, dtype) != dtype]
    return tuple(f"backend {name}: computes in {computed_dtype(name, dtype)}, not in {dtype}" for name in others)


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
    raise BackendError(f"backend {printable(name)}: {nearest(name, (*_HOMES, AUTO))}")


def choose(config: RunConfig) -> Choice:
    """The backend that `config` names, or for `auto` the best that works here for its network, with a note that says why.

    Whether a backend that is named works is not asked.
    """
    if config.backend != AUTO:
        return Choice(config.backend, "")
    batch = min(config.batch_size, config.examples or config.batch_size)
    largest = build(config, batch).largest_product
    if largest >= _WORTH_A_GPU and (card := probe("cupy")).available:
        return Choice("cupy", f"backend auto: cupy on {card.device}, for products as large as this network's")
    compiled, vectors = probe("numba"), probe("numpy")
    if compiled.available:
        if import_module(_HOMES["numba"].module).suits(largest, config.dtype):
            return Choice("numba", "backend auto: numba, whose steps are compiled")
        why = "numba's loops would take longer, for products as large as this network's"
    else:
        why = f"numba {compiled.why_not}"
    if vectors.available:
        return Choice("numpy", f"backend auto: numpy; {why}")
    return Choice("scalar", f"backend auto: scalar; numpy {vectors.why_not}; {why}")
