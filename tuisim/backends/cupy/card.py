"""The GPU once it is open: its stream, its cuBLAS handle, its memory and its compiled kernels.

Everything here is called on the one thread that owns the device. It knows nothing of networks.
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

NULL = np.uint64(0)
"""A pointer to nothing, for a kernel: eight bytes of zero whatever a version of CuPy makes of `None`."""
PHASE_MARKS = 6
"""Marks in the stream for a step that is timed phase by phase: one before each of its five phases and one after the last."""
FUNCTION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}
_CONSTANTS = {"GELU_C": 0.7978845608028654, "GELU_K": 0.044715, "LEAKY_SLOPE": 0.01}
"""√(2/π) and 0.044715 of Hendrycks & Gimpel (2016); Maas et al. (2013)."""

THREADS = 256
"""Threads of a block, as in `step.cu`."""
WAVES = 4
"""Blocks of a pass over memory for each multiprocessor."""

Call = Callable[[], object]
DeviceArray = Any
"""A `cupy.ndarray`."""


def _has_folder() -> bool:
    """Tell if CuPy has a folder for compiled kernels. Without a home it would create one named `~` in the current folder."""
    named = os.environ.get("CUPY_CACHE_DIR")
    path = Path(named or os.path.expanduser("~/.cupy/kernel_cache"))
    return (bool(named) or path.is_absolute()) and is_writable(path)


class Card:
    """CUDA's first device, with a stream and a cuBLAS handle of our own."""

    def __init__(self) -> None:
        if not _has_folder():
            os.environ.setdefault("CUPY_CACHE_IN_MEMORY", "1")
        with warnings.catch_warnings():  # of a CUDA folder that it goes without
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
        # A handle of our own: scales are read on the device, so that a product can depend on what was computed there.
        self._handle = self._blas.create()
        self._blas.setPointerMode(self._handle, self._blas.CUBLAS_POINTER_MODE_DEVICE)
        # Made once: to unmake one after the device is lost would fail where nobody can catch it.
        self.marks = [cupy.cuda.Event() for _ in range(PHASE_MARKS)]
        self._modules: dict[str, Any] = {}
        self.compile_seconds: float | None = None
        self.transfer_seconds = 0.0
        """Spent copying rows of data to the device."""
        self.transfer_bytes = 0

    # ── memory ──

    def free_bytes(self) -> int:
        """What new arrays could take: free on the device, or held by CuPy's pool for reuse."""
        pool = self.cupy.get_default_memory_pool()
        return int(self.cupy.cuda.runtime.memGetInfo()[0]) + int(pool.total_bytes()) - int(pool.used_bytes())

    def give_back(self) -> None:
        """Let other programs have what no array of ours uses."""
        self.cupy.get_default_memory_pool().free_all_blocks()
        self.cupy.get_default_pinned_memory_pool().free_all_blocks()

    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> DeviceArray:
        return self.cupy.zeros(shape, dtype)

    def put(self, array: DeviceArray, value: float) -> None:
        """The one number that `array` holds. (CuPy's `fill` would compile a kernel of its own for it.)"""
        array.set(np.array([value], array.dtype))

    def upload(self, host: np.ndarray[Any, Any]) -> DeviceArray:
        """A copy of a C-contiguous host array on the device, with its time kept. Raises MemoryNeeded where it has no room."""
        free = self.free_bytes()
        if host.nbytes > free:
            wanted = f"{len(host):,} rows of data need {units.size(host.nbytes)} of the GPU's memory"
            raise MemoryNeeded(f"{wanted}, {units.size(free)} are free; fewer examples would fit")
        begun = perf_counter()
        array = self.cupy.empty(host.shape, host.dtype)
        array.set(host)
        self.wait()
        self.transfer_seconds += perf_counter() - begun
        self.transfer_bytes += host.nbytes
        return array

    # ── work ──

    def wait(self) -> None:
        """Until everything handed over so far is done; a core of the host spins meanwhile."""
        self.stream.synchronize()

    def kernel(self, name: str, dtype: str, grid: tuple[int, ...], block: tuple[int, ...], *args: Any) -> Call:
        """A ready-made launch of one of our kernels, compiled for `dtype`."""
        # The compiled function itself: asking for it at every launch would take as long as a launch.
        return partial(self._module(dtype).get_function(name).kernel, grid, block, args)

    def _module(self, dtype: str) -> Any:
        if dtype not in self._modules:
            begun = perf_counter()
            values = {"REAL": "double" if dtype == "float64" else "float"} | _CONSTANTS
            values |= {name.upper(): code for name, code in FUNCTION_CODES.items()}
            options = ("-std=c++17", *(f"-D{name}={value}" for name, value in values.items()))
            code = files("tuisim.backends.cupy").joinpath("step.cu").read_text(encoding="utf-8")
            # CuPy writes it to a file in the system's own encoding, which may lack what the comments have.
            self._modules[dtype] = self._compiled(code.encode("ascii", "replace").decode(), options)
            self.compile_seconds = (self.compile_seconds or 0.0) + perf_counter() - begun
        return self._modules[dtype]

    def _compiled(self, code: str, options: tuple[str, ...]) -> Any:
        module = self.cupy.RawModule(code=code, options=options)
        try:
            module.compile()
        except OSError:  # CuPy's folder of compiled kernels cannot be written to: it can do without
            os.environ["CUPY_CACHE_IN_MEMORY"] = "1"
            module = self.cupy.RawModule(code=code, options=options)
            module.compile()
        return module

    def product(
        self, a: DeviceArray, b: DeviceArray, out: DeviceArray, one: DeviceArray, beta: DeviceArray, *, transposed: str = ""
    ) -> Call:
        """A ready-made out ← a·b + beta·out of C-contiguous matrices; `transposed` names the operand taken so, `a` or `b`.

        `one` and `beta` are single numbers on the device. Where beta is 0, out is not read.

        cuBLAS has columns one after another where we have rows, so it is handed outᵀ = bᵀ·aᵀ, with nothing copied.
        """
        no, yes = self._blas.CUBLAS_OP_N, self._blas.CUBLAS_OP_T
        rows, columns = out.shape
        inner = a.shape[0] if transposed == "a" else a.shape[1]
        gemm = self._blas.dgemm if out.dtype == np.float64 else self._blas.sgemm
        flags = (yes if transposed == "b" else no, yes if transposed == "a" else no)
        # Addresses, not arrays: whoever keeps the call keeps the arrays.
        return partial(
            gemm, self._handle, *flags, columns, rows, inner, one.data.ptr, b.data.ptr, b.shape[1], a.data.ptr, a.shape[1],
            beta.data.ptr, out.data.ptr, columns,
        )  # fmt: skip

    def marks_for(self, count: int) -> list[Any]:
        """Moments of the device's clock, so many of them; those of before are used again."""
        self.marks += [self.cupy.cuda.Event() for _ in range(count - len(self.marks))]
        return self.marks[:count]

    def seconds_between(self, first: Any, second: Any) -> float:
        """By the device's own clock; both marks must have been passed."""
        return float(self.cupy.cuda.get_elapsed_time(first, second)) / 1e3
