"""The matrix products of cuBLAS: column-major, with addresses that must lie in live device memory. They round as NumPy does."""

from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .device import Allocation, Device
from .errors import CUBLASError, KernelError


class Matrix(NamedTuple):
    """A column-major matrix in device memory; `owner` keeps the memory alive while work on it is enqueued."""

    owner: Allocation | None
    start: int
    end: int
    values: np.ndarray


def live_bytes(device: Device, function: str, what: str, start: int, nbytes: int) -> tuple[Allocation, np.ndarray]:
    """Return the memory of that range and its allocation; raise KernelError if it is not within one that is live."""
    owner = device.pool.find(start, nbytes)
    if owner is None:
        raise KernelError(
            f"{what}, {nbytes} bytes at address {start:#x}, is outside live device memory", kernel=function, array=what
        )
    return owner, owner.memory.view(np.uint8)[start - owner.address : start - owner.address + nbytes]


class Cublas:
    """cupy.cuda.cublas, with scalars in device memory."""

    CUBLAS_OP_N, CUBLAS_OP_T = 0, 1
    CUBLAS_POINTER_MODE_HOST, CUBLAS_POINTER_MODE_DEVICE = 0, 1
    CUBLASError = CUBLASError

    def __init__(self, device: Device):
        self._device = device
        self._pointer_modes: dict[int, int] = {}
        self._handles = count(0x6000_0000_0000, 64)

    def create(self) -> int:
        self._device.called("create")
        handle = next(self._handles)
        self._pointer_modes[handle] = self.CUBLAS_POINTER_MODE_HOST
        return handle

    def setPointerMode(self, handle: int, mode: int) -> None:
        self._device.called("setPointerMode")
        self._pointer_modes[handle] = mode

    def sgemm(self, *arguments: int) -> None:
        self._gemm("sgemm", np.dtype(np.float32), *arguments)

    def dgemm(self, *arguments: int) -> None:
        self._gemm("dgemm", np.dtype(np.float64), *arguments)

    def _gemm(
        self, name: str, dtype: np.dtype[Any], handle: int, transa: int, transb: int, m: int, n: int, k: int,
        alpha: int, a: int, lda: int, b: int, ldb: int, beta: int, c: int, ldc: int,
    ) -> None:  # fmt: skip
        """Enqueue C = alpha·op(A)·op(B) + beta·C; a factor of zero means that the other one is not read."""
        self._device.called(name)
        if self._pointer_modes.get(handle) != self.CUBLAS_POINTER_MODE_DEVICE:
            raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE" if handle in self._pointer_modes else "CUBLAS_STATUS_NOT_INITIALIZED")
        first = self._matrix(name, "A", a, (k, m) if transa else (m, k), lda, dtype)
        second = self._matrix(name, "B", b, (n, k) if transb else (k, n), ldb, dtype)
        result = self._matrix(name, "C", c, (m, n), ldc, dtype)
        scale, keep = (self._matrix(name, "a scalar", start, (1, 1), 1, dtype) for start in (alpha, beta))
        for letter, factor in (("A", first), ("B", second)):
            if factor.start < result.end and result.start < factor.end:
                raise KernelError(f"C overlaps {letter}", kernel=name, array="C")

        def work() -> None:
            left, right = (each.values.T if turned else each.values for each, turned in ((first, transa), (second, transb)))
            scaled, kept = scale.values[0, 0], keep.values[0, 0]
            with np.errstate(all="ignore"):
                product = scaled * (left @ right) if scaled != 0 else np.zeros_like(result.values)
                result.values[...] = product if kept == 0 else product + kept * result.values

        self._device.enqueue(work)  # CuPy sets the handle to the current stream before every product

    def _matrix(self, name: str, what: str, start: int, shape: tuple[int, int], leading: int, dtype: np.dtype[Any]) -> Matrix:
        """Return a matrix at an address; raise KernelError if the memory is of another type or not aligned."""
        rows, columns = shape
        if leading < max(1, rows) or columns < 0:
            raise CUBLASError("CUBLAS_STATUS_INVALID_VALUE")
        if not rows * columns:
            return Matrix(None, 0, 0, np.zeros(shape, dtype))
        owner, flat = live_bytes(self._device, name, what, start, ((columns - 1) * leading + rows) * dtype.itemsize)
        if owner.dtype != dtype or (start - owner.address) % dtype.itemsize:
            raise KernelError(f"{what} is in memory of {owner.dtype}, not aligned {dtype}", kernel=name, array=what)
        strides = dtype.itemsize, leading * dtype.itemsize
        return Matrix(owner, start, start + flat.nbytes, as_strided(flat.view(dtype), shape, strides))
