"""Arrays on the emulated device: only enqueued work and `get` touch their memory."""

from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from .device import Allocation, Device
from .memory import address


class DeviceArray:
    """The part of cupy.ndarray that is emulated; a view keeps the memory of its base alive."""

    def __init__(self, device: Device, allocation: Allocation, view: np.ndarray):
        self._device, self._allocation, self._view = device, allocation, view
        self.shape, self.dtype, self.ndim, self.size, self.nbytes = view.shape, view.dtype, view.ndim, view.size, view.nbytes
        self.data = SimpleNamespace(ptr=address(view) if view.size else allocation.address)

    @property
    def flat_memory(self) -> np.ndarray:
        """Its memory in one dimension; raises ValueError if it is not contiguous."""
        if not self._view.flags.c_contiguous:
            raise ValueError(f"an array of shape {self.shape} and strides {self._view.strides} is not contiguous")
        return self._view.reshape(-1)

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, key: Any) -> "DeviceArray":
        return DeviceArray(self._device, self._allocation, self._view[(*key, ...) if isinstance(key, tuple) else (key, ...)])

    def reshape(self, shape: tuple[int, ...]) -> "DeviceArray":
        return DeviceArray(self._device, self._allocation, self.flat_memory.reshape(shape))

    def fill(self, value: Any) -> None:
        self._device.called("fill")
        self._device.enqueue(lambda: self._view.fill(value))

    def set(self, arr: np.ndarray) -> None:
        """Enqueue a copy of the host array's present values."""
        self._device.called("set")
        if arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError(f"{arr.dtype} {arr.shape} cannot be set to an array of {self.dtype} {self.shape}")
        if not arr.flags.c_contiguous or not self._view.flags.c_contiguous:
            raise ValueError("only contiguous arrays are copied")
        values = arr.copy()
        self._device.enqueue(lambda: np.copyto(self._view, values))

    def get(self) -> np.ndarray:
        """Return a copy on the host, made after the stream's work."""
        self._device.called("get", waits=True)
        self._device.current_stream.run()
        return self._view.copy()

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` instead.")


def allocated(device: Device, name: str, shape: Any, dtype: Any) -> DeviceArray:
    """Return a new array full of garbage; for `zeros`, enqueue the work of setting it to zero."""
    device.called(name)
    allocation = Allocation(device.pool, int(np.prod(shape, dtype=np.int64)), np.dtype(dtype))
    view = allocation.memory.reshape(shape)
    if name == "zeros":
        device.enqueue(lambda: view.fill(0))
    return DeviceArray(device, allocation, view)
