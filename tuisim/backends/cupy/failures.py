"""Translation of errors of CuPy, CUDA and cuBLAS: out of memory, refused, or the device is lost."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from tuisim import units
from tuisim.errors import BackendError, DeviceLost, MemoryNeeded, RunError, TuisimError, printable, said

if TYPE_CHECKING:
    from tuisim.backends.cupy.gpu import Gpu

_CUDA = ("CUDARuntimeError", "CUDADriverError", "CUBLASError", "CompileException", "NVRTCError")
_OTHER = (RuntimeError, OSError, ImportError)
"""Raised by CuPy if it cannot load a library or write to a folder. Programming errors have other types."""
_NO_ROOM = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED")


def translate(error: BaseException, gpu: Gpu | None) -> TuisimError | None:
    """Return the error to raise instead; None if `error` does not come from the GPU. Frees the arrays that `error` refers to.

    `gpu` is None if the error was raised while opening it. After an error of CUDA the device is tested, since some errors end
    every use of it by this process.
    """
    kind, words = type(error).__name__, printable(" ".join(str(error).split()), 160)
    # cuBLAS reports that it is not initialized if its handle found no memory.
    unopened = gpu is None and "CUBLAS_STATUS_NOT_INITIALIZED" in words
    no_room = unopened or isinstance(error, MemoryError) or any(name in words for name in _NO_ROOM)
    if gpu is not None and not no_room and kind not in _CUDA and not isinstance(error, _OTHER):
        return None
    # The frames of a traceback refer to arrays.
    traceback.clear_frames(error.__traceback__)
    error.__traceback__ = error.__context__ = None
    words = said(words) or "no reason given"
    if gpu is None:  # although it worked in the process of the probe
        return _no_room(gpu) if no_room else BackendError(f"backend cupy: the GPU cannot be opened: {words}")
    lost = _lost(gpu)
    if lost is not None:
        return DeviceLost(f"the GPU failed and this process can no longer use it ({lost}); restart tuisim to continue")
    return _no_room(gpu) if no_room else RunError(f"the GPU refused: {words}")


def _lost(gpu: Gpu) -> str | None:
    """Return why the device no longer works; None if it does."""
    try:
        gpu.wait()
        gpu.free_bytes()
    except Exception as error:  # a lost context may raise anything
        return printable(str(error).replace("\n", " "), 120)
    return None


def _no_room(gpu: Gpu | None) -> MemoryNeeded:
    if gpu is None:
        return MemoryNeeded("the GPU has no memory left; nvidia-smi shows which programs use it")
    gpu.release_unused()
    free = gpu.free_bytes()
    return MemoryNeeded(f"the GPU's memory is full: {units.size(free)} of its {units.size(gpu.total_bytes)} are free", free)
