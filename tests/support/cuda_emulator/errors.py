"""The errors of the emulator, and those of CuPy with the messages and attributes of the real ones."""

from typing import Any

Index3 = tuple[int, int, int]


class KernelError(Exception):
    """Undefined behaviour of a kernel on a GPU, with what is known of its place."""

    kernel, line, array = "", 0, ""
    index: int | None = None
    thread: Index3 | None = None
    block: Index3 | None = None

    def __init__(self, message: str, **place: Any):
        self.message = message
        vars(self).update(place)
        where = [f"kernel {self.kernel}"] if self.kernel else []
        where += [f"line {self.line}"] if self.line else []
        where += [f"thread {self.thread} of block {self.block}"] if self.thread is not None else []
        super().__init__(", ".join(where) + (": " if where else "") + message)


class CompileError(KernelError):
    """Source outside the subset of CUDA C, or against a rule that the compiler checks."""


class CUDARuntimeError(RuntimeError):
    """cupy.cuda.runtime.CUDARuntimeError."""

    def __init__(self, status: int):
        self.status = status
        super().__init__(_MESSAGES[status])


class CUDADriverError(RuntimeError):
    """cupy.cuda.driver.CUDADriverError."""


class CUBLASError(RuntimeError):
    """cupy.cuda.cublas.CUBLASError."""


class OutOfMemoryError(MemoryError):
    """cupy.cuda.memory.OutOfMemoryError."""

    def __init__(self, size: int, total: int):
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes).")


_MESSAGES = {
    1: "cudaErrorInvalidValue: invalid argument",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    600: "cudaErrorNotReady: device not ready",
    700: "cudaErrorIllegalAddress: an illegal memory access was encountered",
    719: "cudaErrorLaunchFailure: unspecified launch failure",
}
