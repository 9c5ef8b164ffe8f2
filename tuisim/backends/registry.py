"""Backends by name: which exist, which work here, and which is the best for a network.

No backend's library is imported before it is probed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from tuisim.errors import BackendError, nearest, printable, said
from tuisim.program import build

if TYPE_CHECKING:
    from tuisim.backends.protocol import Backend
    from tuisim.config import RunConfig

AUTO = "auto"
"""The name that selects the best backend that works here for the network."""
_GPU_MIN_PRODUCT = 3_000_000
"""B·N·M of the largest layer from which `auto` selects a GPU.

An estimate; `tuisim crossover` measures it. Launching a step takes tens of launches of a few microseconds each, and on one core
a step of this size takes half a millisecond.
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of probing a backend."""

    name: str
    available: bool
    version: str | None = None
    """Version of its library; None if that is not installed, or if the backend needs none."""
    device: str = ""
    """The hardware or library that computes."""
    reason: str = ""
    """The reason why it does not work; empty if it works."""
    remedy: str = ""
    """The remedy."""

    @property
    def absent(self) -> bool:
        """True if the library is not installed, rather than broken."""
        return not self.available and self.version is None

    @property
    def why_not(self) -> str:
        """`reason; remedy`."""
        return "; ".join(part for part in (self.reason, self.remedy) if part)


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """The module and class of a backend, and the library it needs."""

    module: str
    cls: str
    library: str | None
    """The library that must be importable."""
    install: str = ""
    """The command that installs the library."""
    repair_hint: str = ""
    """The remedy if the library is installed but does not work."""
    has_own_memory: bool = False
    """True if it computes in the memory of a device."""
    threads: int | None = None
    """Its number of threads if that is fixed."""
    dtype: str | None = None
    """The dtype it computes in if that is fixed."""

    def make(self) -> Backend:
        """Return the backend; raises whatever its library raises."""
        backend: Backend = getattr(import_module(self.module), self.cls)()
        return backend


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """The backend selected for a run."""

    name: str
    note: str
    """The reason for the choice of `auto`; empty if the run names its backend."""


_SPECS = {
    "numpy": BackendSpec(
        "tuisim.backends.numpy", "NumpyBackend", "numpy", "pip install numpy", "pip install --force-reinstall numpy"
    ),
    "scalar": BackendSpec("tuisim.backends.scalar", "ScalarBackend", None, threads=1, dtype="float64"),
    "numba": BackendSpec(
        "tuisim.backends.numba",
        "NumbaBackend",
        "numba",
        "pip install 'tuisim[numba]'",
        "pip install --upgrade numba, or the NumPy that it asks for",
    ),
    "cupy": BackendSpec("tuisim.backends.cupy", "CupyBackend", "cupy", has_own_memory=True),
}
_found: dict[str, Probe] = {}
_probing: set[str] = set()
"""Names that some thread is probing now."""


def names() -> tuple[str, ...]:
    """Return the names of all backends, whether or not they work here."""
    return tuple(_SPECS)


def _spec(name: str) -> BackendSpec:
    if name in _SPECS:
        return _SPECS[name]
    if name == AUTO:
        raise BackendError("backend auto: it is chosen for a network; name one of " + ", ".join(_SPECS))
    raise BackendError(f"backend {printable(name)}: {nearest(name, (*_SPECS, AUTO))}")


# ── probing ──


def probe(name: str) -> Probe:
    """Find out if a backend works here, once per process. Raises BackendError for an unknown name."""
    if name not in _found:
        _probing.add(name)
        try:
            spec = _spec(name)
            if name == "cupy":  # in a separate process: a driver may hang or crash
                from tuisim.backends import gpu_probe

                _found[name] = gpu_probe.judge(gpu_probe.facts() if installed(spec) else {"absent": True})
            else:
                _found[name] = probe_library(name, spec)
        finally:
            _probing.discard(name)
    return _found[name]


def probe_if_loaded(name: str) -> Probe | None:
    """Return what `probe` says if that needs no import, else None. Raises BackendError for an unknown name."""
    spec = _spec(name)
    if name not in _found and name in _probing:  # another thread is importing its library
        return None
    loaded = name in _found or spec.library is None or spec.library in sys.modules or not installed(spec)
    return probe(name) if loaded else None


def probe_library(name: str, spec: BackendSpec) -> Probe:
    """Import the library of a backend and construct the backend once; never raises."""
    if not installed(spec):
        return Probe(name, False, reason="not installed", remedy=spec.install)
    version = _version(spec.library)
    if (setting := _disabling_variable(name)) is not None:
        return Probe(name, False, version, reason=f"{setting} is set", remedy=f"unset {setting.partition('=')[0]}")
    try:
        if spec.library is not None:
            import_module(spec.library)
        device = spec.make().device()
    except Exception as error:  # a library built for another NumPy or Python may raise anything
        message = said(str(error)) or "no reason given"
        reason = printable(f"cannot be imported: {message.rstrip('.')}", 200)
        return Probe(name, False, version or "", reason=reason, remedy=spec.repair_hint)
    return Probe(name, True, version, printable(device, 80))


def installed(spec: BackendSpec) -> bool:
    """Return True if the library of a backend is found, without importing it."""
    if spec.library is None:
        return True
    try:
        return importlib.util.find_spec(spec.library) is not None
    except (ImportError, ValueError):  # blocked in sys.modules
        return False


def _version(library: str | None) -> str | None:
    try:
        return importlib.metadata.version(library) if library else None
    except importlib.metadata.PackageNotFoundError:
        return ""


def _disabling_variable(name: str) -> str | None:
    """Return `NAME=value` of the environment variable that keeps a backend from working, if one is set."""
    if name != "numba":
        return None
    off = [variable for variable in ("NUMBA_DISABLE_JIT",) if os.environ.get(variable, "") not in ("", "0")]
    # LLVM writes these to the terminal unescaped.
    off += [variable for variable in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES") if not os.environ.get(variable, "").isprintable()]
    return f"{off[0]}={printable(os.environ[off[0]], 20)}" if off else None


# ── properties ──


def has_own_memory(name: str) -> bool:
    """Return True if a backend computes in the memory of a device, without importing anything.

    For `auto`: True if such a backend may be selected. Raises BackendError for an unknown name.
    """
    if name != AUTO:
        return _spec(name).has_own_memory
    devices = (probe_if_loaded(one) for one, spec in _SPECS.items() if spec.has_own_memory)
    return any(found is None or found.available for found in devices)


def computes_with(name: str, threads: int, dtype: str) -> tuple[int, str]:
    """Return the threads and dtype that a backend uses when asked for these. Raises BackendError for an unknown name."""
    spec = _spec(name)
    return spec.threads or threads, spec.dtype or dtype


def computed_dtype(name: str, dtype: str) -> str:
    """Return the dtype that a backend computes in when asked for `dtype`; `dtype` itself for an unknown name."""
    spec = _SPECS.get(name)
    return dtype if spec is None or spec.dtype is None else spec.dtype


def precision(name: str, dtype: str) -> str:
    """Return `dtype` in words, with the dtype that the backend computes in if that differs."""
    computed = computed_dtype(name, dtype)
    return dtype if computed == dtype else f"{dtype}, computed in {computed}"


def precision_notes(names: Iterable[str], dtype: str) -> tuple[str, ...]:
    """Return a note for each backend among `names` that computes in another dtype than `dtype`."""
    others = [name for name in dict.fromkeys(names) if computed_dtype(name, dtype) != dtype]
    return tuple(f"backend {name}: computes in {computed_dtype(name, dtype)}, not in {dtype}" for name in others)


# ── selection ──


def get_backend(name: str) -> Backend:
    """Return the backend called `name`. Raises BackendError if it is unknown or does not work here."""
    spec = _spec(name)
    found = probe(name)
    if not found.available:
        raise BackendError(f"backend {name}: {found.why_not}")
    return spec.make()


def choose(config: RunConfig) -> BackendChoice:
    """Return the backend that `config` names, or for `auto` the best that works here for its network.

    A backend that is named is not probed.
    """
    if config.backend != AUTO:
        return BackendChoice(config.backend, "")
    batch = min(config.batch_size, config.examples or config.batch_size)
    largest = build(config, batch).largest_product
    if largest >= _GPU_MIN_PRODUCT and (gpu := probe("cupy")).available:
        return BackendChoice("cupy", f"backend auto: cupy on {gpu.device}, for matrix products of this size")
    numba, numpy = probe("numba"), probe("numpy")
    if numba.available:
        if import_module(_SPECS["numba"].module).suits(largest, config.dtype):
            return BackendChoice("numba", "backend auto: numba, which compiles the step")
        why = "numba's loops would take longer for matrix products of this size"
    else:
        why = f"numba {numba.why_not}"
    if numpy.available:
        return BackendChoice("numpy", f"backend auto: numpy; {why}")
    return BackendChoice("scalar", f"backend auto: scalar; numpy {numpy.why_not}; {why}")
