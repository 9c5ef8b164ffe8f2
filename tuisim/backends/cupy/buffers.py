"""The arrays of one bound step on the GPU: the buffers of the program, and what the kernels need besides.

Parameters, gradients and optimizer state are one flat array each, shared by the steps bound to them.
"""

from __future__ import annotations

from collections import OrderedDict

from tuisim import units
from tuisim.backends.cupy.gpu import THREADS, WAVES, DeviceArray, Gpu
from tuisim.backends.protocol import Array
from tuisim.errors import MemoryNeeded
from tuisim.program import SHARED_ROLES, Buffer, StepProgram

FUSED = ("clipped_gradients", "decayed_gradients")
"""Buffers that only the update would read; its kernel computes their values."""
MAX_STEPS = 1_024
"""Steps launched at once: a chunk of 10 ms has a few hundred steps of the smallest network."""
MAX_ROWS = 1 << 22
"""Row indexes of these steps: 32 MiB."""
MAX_UPLOADS = 8
"""Arrays kept on the GPU: inputs and targets of the current block and the one before, the validation rows and the sample."""


class UploadCache:
    """The latest host arrays that have been copied to the GPU, shared by all steps of a network."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Array, DeviceArray]] = OrderedDict()

    def has(self, *hosts: Array) -> bool:
        """Return True if all of these are on the GPU."""
        return all(id(host) in self._kept for host in hosts)

    def upload(self, gpu: Gpu, host: Array) -> DeviceArray:
        """Return the copy of `host` on the GPU. A writable array is copied each time.

        Raises MemoryNeeded if there is no room for it even without the other arrays.
        """
        key = id(host)  # the cache keeps the array, so no other can have this id
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        while self._kept and host.nbytes > gpu.free_bytes():
            self._kept.popitem(last=False)
        copied = gpu.upload(host if host.flags.c_contiguous else host.copy())
        if not host.flags.writeable:
            self._kept[key] = host, copied
            while len(self._kept) > MAX_UPLOADS:
                self._kept.popitem(last=False)
        return copied


class SharedArrays:
    """Arrays shared by all steps of a network, besides its parameters."""

    def __init__(self, gpu: Gpu, dtype: str) -> None:
        self.uploads = UploadCache()
        self.one, self.zero, self.stopped = (gpu.zeros(1, dtype) for _ in range(3))
        gpu.put(self.one, 1)
        self.step = gpu.zeros(1, "int64")
        """Steps since the chunk began."""
        self.flushed = gpu.zeros(WAVES * gpu.processors * THREADS, "int64")
        """Numbers of the optimizer state flushed to 0 so far, by thread of the update kernel."""


class CupyBuffers:
    """Arrays by the names of their buffers. Raises MemoryNeeded before anything is allocated if they do not fit."""

    def __init__(self, gpu: Gpu, program: StepProgram, share: CupyBuffers | None = None) -> None:
        shared = () if share is None else SHARED_ROLES
        own = [
            buffer.name
            for buffer in program.buffers.values()
            if buffer.part_of is None and buffer.role not in shared and not _is_fused(buffer)
        ]
        if share is None:
            gpu.release_unused()
        needed, free = sum(map(program.nbytes, own)), gpu.free_bytes()
        if needed > free:
            raise MemoryNeeded(f"the step needs {units.size(needed)} of the GPU's memory, {units.size(free)} are free", free)
        self.common: SharedArrays = SharedArrays(gpu, program.dtype) if share is None else share.common
        self.arrays: dict[str, DeviceArray] = {}
        for name, buffer in program.buffers.items():
            if _is_fused(buffer):
                continue
            if buffer.part_of is not None:
                flat = self.arrays[buffer.part_of]
                self.arrays[name] = flat[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)
            elif share is not None and buffer.role in shared:
                self.arrays[name] = share.arrays[name]
            else:
                self.arrays[name] = gpu.zeros(buffer.shape, "int64" if buffer.integer else program.dtype)
        self.stopped = self.common.stopped if program.learning else gpu.zeros(1, program.dtype)
        """1 after a loss that is not finite; an evaluation has its own."""
        batch = program.batch
        self.row_loss = gpu.zeros(batch, "float64")
        self.steps = max(1, min(MAX_STEPS, MAX_ROWS // batch)) if program.learning else 1
        """Steps of a chunk, the length of the arrays below."""
        self.order = gpu.zeros(self.steps * batch, "int64")
        self.losses = gpu.zeros(self.steps, "float64")
        """Mean loss by step."""
        self.scalars = gpu.zeros((self.steps, 4), program.dtype)
        """Learning rate, decay factor, and Adam's rate and epsilon by step."""


def _is_fused(buffer: Buffer) -> bool:
    return buffer.name in FUSED or buffer.part_of in FUSED
