"""The script of the CuPy probe: import, version, driver, a kernel, a matrix product, memory.

It prints each fact as a line of JSON, and each stage before it begins, so that the reader knows where it hung or crashed.
A separate interpreter runs its source, so it must not import tuisim.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable
from typing import Any

Report = Callable[..., None]
SIDE = 16
"""Rows and columns of the matrix product."""


def run_stages(report: Report) -> None:
    """Run every stage; raises whatever CuPy raises."""
    report(stage="import")
    if importlib.util.find_spec("cupy") is None:
        report(absent=True)
        return
    report(packages=packages())
    import cupy

    report(version=cupy.__version__, stage="driver")
    runtime = cupy.cuda.runtime
    report(driver=runtime.driverGetVersion())
    with contextlib.suppress(Exception):  # only tells which libraries CuPy was built for
        report(runtime=runtime.runtimeGetVersion())
    report(stage="device")
    runtime.getDeviceCount()
    name = runtime.getDeviceProperties(0)["name"]
    report(device=name.decode(errors="replace") if isinstance(name, bytes) else str(name), stage="kernel")
    twice = cupy.ElementwiseKernel("float32 x", "float32 y", "y = 2 * x", "tuisim_twice")
    expect(float(twice(cupy.arange(256, dtype="float32")).sum()), 255 * 256)
    report(stage="product")
    expect(float((cupy.ones((SIDE, SIDE), "float32") @ cupy.ones((SIDE, SIDE), "float32")).sum()), SIDE**3)
    report(stage="memory")
    free, total = runtime.memGetInfo()
    report(free_bytes=free, total_bytes=total, works=True)


def packages() -> list[str]:
    """Return the installed packages of CuPy; it has several names, and two of them together do not work."""
    found = set()
    for distribution in importlib.metadata.distributions():
        with contextlib.suppress(Exception):  # an incomplete installation
            name = distribution.metadata["Name"].lower()
            if name == "cupy" or name.startswith(("cupy-cuda", "cupy-rocm")):
                found.add(name)
    return sorted(found)


def expect(found: float, expected: float) -> None:
    """Raise ArithmeticError unless the GPU computed the expected small integer."""
    if found != expected:
        raise ArithmeticError(f"it computed {found:g} instead of {expected:g}")


def main() -> None:
    """Run all stages and print the facts."""
    # The facts have a descriptor of their own: what libraries print is discarded.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)

    def report(**facts: Any) -> None:
        print(json.dumps(facts), file=output, flush=True)

    try:
        run_stages(report)
    except BaseException as error:  # the error is the result
        report(error=type(error).__name__, message=str(error)[:2_000])
    os._exit(0)  # without unloading libraries, which may crash


if __name__ == "__main__":
    main()
