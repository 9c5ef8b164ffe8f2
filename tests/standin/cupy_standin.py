"""A NumPy-backed stand-in for the module `cupy`, version 14: nothing is done before it is waited for, and all is checked.

It does not know time, nor more than one card's memory; the part of CuPy that it has is what `make` puts together."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

from . import cuda_errors
from .cublas import Cublas, live_bytes
from .cuda_errors import CUDADriverError, CUDARuntimeError, OutOfMemoryError
from .device_arrays import DeviceArray, allocated
from .driver import Device, PinnedPool
from .simt import Kernel, Module, compiled
from .streams import Card, Cards, Event, Stream, Streams, elapsed

DEVICE_TO_DEVICE = 3


class StandIn:
    """The module and what a test wants to know of it, or do to it."""

    def __init__(self, total_bytes: int = 1 << 30, cards: int = 1):
        self.device = Device(total_bytes, cards)
        self.streams, self.cards = Streams(self.device), Cards(self.device)
        self.modules = _modules(self)
        self.module = self.modules["cupy"]
        self.fail_at, self.heal = self.device.fail_at, self.device.heal

    @property
    def calls(self) -> list[str]:
        """The names of all calls so far."""
        return self.device.calls

    @property
    def call_count(self) -> int:
        return self.device.call_count

    @property
    def synchronisations(self) -> int:
        """How many calls waited for the device."""
        return self.device.synchronisations

    @property
    def threads(self) -> set[int]:
        """The idents of the threads that made a call."""
        return self.device.threads

    @property
    def waiting(self) -> int:
        """Pieces of work that are queued and not done."""
        return sum(len(queue.work) for queue in self.device.queues)

    def out_of_memory(self, size: int) -> OutOfMemoryError:
        return OutOfMemoryError(size, self.device.pool.held)

    def device_error(self, status: int = 700) -> CUDARuntimeError:
        return CUDARuntimeError(status)


def make(total_bytes: int = 1 << 30, cards: int = 1) -> StandIn:
    """A stand-in with a GPU of so many bytes, or with none where `cards` is 0."""
    return StandIn(total_bytes, cards)


class RawModule:
    """cupy.RawModule: compiled when first used."""

    def __init__(self, streams: Streams, code: str | None = None, *, options: tuple[str, ...] = (), **_: Any):
        if not isinstance(options, tuple) or code is None:
            raise TypeError("the stand-in takes code and a tuple of options")
        code.encode("ascii")  # CuPy writes it to a file in the encoding of the system, whatever that is
        self._streams, self._code, self._options = streams, code, options
        self._module: Module | None = None
        streams.device.called("RawModule")

    def compile(self, log_stream: Any = None) -> None:
        self._streams.device.called("compile")
        self._compiled()

    def get_function(self, name: str) -> "RawKernel":
        self._streams.device.called("get_function")
        module = self._compiled()
        if name not in module.names or name in module.mangled:
            raise CUDADriverError(500)
        return RawKernel(self._streams, module.kernel(name))

    def _compiled(self) -> Module:
        if self._module is None:
            self._module = compiled(self._code, self._options)
        return self._module


class RawKernel:
    """What RawModule.get_function gives; arguments are checked at the launch, the rest when it runs.

    `kernel` is the compiled function behind it, which is launched in the same way.
    """

    def __init__(self, streams: Streams, kernel: Kernel):
        self._streams, self._kernel, self.name = streams, kernel, kernel.name

    @property
    def kernel(self) -> "RawKernel":
        return self

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0) -> None:
        self._streams.device.called(f"launch:{self.name}")
        if any(one is None for one in args):
            raise TypeError("None is no null pointer: CuPy hands the kernel nothing at all for it")
        if shared_mem:
            raise ValueError("the stand-in has no dynamic shared memory")
        launch = self._kernel.prepared(grid, block, args)
        held, caller = tuple(args), sys._getframe(1)
        place = f"launched at {caller.f_code.co_filename}:{caller.f_lineno}"

        def work() -> None:
            try:
                launch()
            except Exception as error:
                error.add_note(place)
                raise

        work.holds = held  # type: ignore[attr-defined]  # memory given back stays until the work is done
        self._streams.enqueue(work)


def _modules(standin: StandIn) -> dict[str, ModuleType]:
    """The module cupy and the modules below it, by their full names."""
    device, streams, cards = standin.device, standin.streams, standin.cards
    pinned = PinnedPool(device)
    modules = {
        "cupy": {
            "__version__": "14.2.0",
            "ndarray": DeviceArray,
            "zeros": lambda shape, dtype=float: allocated(streams, "zeros", shape, dtype),
            "empty": lambda shape, dtype=float: allocated(streams, "empty", shape, dtype),
            "RawModule": lambda code=None, **more: RawModule(streams, code, **more),
            "get_default_memory_pool": lambda: device.pool,
            "get_default_pinned_memory_pool": lambda: pinned,
        },
        "cupy.cuda": {
            "Device": lambda number=None: Card(cards, number),
            "Stream": _StreamMaker(streams),
            "Event": lambda *given, **more: Event(streams, *given, **more),
            "get_current_stream": lambda device_id=-1: streams.current(),
            "get_elapsed_time": lambda start, end: elapsed(device, start, end),
        },
        "cupy.cuda.runtime": _runtime(standin),
        "cupy.cuda.cublas": {
            name: getattr(cublas, name) for cublas in [Cublas(streams)] for name in dir(cublas) if name[0] != "_"
        },
        "cupy.cuda.driver": {"CUDADriverError": CUDADriverError},
        "cupy.cuda.compiler": {"CompileException": cuda_errors.CompileException},
        "cupy.cuda.memory": {"OutOfMemoryError": OutOfMemoryError},
    }
    made = {name: _module(name, contents) for name, contents in modules.items()}
    for name, module in made.items():
        above, _, last = name.rpartition(".")
        if above:
            setattr(made[above], last, module)
    return made


class _StreamMaker:
    """cupy.cuda.Stream, which is called, and has the default stream as `null`."""

    def __init__(self, streams: Streams):
        self._streams, self.null = streams, streams.null

    def __call__(self, null: bool = False, *given: Any, **more: Any) -> Stream:
        return self.null if null else Stream(self._streams, False, *given, **more)


def _runtime(standin: StandIn) -> dict[str, Any]:
    device, cards = standin.device, standin.cards

    def asked(name: str, answer: Any, without_card: bool = False) -> Any:
        device.called(name, works_without_card=without_card)
        return answer

    def properties(number: int) -> dict[str, Any]:
        device.called("getDeviceProperties")
        if not 0 <= number < device.cards:
            raise CUDARuntimeError(101)
        return {
            "name": b"Stand-in GPU", "major": 9, "minor": 0, "multiProcessorCount": 4, "totalGlobalMem": device.pool.limit,
            "maxThreadsPerBlock": 1024, "warpSize": 32, "sharedMemPerBlock": 49152, "clockRate": 1_000_000,
            "memoryClockRate": 1_000_000, "memoryBusWidth": 256, "l2CacheSize": 1 << 20, "maxThreadsPerMultiProcessor": 2048,
            "integrated": 0, "ECCEnabled": 0, "pciBusID": 0,
        }  # fmt: skip

    def copy(target: int, source: int, size: int, kind: int, stream: int) -> None:
        device.called("memcpyAsync")
        if kind != DEVICE_TO_DEVICE:
            raise ValueError("the stand-in copies from device to device only")
        to, what = (live_bytes(device, "memcpyAsync", name, at, size) for name, at in (("target", target), ("source", source)))
        standin.streams.of_handle(stream).queue.work.append(lambda: np.copyto(to[1], what[1]))

    return {
        "CUDARuntimeError": CUDARuntimeError,
        "memcpyDeviceToDevice": DEVICE_TO_DEVICE,
        "memcpyAsync": copy,
        "memGetInfo": lambda: asked("memGetInfo", (device.pool.limit - device.pool.held, device.pool.limit)),
        "getDeviceCount": lambda: asked("getDeviceCount", device.cards),
        "getDevice": lambda: asked("getDevice", cards.current()),
        "getDeviceProperties": properties,
        "driverGetVersion": lambda: asked("driverGetVersion", 13000, without_card=True),
        "runtimeGetVersion": lambda: asked("runtimeGetVersion", 12090, without_card=True),
        "deviceSynchronize": Card(cards, 0).synchronize,
    }


def _module(name: str, contents: dict[str, Any]) -> ModuleType:
    module = ModuleType(name, "A stand-in, backed by NumPy.")
    module.__spec__ = ModuleSpec(name, None)
    module.__path__ = []
    vars(module).update(contents)
    return module
