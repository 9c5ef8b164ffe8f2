"""A step program as numbers: each operation a row of codes, sizes and offsets, each buffer a place in a flat array.

The compiled step reads nothing else, so one compilation serves every network; what a code does is not known here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import gemm_dispatch as ways
from tuisim.backends.numba import gemm, updates
from tuisim.backends.numba.activations import CODES as FUNCTIONS
from tuisim.backends.protocol import Array
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, Buffer, Kind, Op, Phase, Role, StepProgram
from tuisim.program.schedule import STEP_FACTOR

KINDS = {kind: np.uint64(code) for code, kind in enumerate(Kind)}
"""Every kind of operation, by the number the compiled step knows it by."""

PHASES = tuple(Phase)

KIND, PHASE, FUNCTION, BATCH, INPUTS, OUTPUTS, PARAMETERS, LEARNING, OPERANDS, READ, WRITE, CALL, COLUMNS = (
    *range(10),
    14,
    18,
    19,
)
"""Columns of a row; READ and WRITE are the first of four each, CALL is the address of what computes a product, 0 where loops do,
and the last is how many columns there are."""

SHARED = (Role.PARAMETER, Role.GRADIENT, Role.OPTIMIZER)
_LINE = 64
"""Bytes of a cache line: whole buffers begin at one."""
_SCHEDULES = {"constant": updates.CONSTANT, "step": updates.STEP, "cosine": updates.COSINE}


class Memory:
    """The flat arrays of one bound step, and where each buffer lies in them."""

    def __init__(self, program: StepProgram, share: Memory | None) -> None:
        self.offsets: dict[str, int] = {}
        lengths = {"own": 0, "integers": 0, "shared": 0}
        for name, buffer in program.buffers.items():
            if buffer.part_of is not None:
                self.offsets[name] = self.offsets[buffer.part_of] + buffer.offset
            elif share is not None and buffer.role in SHARED:
                self.offsets[name] = share.offsets[name]
            else:
                home = _home(buffer)
                self.offsets[name] = lengths[home]
                lengths[home] += -(-buffer.size // _LINE) * _LINE
        self.turned = lengths["own"]
        """Where a layer's weights may be written the other way round, behind everything else of the step's own."""
        self.own = _zeros(lengths["own"] + _largest_turned(program), program.dtype)
        self.integers: NDArray[np.int64] = np.zeros(lengths["integers"], np.int64)
        self.shared: Array = _zeros(lengths["shared"], program.dtype) if share is None else share.shared
        self.views = {name: self._view(buffer) for name, buffer in program.buffers.items()}

    def _view(self, buffer: Buffer) -> Array:
        offset, flat = self.offsets[buffer.name], getattr(self, _home(buffer))
        view: Array = flat[offset : offset + buffer.size].reshape(buffer.shape)
        return view


def _largest_turned(program: StepProgram) -> int:
    """Weights of the largest layer whose way back turns them round."""
    callable_ = gemm.address(program.dtype) != 0
    turning = (op for op in program.ops if op.kind is Kind.INPUT_GRADIENT and ways.turns(program.dtype, op.batch, op.outputs))
    return max((op.inputs * op.outputs for op in turning if not (callable_ and by_blas(op))), default=0)


def _home(buffer: Buffer) -> str:
    return "shared" if buffer.role in SHARED else "integers" if buffer.integer else "own"


def _zeros(length: int, dtype: str) -> Array:
    """Zeros that begin at a cache line, with room behind them for a wide value that begins at the last one."""
    room: Array = np.zeros(length + 2 * _LINE, dtype)
    skip = -room.ctypes.data % _LINE // room.itemsize
    return room[skip : skip + length]


def table(program: StepProgram, memory: Memory) -> NDArray[np.uint64]:
    """One row per operation, in the program's order."""
    return np.array([_row(op, memory, program.dtype) for op in program.ops], np.uint64)


def _row(op: Op, memory: Memory, dtype: str) -> list[int]:
    row = [0] * COLUMNS
    row[KIND], row[PHASE] = int(KINDS[op.kind]), PHASES.index(op.phase)
    row[FUNCTION] = int(FUNCTIONS[op.function]) if op.function is not None else 0
    row[BATCH], row[INPUTS], row[OUTPUTS], row[PARAMETERS] = op.batch, op.inputs, op.outputs, op.parameters
    row[LEARNING], row[OPERANDS] = op.learning, len(op.reads)
    for place, name in enumerate(op.reads):
        row[READ + place] = memory.offsets[name]
    if op.kind is Kind.INPUT_GRADIENT:
        row[READ + len(op.reads)] = memory.turned
    for place, name in enumerate(op.writes):
        row[WRITE + place] = memory.offsets[name]
    if by_blas(op):  # 0 where there is none to call, and then loops do it all the same
        row[CALL] = gemm.address(dtype)
    return row


def by_blas(op: Op) -> bool:
    """Whether BLAS is quicker than loops for this operation, where it can be called."""
    return ways.by_blas(op.kind, op.batch, op.inputs, op.outputs)


def constants(program: StepProgram) -> NDArray[np.float64]:
    """The numbers of the program's update that no step changes."""
    hyper, schedule = program.hyperparameters, program.schedule
    values: dict[int, Any] = {
        updates.WEIGHT_DECAY: program.weight_decay,
        updates.CLIP_NORM: program.clip_norm or 0.0,
        updates.CLIP_EPSILON: CLIP_EPSILON,
        updates.BETA1: hyper.get("beta1", hyper.get("momentum", hyper.get("rmsprop_decay", 0.0))),
        updates.BETA2: hyper.get("beta2", 0.0),
        updates.EPSILON: hyper.get("epsilon", 0.0),
        updates.SCHEDULE: _SCHEDULES[schedule.name],
        updates.LENGTH: schedule.steps or 0,
        updates.WARMUP: schedule.warmup,
        updates.STEP_FACTOR: STEP_FACTOR,
        updates.FLUSH_BELOW: SMALLEST_NORMAL[program.dtype] if program.flushes else 0.0,
    }
    return np.array([values[place] for place in range(updates.CONSTANTS)], np.float64)
