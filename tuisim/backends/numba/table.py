"""A step program as a table of numbers: a row of codes, sizes and offsets per operation, and an offset per buffer.

The compiled step reads nothing else, so that one compilation serves every network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import gemm_dispatch
from tuisim.backends.numba import gemm, updates
from tuisim.backends.numba.activations import CODES as FUNCTIONS
from tuisim.backends.protocol import Array
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, SHARED_ROLES, Buffer, Kind, Op, Phase, StepProgram
from tuisim.program.schedule import STEP_FACTOR

KINDS = {kind: np.uint64(code) for code, kind in enumerate(Kind)}
"""The codes of the kinds of operation."""

PHASES = tuple(Phase)

KIND, PHASE, FUNCTION, BATCH, INPUTS, OUTPUTS, PARAMETERS, LEARNING, OPERANDS, READ, WRITE, CALL, COLUMNS = (
    *range(10),
    14,
    18,
    19,
)
"""Columns of a row and their number. READ and WRITE are the first of four each; CALL is the address of the BLAS function of a
matrix product, 0 where loops compute it."""
_LINE = 64
"""Bytes of a cache line, to which flat buffers are aligned."""
_SCHEDULES = {"constant": updates.CONSTANT, "step": updates.STEP, "cosine": updates.COSINE}


class CompiledBuffers:
    """The flat arrays of one bound step, and the offset of each buffer in them."""

    def __init__(self, program: StepProgram, share: CompiledBuffers | None) -> None:
        self.offsets: dict[str, int] = {}
        lengths = {"own": 0, "integers": 0, "shared": 0}
        for name, buffer in program.buffers.items():
            if buffer.part_of is not None:
                self.offsets[name] = self.offsets[buffer.part_of] + buffer.offset
            elif share is not None and buffer.role in SHARED_ROLES:
                self.offsets[name] = share.offsets[name]
            else:
                array = _array_of(buffer)
                self.offsets[name] = lengths[array]
                lengths[array] += -(-buffer.size // _LINE) * _LINE
        self.transposed = lengths["own"]
        """The offset of scratch space for the transposed weights of a layer, at the end of `own`."""
        can_call, transposed = gemm.address(program.dtype) != 0, 0
        for op in program.ops:
            if op.kind is Kind.INPUT_GRADIENT and gemm_dispatch.transposes_weights(program.dtype, op.batch, op.outputs):
                transposed = max(transposed, 0 if can_call and uses_blas(op) else op.inputs * op.outputs)
        self.own = _zeros(lengths["own"] + transposed, program.dtype)
        self.integers: NDArray[np.int64] = np.zeros(lengths["integers"], np.int64)
        self.shared: Array = _zeros(lengths["shared"], program.dtype) if share is None else share.shared
        self.views: dict[str, Array] = {}
        for name, buffer in program.buffers.items():
            offset, flat = self.offsets[name], getattr(self, _array_of(buffer))
            self.views[name] = flat[offset : offset + buffer.size].reshape(buffer.shape)


def _array_of(buffer: Buffer) -> str:
    return "shared" if buffer.role in SHARED_ROLES else "integers" if buffer.integer else "own"


def _zeros(length: int, dtype: str) -> Array:
    """Return zeros aligned to a cache line, with space behind them for a SIMD vector that begins at the last one."""
    room: Array = np.zeros(length + 2 * _LINE, dtype)
    skip = -room.ctypes.data % _LINE // room.itemsize
    return room[skip : skip + length]


def table(program: StepProgram, buffers: CompiledBuffers) -> NDArray[np.uint64]:
    """Return the table: one row per operation, in the program's order."""
    return np.array([_row(op, buffers, program.dtype) for op in program.ops], np.uint64)


def _row(op: Op, buffers: CompiledBuffers, dtype: str) -> list[int]:
    row = [0] * COLUMNS
    row[KIND], row[PHASE] = int(KINDS[op.kind]), PHASES.index(op.phase)
    row[FUNCTION] = int(FUNCTIONS[op.function]) if op.function is not None else 0
    row[BATCH], row[INPUTS], row[OUTPUTS], row[PARAMETERS] = op.batch, op.inputs, op.outputs, op.parameters
    row[LEARNING], row[OPERANDS] = op.learning, len(op.reads)
    for place, name in enumerate(op.reads):
        row[READ + place] = buffers.offsets[name]
    if op.kind is Kind.INPUT_GRADIENT:
        row[READ + len(op.reads)] = buffers.transposed
    for place, name in enumerate(op.writes):
        row[WRITE + place] = buffers.offsets[name]
    if uses_blas(op):  # 0 if there is no BLAS to call; loops then compute it
        row[CALL] = gemm.address(dtype)
    return row


def uses_blas(op: Op) -> bool:
    """Return True if BLAS computes this operation, where it can be called."""
    return gemm_dispatch.uses_blas(op.kind, op.batch, op.inputs, op.outputs)


def constants(program: StepProgram) -> NDArray[np.float64]:
    """Return the constants of the program's update."""
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
