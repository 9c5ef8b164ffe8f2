"""What a process of its own runs to find out whether CuPy works: import, version, driver, a kernel, a matrix product, memory.

Each fact is told as a line of JSON as soon as it is known, each stage before it is begun, so that whoever reads knows where it
hung or crashed. Its text is handed to a bare interpreter: it knows nothing of tuisim.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable
from typing import Any

Tell = Callable[..., None]
SIDE = 16
"""Of the square matrix product."""


def look(tell: Tell) -> None:
    """Every stage in its order; raises whatever CuPy raises."""
    tell(stage="import")
    if importlib.util.find_spec("cupy") is None:
        tell(absent=True)
        return
    tell(packages=packages())
    import cupy

    tell(version=cupy.__version__, stage="driver")
    runtime = cupy.cuda.runtime
    tell(driver=runtime.driverGetVersion())
    with contextlib.suppress(Exception):  # only says which libraries CuPy was made for
        tell(runtime=runtime.runtimeGetVersion())
    tell(stage="device")
    runtime.getDeviceCount()
    name = runtime.getDeviceProperties(0)["name"]
    tell(device=name.decode(errors="replace") if isinstance(name, bytes) else str(name), stage="kernel")
    twice = cupy.ElementwiseKernel("float32 x", "float32 y", "y = 2 * x", "tuisim_twice")
    check(float(twice(cupy.arange(256, dtype="float32")).sum()), 255 * 256)
    tell(stage="product")
    check(float((cupy.ones((SIDE, SIDE), "float32") @ cupy.ones((SIDE, SIDE), "float32")).sum()), SIDE**3)
    tell(stage="memory")
    free, total = runtime.memGetInfo()
    tell(free_bytes=free, total_bytes=total, works=True)


def packages() -> list[str]:
    """CuPy comes under several names, and two of them together spoil each other."""
    found = set()
    for distribution in importlib.metadata.distributions():
        with contextlib.suppress(Exception):  # a folder that an installer left half empty
            name = distribution.metadata["Name"].lower()
            if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
                found.add(name)
    return sorted(found)


def check(found: float, right: float) -> None:
    """Raises ArithmeticError unless the GPU computed what is right; both are small whole numbers."""
    if found != right:
        raise ArithmeticError(f"it computed {found:g} where {right:g} is right")


def main() -> None:
    # The answers have a descriptor of their own: what libraries print goes nowhere.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def tell(**facts: Any) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    try:
        look(tell)
    except BaseException as error:  # whatever it is, it is the answer
        tell(error=type(error).__name__, message=str(error)[:2_000])
    os._exit(0)  # what a broken driver does when its libraries are unloaded is nobody's concern


if __name__ == "__main__":
    main()
