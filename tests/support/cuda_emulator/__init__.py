"""A GPU for machines without one: a module `cupy` on NumPy, which runs the very CUDA kernels and checks every access.

`types`, `preprocess`, `translate`, `memory` and `kernel` run CUDA C and know nothing of CuPy. `device`, `arrays`, `cublas`
and `cupy_module` are the part of CuPy that the tested backend uses. Another library of CUDA's is one more module like
`cublas`, which takes addresses and enqueues work on a stream."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .cupy_module import cupy_modules
from .device import Device

_USER = "tuisim.backends.cupy"


@contextmanager
def installed(total_bytes: int = 1 << 30, devices: int = 1, runs_kernels: bool = True) -> Iterator[Device]:
    """Install the emulated GPU as the module `cupy`; remove it, and all that imported it, at the end.

    With `runs_kernels=False`, for tests of other things, launches are checked and leave memory as it is."""
    gpu = Device(total_bytes, devices, runs_kernels)
    modules = cupy_modules(gpu)
    gpu.module = modules["cupy"]
    before = {name: module for name, module in sys.modules.items() if name == "cupy" or name.startswith("cupy.")}
    _forget()
    sys.modules.update(modules)
    try:
        yield gpu
    finally:
        _forget()
        sys.modules.update(before)


def _forget() -> None:
    for name in [name for name in sys.modules if name == "cupy" or name.startswith(("cupy.", _USER))]:
        del sys.modules[name]
    parent, _, last = _USER.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(last, None)
