"""Stand-ins for a GPU: CUDA C run on NumPy, and a NumPy-backed `cupy`, for machines that have neither.

They know nothing of tuisim but the name of the package that imports cupy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .cupy_standin import StandIn, make

_USER = "tuisim.backends.cupy"


@contextmanager
def installed(total_bytes: int = 1 << 30, cards: int = 1) -> Iterator[StandIn]:
    """The stand-in as the module `cupy`; afterwards neither it nor what imported it is left."""
    standin = make(total_bytes, cards)
    before = {name: module for name, module in sys.modules.items() if name == "cupy" or name.startswith("cupy.")}
    _forget()
    sys.modules.update(standin.modules)
    try:
        yield standin
    finally:
        _forget()
        sys.modules.update(before)


def _forget() -> None:
    for name in [name for name in sys.modules if name == "cupy" or name.startswith(("cupy.", _USER))]:
        del sys.modules[name]
    above, _, last = _USER.rpartition(".")
    if above in sys.modules:
        vars(sys.modules[above]).pop(last, None)
