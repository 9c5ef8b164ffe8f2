"""The open GPU: its stream, its cuBLAS handle, its memory and its compiled kernels.

Everything here is called on the thread that owns the device.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tuisim import units
from tuisim.config.choices import ACTIVATIONS
from tuisim.errors import MemoryNeeded
from tuisim.files import is_writable
from tuisim.program.ops import GELU_CUBIC, GELU_SCALE, LEAKY_SLOPE

NULL = np.uint64(0)
"""A null pointer as the argument of a kernel; versions of CuPy differ in what they do with `None`."""
PHASE_EVENTS = 6
"""Events in the stream for a step that is timed by phase: one before each of the five phases and one after the last."""
FUNCTION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
_CONSTANTS = {"GELU_C": GELU_SCALE, "GELU_K": GELU_CUBIC, "LEAKY_SLOPE": LEAKY_SLOPE}

THREADS = 256
"""Threads of a block, as in `step.cu`."""
WAVES = 4
"""Blocks per multiprocessor of an elementwise kernel."""

Call = Callable[[], object]
DeviceArray = Any
"""A `cupy.ndarray`."""


def _has_folder() -> bool:
    """Return True if CuPy has a cache folder. Without a home it would create one named `~` in the current folder."""
    named = os.environ.get("CUPY_CACHE_DIR")
    path = Path(named or os.path.expanduser("~/.cupy/kernel_cache"))
    return (bool(named) or path.is_absolute()) and is_writable(path)


class Gpu:
    """CUDA's first device, with its own stream and cuBLAS handle."""

    def __init__(self) -> None:
        if not _has_folder():
            os.environ.setdefault("CUPY_CACHE_IN_MEMORY", "1")
        with warnings.catch_warnings():  # about a CUDA folder that is not needed
            warnings.simplefilter("ignore")
            import cupy

        self.cupy = cupy
        cupy.cuda.Device(0).use()
        self.stream = cupy.cuda.Stream(non_blocking=True)
        self.stream.use()
        runtime = cupy.cuda.runtime
        properties = runtime.getDeviceProperties(0)
        name = properties["name"]
        self.name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        self.processors = int(properties["multiProcessorCount"])
        cuda = int(runtime.runtimeGetVersion())
        self.label = f"{self.name}, CuPy {cupy.__version__}, CUDA {cuda // 1000}.{cuda % 1000 // 10}"
        self.total_bytes = int(runtime.memGetInfo()[1])
        self._blas = cupy.cuda.cublas
        # Alpha and beta are read on the device, so that a product can depend on what was computed there.
        self._handle = self._blas.create()
        self._blas.setPointerMode(self._handle, self._blas.CUBLAS_POINTER_MODE_DEVICE)
        # Created once: destroying an event after the device is lost raises where it cannot be caught.
        self.events = [cupy.cuda.Event() for _ in range(PHASE_EVENTS)]
        self._modules: dict[str, Any] = {}
        self.compile_seconds: float | None = None
        self.transfer_seconds = 0.0
        """Time spent copying data to the device."""
        self.transfer_bytes = 0

    # ── memory ──

    def free_bytes(self) -> int:
        """Return the bytes available for new arrays: free on the device, or in CuPy's pool."""
        pool = self.cupy.get_default_memory_pool()
        return int(self.cupy.cuda.runtime.memGetInfo()[0]) + int(pool.total_bytes()) - int(pool.used_bytes())

    def release_unused(self) -> None:
        """Return unused memory of CuPy's pools to the device."""
        self.cupy.get_default_memory_pool().free_all_blocks()
        self.cupy.get_default_pinned_memory_pool().free_all_blocks()

    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> DeviceArray:
        """Return an array of zeros."""
        return self.cupy.zeros(shape, dtype)

    def put(self, array: DeviceArray, value: float) -> None:
        """Set the single number of `array`, for which CuPy's `fill` would compile a kernel."""
        array.set(np.array([value], array.dtype))

    def upload(self, host: np.ndarray[Any, Any]) -> DeviceArray:
        """Copy a C-contiguous host array to the device and time it. Raises MemoryNeeded if it does not fit."""
        free = self.free_bytes()
        if host.nbytes > free:
            needed = f"{len(host):,} rows of data need {units.size(host.nbytes)} of the GPU's memory"
            raise MemoryNeeded(f"{needed}, {units.size(free)} are free; fewer examples would fit")
        begun = perf_counter()
        array = self.cupy.empty(host.shape, host.dtype)
        array.set(host)
        self.wait()
        self.transfer_seconds += perf_counter() - begun
        self.transfer_bytes += host.nbytes
        return array

    # ── work ──

    def wait(self) -> None:
        """Wait until everything launched so far is done; a host core spins meanwhile."""
        self.stream.synchronize()

    def kernel(self, name: str, dtype: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> Call:
        """Return a prepared launch of a kernel of `step.cu`, compiled for `dtype`."""
        # The compiled function itself: looking it up takes as long as a launch.
        return partial(self._module(dtype).get_function(name).kernel, grid, block, args)

    def _module(self, dtype: str) -> Any:
        if dtype not in self._modules:
            begun = perf_counter()
            values = {"REAL": "double" if dtype == "float64" else "float"} | _CONSTANTS
            values |= {name.upper(): code for name, code in FUNCTION_CODES.items()}
            options = ("-std=c++17", *(f"-D{name}={value}" for name, value in values.items()))
            code = files("tuisim.backends.cupy").joinpath("step.cu").read_text(encoding="utf-8")
            # CuPy writes it to a file in the encoding of the system, which may lack characters of the comments.
            code = code.encode("ascii", "replace").decode()
            module = self.cupy.RawModule(code=code, options=options)
            try:
                module.compile()
            except OSError:  # CuPy's cache folder cannot be written to
                os.environ["CUPY_CACHE_IN_MEMORY"] = "1"
                module = self.cupy.RawModule(code=code, options=options)
                module.compile()
            self._modules[dtype] = module
            self.compile_seconds = (self.compile_seconds or 0.0) + perf_counter() - begun
        return self._modules[dtype]

    def matmul(
        self, a: DeviceArray, b: DeviceArray, out: DeviceArray, one: DeviceArray, beta: DeviceArray, *, transposed: str = ""
    ) -> Call:
        """Return a prepared out ← a·b + beta·out of C-contiguous matrices; `transposed` names a transposed operand, `a` or `b`.

        `one` and `beta` are single numbers on the device. If beta is 0, out is not read. cuBLAS is column-major, so it
        computes outᵀ = bᵀ·aᵀ, without copies.
        """
        no, yes = self._blas.CUBLAS_OP_N, self._blas.CUBLAS_OP_T
        rows, columns = out.shape
        inner = a.shape[0] if transposed == "a" else a.shape[1]
        gemm = self._blas.dgemm if out.dtype == np.float64 else self._blas.sgemm
        flags = (yes if transposed == "b" else no, yes if transposed == "a" else no)
        # Addresses, not arrays: the bound step keeps the arrays alive.
        return partial(
            gemm, self._handle, *flags, columns, rows, inner, one.data.ptr, b.data.ptr, b.shape[1], a.data.ptr, a.shape[1],
            beta.data.ptr, out.data.ptr, columns,
        )  # fmt: skip

    def events_for(self, count: int) -> list[Any]:
        """Return `count` events of the device's clock, which are reused."""
        self.events += [self.cupy.cuda.Event() for _ in range(count - len(self.events))]
        return self.events[:count]

    def seconds_between(self, first: Any, second: Any) -> float:
        """Return the seconds between two events that have occurred, by the device's clock."""
        return float(self.cupy.cuda.get_elapsed_time(first, second)) / 1e3
