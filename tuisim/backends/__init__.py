"""What can run a step program: backends by name, none imported until asked for."""

from __future__ import annotations

from tuisim.backends.protocol import Backend, BoundStep, PhaseSeconds
from tuisim.errors import BackendError, nearest, printable

__all__ = ["Backend", "BoundStep", "PhaseSeconds", "get_backend", "names"]

_NAMES = ("numpy", "scalar")


def names() -> tuple[str, ...]:
    """The backends tuisim has, whether or not they work here."""
    return _NAMES


def get_backend(name: str) -> Backend:
    """The backend called `name`. Raises BackendError where there is none."""
    if name not in _NAMES:
        raise BackendError(f"backend {printable(name)}: {nearest(name, _NAMES)}")
    if name == "scalar":
        from tuisim.backends.scalar import ScalarBackend

        return ScalarBackend()
    from tuisim.backends.numpy import NumpyBackend

    return NumpyBackend()
