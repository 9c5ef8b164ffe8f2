"""The module `cupy` in version 14, as far as it is emulated, put together from the other modules."""

from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .arrays import allocated
from .cublas import Cublas, live_bytes
from .device import Device, Event, Stream
from .errors import CUDADriverError, CUDARuntimeError, OutOfMemoryError
from .kernel import Kernel, compiled

DEVICE_TO_DEVICE = 3


class RawModule:
    """cupy.RawModule."""

    def __init__(self, device: Device, code: str, *, options: tuple[str, ...] = ()):
        code.encode("ascii")  # CuPy writes it to a file in the encoding of the system
        self._device, self._code, self._options = device, code, options
        device.called("RawModule")

    def compile(self) -> None:
        self._device.called("compile")
        compiled(self._code, self._options)

    def get_function(self, name: str) -> "RawKernel":
        self._device.called("get_function")
        module = compiled(self._code, self._options)
        if name not in module.functions or not module.functions[name].c_linkage:  # C++ mangles the other names
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return RawKernel(self._device, Kernel(module, name))


class RawKernel:
    """cupy.RawKernel: its arguments are checked at the launch; it runs when the device does. `kernel` is launched alike."""

    def __init__(self, device: Device, kernel: Kernel):
        self._device, self._kernel, self.name, self.kernel = device, kernel, kernel.name, self

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        self._device.called(f"launch:{self.name}")
        if any(one is None for one in args):
            raise TypeError("None is no null pointer: CuPy hands the kernel nothing at all for it")
        launch, kept = self._kernel.prepared(grid, block, args), tuple(args)
        # The work keeps its arguments alive until it is done.
        self._device.enqueue(lambda: (launch() if self._device.runs_kernels else None, kept))


def cupy_modules(device: Device) -> dict[str, ModuleType]:
    """Return the module cupy and its submodules by their full names."""

    def logged(name: str, answer: Any, needs_device: bool = True) -> Any:
        device.called(name, needs_device=needs_device)
        return answer

    pool, cublas = device.pool, Cublas(device)
    pinned_pool = SimpleNamespace(free_all_blocks=lambda: device.called("free_all_blocks"))
    contents: dict[str, dict[str, Any]] = {
        "cupy": {
            "__version__": "14.2.0",
            "zeros": lambda shape, dtype=float: allocated(device, "zeros", shape, dtype),
            "empty": lambda shape, dtype=float: allocated(device, "empty", shape, dtype),
            "RawModule": lambda code, **options: RawModule(device, code, **options),
            "get_default_memory_pool": lambda: pool,
            "get_default_pinned_memory_pool": lambda: pinned_pool,
        },
        "cupy.cuda": {
            "Device": lambda number=0: SimpleNamespace(use=lambda: _use(device, number)),
            "Stream": lambda **options: Stream(device, **options),
            "Event": lambda: Event(device),
            "get_elapsed_time": lambda start, end: _elapsed(device, start, end),
        },
        "cupy.cuda.runtime": {
            "CUDARuntimeError": CUDARuntimeError,
            "memcpyDeviceToDevice": DEVICE_TO_DEVICE,
            "memcpyAsync": lambda *arguments: _memcpy(device, *arguments),
            "memGetInfo": lambda: logged("memGetInfo", (pool.limit - pool.held, pool.limit)),
            "getDeviceCount": lambda: logged("getDeviceCount", device.devices),
            "getDeviceProperties": lambda _: logged("getDeviceProperties", {"name": b"Emulated GPU", "multiProcessorCount": 4}),
            "driverGetVersion": lambda: logged("driverGetVersion", 13000, needs_device=False),
            "runtimeGetVersion": lambda: logged("runtimeGetVersion", 12090, needs_device=False),
        },
        "cupy.cuda.cublas": {name: getattr(cublas, name) for name in dir(cublas) if name[0] != "_"},
        "cupy.cuda.memory": {"OutOfMemoryError": OutOfMemoryError},
    }
    modules = {}
    for name, names in contents.items():
        module = modules[name] = ModuleType(name, "Emulated on NumPy.")
        module.__spec__, module.__path__ = ModuleSpec(name, None), []
        vars(module).update(names)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(modules[parent], last, module)
    return modules


def _use(device: Device, number: int) -> None:
    device.called("use")
    if not 0 <= number < device.devices:
        raise CUDARuntimeError(101)


def _elapsed(device: Device, start: Event, end: Event) -> float:
    device.called("get_elapsed_time")
    if start.time is None or end.time is None:
        raise CUDARuntimeError(400)
    if max(start.time, end.time) == float("inf"):
        raise CUDARuntimeError(600)
    return 1e3 * (end.time - start.time)


def _memcpy(device: Device, target: int, source: int, size: int, kind: int, stream: int) -> None:
    device.called("memcpyAsync")
    if kind != DEVICE_TO_DEVICE:
        raise ValueError("only copies from device to device are emulated")
    to, what = (live_bytes(device, "memcpyAsync", name, at, size) for name, at in (("target", target), ("source", source)))
    device.enqueue(lambda: np.copyto(to[1], what[1]), stream)
