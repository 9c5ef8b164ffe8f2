"""The exceptions of CuPy, with the words and attributes of the real ones.

It does not know when they are raised."""

_RUNTIME = {
    1: "cudaErrorInvalidValue: invalid argument",
    2: "cudaErrorMemoryAllocation: out of memory",
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    46: "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    214: "cudaErrorECCUncorrectable: uncorrectable ECC error encountered",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    600: "cudaErrorNotReady: device not ready",
    700: "cudaErrorIllegalAddress: an illegal memory access was encountered",
    702: "cudaErrorLaunchTimeout: the launch timed out and was terminated",
    709: "cudaErrorContextIsDestroyed: context is destroyed",
    719: "cudaErrorLaunchFailure: unspecified launch failure",
    999: "cudaErrorUnknown: unknown error",
}
_DRIVER = {500: "CUDA_ERROR_NOT_FOUND: named symbol not found", 700: "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access"}
_CUBLAS = {
    1: "CUBLAS_STATUS_NOT_INITIALIZED",
    3: "CUBLAS_STATUS_ALLOC_FAILED",
    7: "CUBLAS_STATUS_INVALID_VALUE",
    13: "CUBLAS_STATUS_EXECUTION_FAILED",
    14: "CUBLAS_STATUS_INTERNAL_ERROR",
}


class CUDARuntimeError(RuntimeError):
    def __init__(self, status: int):
        self.status = status
        super().__init__(_RUNTIME[status])


class CUDADriverError(RuntimeError):
    def __init__(self, status: int):
        self.status = status
        super().__init__(_DRIVER[status])


class CUBLASError(RuntimeError):
    def __init__(self, status: int):
        self.status = status
        super().__init__(_CUBLAS[status])


class CompileException(Exception):
    def __init__(self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc"):
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend
        super().__init__(msg)

    def get_message(self) -> str:
        return self._msg


class OutOfMemoryError(MemoryError):
    def __init__(self, size: int, total: int, limit: int = 0):
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))
        self._size, self._total, self._limit = size, total, limit
