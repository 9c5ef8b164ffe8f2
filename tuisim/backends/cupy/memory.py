"""The arrays of one bound step on the device: the program's buffers and what the kernels need beside them.

Parameters, gradients and optimizer state are one flat array each, shared by the steps bound to them. What is the same
number in every step lies there too, so that a launch never changes.
"""

from __future__ import annotations

from tuisim import units
from tuisim.backends.cupy.card import THREADS, WAVES, Card, DeviceArray
from tuisim.backends.cupy.rows import PlacedRows
from tuisim.errors import MemoryNeeded
from tuisim.program import Buffer, Role, StepProgram

FUSED = ("clipped_gradients", "decayed_gradients")
"""Buffers that only the update would read: it works them out as it goes."""
MOST_STEPS = 1_024
"""Handed over in one go: a chunk of 10 ms has a few hundred steps of the smallest network."""
MOST_ROWS = 1 << 22
"""Of their rows' indexes: 32 MiB."""
_SHARED = (Role.PARAMETER, Role.GRADIENT, Role.OPTIMIZER)


class Common:
    """What all steps of one network share beside their parameters."""

    def __init__(self, card: Card, dtype: str) -> None:
        self.placed = PlacedRows()
        self.one, self.zero, self.stopped = (card.zeros(1, dtype) for _ in range(3))
        card.put(self.one, 1)
        self.step = card.zeros(1, "int64")
        """Steps made since the chunk began."""
        self.lost = card.zeros(WAVES * card.processors * THREADS, "int64")
        """Numbers of the optimizer's buffers set to 0 so far because they became subnormal, by thread of the update kernel."""


class Memory:
    """Arrays by the names of their buffers. Raises MemoryNeeded, before anything is allocated, where they have no room."""

    def __init__(self, card: Card, program: StepProgram, share: Memory | None = None) -> None:
        self._share = share
        own = [buffer for buffer in program.buffers.values() if self._own(buffer)]
        if share is None:
            card.give_back()
        _check_room(card, sum(program.nbytes(buffer.name) for buffer in own))
        self.common: Common = Common(card, program.dtype) if share is None else share.common
        self.arrays: dict[str, DeviceArray] = {}
        for name, buffer in program.buffers.items():
            if _fused(buffer):
                continue
            if buffer.part_of is not None:
                flat = self.arrays[buffer.part_of]
                self.arrays[name] = flat[buffer.offset : buffer.offset + buffer.size].reshape(buffer.shape)
            elif share is not None and buffer.role in _SHARED:
                self.arrays[name] = share.arrays[name]
            else:
                self.arrays[name] = card.zeros(buffer.shape, "int64" if buffer.integer else program.dtype)
        self.stopped = self.common.stopped if program.learning else card.zeros(1, program.dtype)
        """1 once a loss was not finite; an evaluation has its own."""
        batch = program.batch
        self.row_loss, self.row_right = card.zeros(batch, "float64"), card.zeros(batch, "int64")
        self.steps = max(1, min(MOST_STEPS, MOST_ROWS // batch)) if program.learning else 1
        """Of a chunk that the arrays below have room for."""
        self.order = card.zeros(self.steps * batch, "int64")
        self.results = card.zeros((self.steps, 2), "float64")
        """Of each step of a chunk: the mean loss, and how many were right."""
        self.scalars = card.zeros((self.steps, 4), program.dtype)
        """Of each step of a chunk: rate, decay factor, and Adam's rate and epsilon."""

    def _own(self, buffer: Buffer) -> bool:
        shared = self._share is not None and buffer.role in _SHARED
        return buffer.part_of is None and not shared and not _fused(buffer)


def _fused(buffer: Buffer) -> bool:
    return buffer.name in FUSED or buffer.part_of in FUSED


def _check_room(card: Card, wanted: int) -> None:
    free = card.free_bytes()
    if wanted > free:
        raise MemoryNeeded(f"the step needs {units.size(wanted)} of the GPU's memory, {units.size(free)} are free", free)
