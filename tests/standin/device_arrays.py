"""Arrays on the stand-in's device: NumPy memory that only queued work and `get` may touch.

It does not know kernels: it offers `flat_memory` to them."""

from typing import Any, NoReturn

import numpy as np

from .cuda_errors import CUDARuntimeError
from .driver import Allocation
from .streams import Stream, Streams


class Data:
    """Where an array begins."""

    def __init__(self, ptr: int):
        self.ptr = ptr


class DeviceArray:
    """cupy.ndarray, as far as the stand-in goes; a view keeps its base alive."""

    def __init__(self, streams: Streams, allocation: Allocation, view: np.ndarray):
        self._streams, self._device = streams, streams.device
        self.allocation, self._view = allocation, view
        self.shape, self.dtype, self.ndim = view.shape, view.dtype, view.ndim
        self.size, self.nbytes, self.strides, self.flags = view.size, view.nbytes, view.strides, view.flags
        self.data = Data(int(view.__array_interface__["data"][0]) if view.size else allocation.address)

    @property
    def flat_memory(self) -> np.ndarray:
        """Its memory in one dimension; raises ValueError where it does not lie in one piece."""
        if not self._view.flags.c_contiguous:
            raise ValueError(f"an array of shape {self.shape} and strides {self.strides} is not contiguous")
        return self._view.reshape(-1)

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, key: Any) -> "DeviceArray":
        parts = key if isinstance(key, tuple) else (key,)
        if not all(part is Ellipsis or part is None or isinstance(part, int | np.integer | slice) for part in parts):
            raise TypeError("the stand-in slices by whole numbers and slices only")
        view = self._view[(*parts, Ellipsis)] if Ellipsis not in parts else self._view[parts]
        return DeviceArray(self._streams, self.allocation, view)

    def reshape(self, *shape: Any) -> "DeviceArray":
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        return DeviceArray(self._streams, self.allocation, self.flat_memory.reshape(wanted))

    def fill(self, value: Any) -> None:
        self._device.called("fill")
        self._streams.enqueue(lambda: self._put(value))

    def set(self, arr: np.ndarray, stream: Stream | None = None) -> None:
        """Copy from the host: the values as they are now arrive in the stream's order."""
        self._device.called("set")
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError(f"{arr.dtype} {arr.shape} cannot be set to an array of {self.dtype} {self.shape}")
        if not arr.flags.c_contiguous or not self._view.flags.c_contiguous:
            raise ValueError("only contiguous arrays are copied")
        values = arr.copy()
        self._streams.enqueue(lambda: self._put(values), stream)

    def get(
        self, stream: Stream | None = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True
    ) -> np.ndarray:
        """A copy on the host, after the stream's work."""
        self._device.called("get", waits=blocking)
        if out is None:
            out = np.empty(self.shape, self.dtype)
        if not isinstance(out, np.ndarray) or out.dtype != self.dtype:
            raise TypeError(f"out is no array of {self.dtype}")
        if out.shape != self.shape or not out.flags.c_contiguous:
            raise ValueError(f"out is no contiguous array of shape {self.shape}")
        result, stream = out, stream or self._streams.current()
        self._streams.enqueue(lambda: np.copyto(result, self._view), stream)
        if blocking:
            stream.queue.run()
        return result

    def item(self) -> Any:
        self._device.called("item", waits=True)
        self._streams.current().queue.run()
        return self._view.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def _put(self, value: Any) -> None:
        with np.errstate(all="ignore"):
            self._view[...] = value


def allocated(streams: Streams, name: str, shape: Any, dtype: Any) -> DeviceArray:
    """A new array full of garbage; zeros are queued work."""
    device = streams.device
    device.called(name)
    shape = tuple(shape) if isinstance(shape, tuple | list) else (int(shape),)
    kind = np.dtype(dtype)
    if any(length < 0 for length in shape):
        raise CUDARuntimeError(1)
    allocation = Allocation(device.pool, int(np.prod(shape, dtype=np.int64)), kind)
    array = DeviceArray(streams, allocation, allocation.memory.reshape(shape))
    if name == "zeros":
        streams.enqueue(lambda: array._put(0))
    return array
