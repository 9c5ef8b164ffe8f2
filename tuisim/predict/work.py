"""The work of a step that is priced: its operations, with the layers' parts of an update taken together.

Backends update all layers in one pass where they can, so an update has one price whatever its layers are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuisim.backends.gemm_dispatch import gemm_kernel
from tuisim.program import Kind, Op, Phase, StepProgram

NEAR, FAR = 2.0**19, 2.0**24
"""Bytes of a whole step that stay in a core's own caches, and that exceed all caches; between them by the logarithm."""
PRODUCTS = frozenset({Kind.DENSE, Kind.WEIGHT_GRADIENT, Kind.INPUT_GRADIENT})
"""The three matrix products of a layer: B·N·M multiplications each."""


@dataclass(frozen=True, slots=True)
class Work:
    """Operations that are priced as one: sizes B, N and M of an operation, or all parameters of an update."""

    kind: Kind
    function: str | None
    batch: int
    inputs: int
    outputs: int
    parameters: int
    """Updated parameters; 0 for anything but an update."""
    far: float
    """Degree to which the step exceeds the caches: 0 within a core's own caches, 1 beyond all."""
    way: str = ""
    """The GEMM dispatch, for a backend with several kernels for such work."""

    @property
    def key(self) -> str:
        """The kind of work that has one price: `dense`, `activation relu`, `dense narrow`."""
        return " ".join(part for part in (self.kind.value, self.function, self.way) if part)

    @property
    def is_product(self) -> bool:
        """True for a matrix product."""
        return self.kind in PRODUCTS


def works(program: StepProgram, backend: str) -> list[tuple[Work, tuple[int, ...]]]:
    """Return the work of a step on `backend`, each with the places of its operations in the program."""
    groups: dict[Kind | int, list[int]] = {}
    for place, op in enumerate(program.ops):
        # An operation by itself, or the parts of an update that are of one kind.
        groups.setdefault(op.kind if op.phase is Phase.UPDATE else place, []).append(place)
    out = far(program)
    return [(_work([program.ops[place] for place in places], program, backend, out), tuple(places)) for places in groups.values()]


def _work(ops: Sequence[Op], program: StepProgram, backend: str, out: float) -> Work:
    first = ops[0]
    inputs, outputs = first.inputs, first.outputs
    if first.kind is Kind.GATHER:  # whole rows of the data, whatever the layers are
        inputs, outputs = (program.buffers[name].size // first.batch for name in first.writes)
    parameters = sum(op.parameters for op in ops) if first.phase is Phase.UPDATE else 0
    taken = gemm_kernel(backend, program.dtype, first.kind, first.batch, inputs, outputs)
    return Work(first.kind, first.function, first.batch, inputs, outputs, parameters, out, taken)


def far(program: StepProgram) -> float:
    """Return how far a step's buffers exceed the caches, from 0 to 1."""
    size = sum(program.nbytes(name) for name, buffer in program.buffers.items() if buffer.part_of is None)
    return min(1.0, max(0.0, math.log(max(size, 1) / NEAR) / math.log(FAR / NEAR)))


def shares(program: StepProgram, places: Sequence[int]) -> list[float]:
    """Return the part of their work that each operation is; of an update, by parameters."""
    total = sum(program.ops[place].parameters for place in places)
    return [program.ops[place].parameters / total if total else 1 / len(places) for place in places]
