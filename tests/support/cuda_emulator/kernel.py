"""Kernels: their arguments are checked as CuPy passes them, and their threads run one after another up to each barrier."""

import re
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from .c_types import BOOL, DOUBLE, FLOAT, LONG, Number, PointerTo, type_name
from .errors import Index3, KernelError
from .memory import History, Memory, Pointer, address, null_pointer, overlap
from .translate import FILE_NAME, Module

WARP = 32
MAX_THREADS = 1024
MAX_SHARED_BYTES = 48 * 1024

Waiting = Generator[Any, Any, None]
"""A thread that yields the line of a barrier, or the line, name, value and lane of a shuffle."""

compiled = lru_cache(maxsize=32)(Module)


class Kernel:
    """A kernel to launch; raises KernelError at the first thing that a GPU leaves undefined."""

    def __init__(self, module: Module, name: str):
        self.module, self.name, self.function = module, name, module.functions[name]

    def prepared(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> Callable[[], None]:
        """Check the launch and return what runs it."""
        grid, block = ((*(int(size) for size in sizes), 1, 1)[:3] for sizes in (grid, block))
        size = block[0] * block[1] * block[2]
        if min(block) < 1 or size > MAX_THREADS or block[2] > 64:
            raise KernelError(f"a block of {block} threads: 1 to {MAX_THREADS} are possible", kernel=self.name)
        if min(grid) < 1 or grid[0] >= 2**31 or max(grid[1:]) >= 2**16:
            raise KernelError(f"a grid of {grid} blocks is not possible", kernel=self.name)
        parameters = self.function.parameters
        if len(args) != len(parameters):
            raise KernelError(f"takes {len(parameters)} arguments, was given {len(args)}", kernel=self.name)
        values = [self._value(*parameter, given) for parameter, given in zip(parameters, args, strict=True)]
        for a, b in combinations([value for value in values if isinstance(value, np.ndarray)], 2):
            if a.dtype != b.dtype and overlap(a, b):
                raise KernelError("two arguments overlap and are not of one type", kernel=self.name)
        return lambda: Launch(self, grid, block, values).run()

    def _value(self, name: str, kind: Number | PointerTo, given: Any) -> Any:
        """Return a number or a flat array of the very type that the parameter has, or None for the null pointer."""
        if isinstance(kind, PointerTo):
            if given is None or (type(given) in (int, np.int64, np.uint64) and given == 0):
                return None
            array = getattr(given, "flat_memory", given)
            if isinstance(array, np.ndarray) and array.dtype == kind.to:
                flags = array.flags
                if not (flags.c_contiguous and flags.aligned and (flags.writeable or kind.const)):
                    message = f"{name} was given an array that is not contiguous, aligned and writable"
                    raise KernelError(message, kernel=self.name, array=name)
                return array.reshape(-1)
        else:
            # CuPy sends a Python int as long long, a Python float as double, and a NumPy scalar as what it is.
            plain = {int: LONG, float: DOUBLE, bool: BOOL}.get(type(given))
            if kind == (plain or (given.dtype if isinstance(given, np.generic) else None)):
                return np.float32(given) if kind == FLOAT else np.asarray(given).item()
        message = f"{name} is {type_name(kind)} and was given {getattr(given, 'dtype', '')} {type(given).__name__}"
        raise KernelError(message, kernel=self.name, array=name)


@lru_cache(maxsize=32)
def _indexes(shape: Index3) -> list[Index3]:
    return [(x, y, z) for z, y, x in product(*(range(size) for size in reversed(shape)))]


class Launch:
    """One launch of a kernel, with the thread that runs now: `access` is its number and its phase."""

    def __init__(self, kernel: Kernel, grid: Index3, block: Index3, values: Sequence[Any]):
        self.kernel, self.gridDim, self.blockDim = kernel, grid, block
        self.thread = self.phase = self.first_phase = 0
        self.access = 0, 0
        self.threadIdx = self.blockIdx = 0, 0, 0
        self._shared: dict[int, Pointer] = {}
        histories: dict[int, History] = {size: ({}, {}) for size in (1, 4, 8)}
        self._arguments = list(values)
        pointers = [
            (i, *parameter) for i, parameter in enumerate(kernel.function.parameters) if isinstance(parameter[1], PointerTo)
        ]
        written = [values[i] for i, _, kind in pointers if values[i] is not None and not kind.const]
        for i, name, _ in pointers:
            if (array := values[i]) is None:
                self._arguments[i] = null_pointer(name)
            else:  # elements are numbered by their addresses, so that arguments that overlap share their history
                history = histories[array.itemsize] if any(overlap(array, other) for other in written) else None
                self._arguments[i] = Pointer(Memory(name, array, self, history, address(array) // array.itemsize))

    def run(self) -> None:
        """Run the blocks one after another; raise KernelError, with the place of the fault, for undefined behaviour."""
        function = self.kernel.module.environment[f"{self.kernel.name}_"]
        run_block = self._run_generators if self.kernel.function.yields else self._run_functions
        try:
            with np.errstate(all="ignore"):
                for number, self.blockIdx in enumerate(_indexes(self.gridDim)):  # noqa: B020
                    self.phase += 1
                    self.first_phase = self.phase
                    self._shared.clear()
                    run_block(function, number * len(_indexes(self.blockDim)))
        except (KernelError, UnboundLocalError) as error:
            raise self._placed(error) from None

    def _run_functions(self, function: Callable[..., None], first: int) -> None:
        for number, self.threadIdx in enumerate(_indexes(self.blockDim), start=first):  # noqa: B020
            self.thread, self.access = number, (number, self.phase)
            function(self, *self._arguments)

    def _run_generators(self, function: Callable[..., Waiting], first: int) -> None:
        """Run a block's threads to each barrier, a warp at a time; every thread must come to every barrier."""
        threads = [function(self, *self._arguments) for _ in _indexes(self.blockDim)]
        while True:
            lines: list[int | None] = []
            for start in range(0, len(threads), WARP):
                lines += self._run_warp(threads[start : start + WARP], start, first)
            if lines.count(None) == len(lines):
                return
            self._check_together("__syncthreads()", lines, "block", 0)
            self.phase += 1

    def _run_warp(self, threads: list[Waiting], start: int, first: int) -> list[int | None]:
        """Run a warp's threads to the next barrier; return its line for each thread, or None for one that has ended."""
        indexes, phase = _indexes(self.blockDim), self.phase
        answers: list[Any] = [None] * len(threads)
        while True:
            asked: list[Any] = []
            for lane, thread in enumerate(threads, start=start):
                self.thread, self.access, self.threadIdx = first + lane, (first + lane, phase), indexes[lane]
                try:
                    asked.append(thread.send(answers[lane - start]))
                except StopIteration:
                    asked.append(None)
            lines = [each[0] if type(each) is tuple else None for each in asked]
            if lines.count(None) == len(lines):
                return asked
            name = next(each for each in asked if type(each) is tuple)[1]
            self._check_together(name, lines, "warp", start)
            for lane, (line, _, _, by) in enumerate(asked):
                down = lane + by if lane + by < WARP else lane
                source = lane ^ by if "xor" in name else down if "down" in name else by % WARP
                if not 0 <= source < len(threads):
                    self.threadIdx = indexes[start + lane]
                    raise KernelError(f"{name} reads a lane that its warp does not have", line=line)
                answers[lane] = asked[source][2]

    def _check_together(self, what: str, lines: list[int | None], group: str, start: int) -> None:
        """Check that all threads of a group wait in one line of the source; None stands for one that does not wait."""
        line = next(each for each in lines if each is not None)
        if lines.count(line) < len(lines):
            self.threadIdx = _indexes(self.blockDim)[start + lines.index(line)]
            message = f"{what} is reached by {lines.count(line)} of the {len(lines)} threads of its {group}"
            raise KernelError(message, line=line)

    def shared_array(self, name: str, dtype: str, size: int, number: int) -> Pointer:
        """Return the block's copy of a shared array."""
        if number not in self._shared:
            self._shared[number] = Pointer(Memory(name, np.zeros(size, dtype), self, ({}, {}), shared=True))
            if sum(pointer.memory.array.nbytes for pointer in self._shared.values()) > MAX_SHARED_BYTES:
                raise KernelError(f"more than {MAX_SHARED_BYTES:,} bytes of shared memory", array=name)
        return self._shared[number]

    def _placed(self, error: Exception) -> KernelError:
        """Return the error with kernel, line, thread and block."""
        if isinstance(error, KernelError):
            message, place = error.message, vars(error)
        else:  # a variable of Python that has no value
            name = re.sub(r".*'(\w+)_\d+'.*", r"\1", str(error))
            message, place = f"reads {name}, a variable that has no value yet", {"array": name}
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == FILE_NAME:
                place["line"] = self.kernel.module.c_lines[trace.tb_lineno - 1]
            trace = trace.tb_next
        place |= {"kernel": self.kernel.name, "thread": self.threadIdx, "block": self.blockIdx}
        return KernelError(**{"message": message} | place)
