"""Products as cuBLAS makes them: column by column, from addresses that must lie in live memory.

It does not know arrays: it finds what lives at an address. Its rounding is NumPy's."""

import ctypes
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .cuda_errors import CUBLASError
from .driver import Allocation, Device
from .faults import KernelError
from .streams import Stream, Streams

OP_N, OP_T = 0, 1
HOST, DEVICE = 0, 1


class Handle:
    """The state of one cuBLAS handle."""

    def __init__(self, stream: Stream):
        self.stream, self.mode = stream, HOST


class Matrix(NamedTuple):
    """A matrix in device memory, stored by columns; `owner` keeps it alive while work on it waits."""

    owner: Allocation | None
    start: int
    end: int
    values: np.ndarray


def live_bytes(device: Device, name: str, what: str, at: int, nbytes: int) -> tuple[Allocation, np.ndarray]:
    """What is in memory there, and whose it is; raises KernelError where it is not in one live allocation."""
    owner = device.pool.at(at, nbytes)
    if owner is None:
        raise KernelError(f"{what}, {nbytes} bytes at address {at:#x}, is outside live device memory", kernel=name, array=what)
    return owner, owner.memory.view(np.uint8)[at - owner.address : at - owner.address + nbytes]


class Cublas:
    """cupy.cuda.cublas."""

    CUBLAS_OP_N, CUBLAS_OP_T = OP_N, OP_T
    CUBLAS_POINTER_MODE_HOST, CUBLAS_POINTER_MODE_DEVICE = HOST, DEVICE
    CUBLASError = CUBLASError

    def __init__(self, streams: Streams):
        self._streams, self._device = streams, streams.device
        self._handles: dict[int, Handle] = {}
        self._numbers = count(0x6000_0000_0000, 64)

    def create(self) -> int:
        self._device.called("create")
        handle = next(self._numbers)
        self._handles[handle] = Handle(self._streams.null)
        return handle

    def destroy(self, handle: int) -> None:
        self._device.called("destroy")
        self._of(handle)
        del self._handles[handle]

    def setStream(self, handle: int, stream: int) -> None:
        self._device.called("setStream")
        self._of(handle).stream = self._streams.of_handle(stream)

    def setPointerMode(self, handle: int, mode: int) -> None:
        self._device.called("setPointerMode")
        if mode not in (HOST, DEVICE):
            raise CUBLASError(7)
        self._of(handle).mode = mode

    def getPointerMode(self, handle: int) -> int:
        self._device.called("getPointerMode")
        return self._of(handle).mode

    def sgemm(self, *arguments: int) -> None:
        self._gemm("sgemm", np.dtype(np.float32), *arguments)

    def dgemm(self, *arguments: int) -> None:
        self._gemm("dgemm", np.dtype(np.float64), *arguments)

    def _of(self, handle: int) -> Handle:
        if handle not in self._handles:
            raise CUBLASError(1)
        return self._handles[handle]

    def _gemm(
        self, name: str, dtype: np.dtype[Any], handle: int, transa: int, transb: int, m: int, n: int, k: int,
        alpha: int, a: int, lda: int, b: int, ldb: int, beta: int, c: int, ldc: int,
    ) -> None:  # fmt: skip
        self._device.called(name)
        state = self._of(handle)
        if min(m, n, k) < 0 or transa not in (OP_N, OP_T) or transb not in (OP_N, OP_T):
            raise CUBLASError(7)
        first = self._matrix(name, "A", a, (k, m) if transa else (m, k), lda, dtype)
        second = self._matrix(name, "B", b, (n, k) if transb else (k, n), ldb, dtype)
        result = self._matrix(name, "C", c, (m, n), ldc, dtype)
        for letter, factor in (("A", first), ("B", second)):
            if factor.start < result.end and result.start < factor.end:
                raise KernelError(f"C overlaps {letter}", kernel=name, array="C")
        scale, keep = self._scalar(name, state.mode, alpha, dtype), self._scalar(name, state.mode, beta, dtype)

        def work() -> None:
            left = first.values.T if transa else first.values
            _multiply(left, second.values.T if transb else second.values, result.values, scale(), keep())

        work.holds = (first, second, result)  # type: ignore[attr-defined]  # memory given back stays until the work is done
        # CuPy sets the handle to the calling thread's stream before every product.
        state.stream = self._streams.current()
        self._streams.enqueue(work, state.stream)

    def _matrix(self, name: str, letter: str, at: int, shape: tuple[int, int], leading: int, dtype: np.dtype[Any]) -> Matrix:
        rows, columns = shape
        if leading < max(1, rows):
            raise CUBLASError(7)
        if not rows * columns:
            return Matrix(None, 0, 0, np.zeros(shape, dtype))
        extent = (columns - 1) * leading + rows
        owner, flat = self._range(name, letter, at, extent, dtype)
        strides = dtype.itemsize, leading * dtype.itemsize
        return Matrix(owner, at, at + extent * dtype.itemsize, as_strided(flat, shape, strides))

    def _range(self, name: str, letter: str, at: int, length: int, dtype: np.dtype[Any]) -> tuple[Allocation, np.ndarray]:
        """So many elements of device memory; raises KernelError where they are not in one live allocation of that type."""
        owner, flat = live_bytes(self._device, name, letter, at, length * dtype.itemsize)
        if owner.dtype != dtype or (at - owner.address) % dtype.itemsize:
            raise KernelError(f"{letter} is in memory of {owner.dtype}, not aligned {dtype}", kernel=name, array=letter)
        return owner, flat.view(dtype)

    def _scalar(self, name: str, mode: int, at: int, dtype: np.dtype[Any]) -> Callable[[], Any]:
        """Read from the device when the work is done, or from the host now."""
        if mode == DEVICE:
            owner, flat = self._range(name, "a scalar", at, 1, dtype)
            return lambda: (owner, flat[0])[1]
        if self._device.pool.at(at, dtype.itemsize) is not None:
            raise KernelError("a scalar is a device address in host mode", kernel=name)
        value = dtype.type((ctypes.c_float if dtype.itemsize == 4 else ctypes.c_double).from_address(at).value)
        return lambda: value


def _multiply(a: np.ndarray, b: np.ndarray, c: np.ndarray, alpha: Any, beta: Any) -> None:
    """C = alpha A B + beta C; what a zero multiplies is not read."""
    with np.errstate(all="ignore"):
        product = alpha * (a @ b) if alpha != 0 else np.zeros_like(c)
        c[...] = product if beta == 0 else product + beta * c
