"""Counting, in one step of a run, the work that changes nothing: exact counts over the buffers that the step has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.accounting import FORMULAS
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.features.inspect.examples.examples import row_losses
from tuisim.program import Kind, Op, Phase, Role

Array = NDArray[Any]

LEARNT = 0.01
"""The loss below which an example counts as learnt."""


@dataclass(frozen=True, slots=True)
class ZeroProducts:
    """The multiplications of one operation that have a factor of exactly zero."""

    layer: int
    phase: Phase
    kind: Kind
    zero: int
    all: int
    """All its multiplications, as in the ledger."""


@dataclass(frozen=True, slots=True)
class LayerUpdates:
    """The effect of an update on the parameters of a layer."""

    layer: int
    parameters: int
    without_gradient: int
    """Parameters that did not change, and whose gradient is 0."""
    too_small: int
    """Parameters that did not change although their gradient is not 0."""


@dataclass(frozen=True, slots=True)
class Subnormals:
    """Subnormal numbers in the buffers of one role."""

    what: str
    count: int
    all: int


@dataclass(frozen=True, slots=True, eq=False)
class Waste:
    """The work of a step that changes nothing."""

    step: int
    batch: int
    products: tuple[ZeroProducts, ...]
    updates: tuple[LayerUpdates, ...]
    learnt: int
    """Examples of the batch with a loss below LEARNT."""
    subnormals: tuple[Subnormals, ...]
    flushed: int | None
    """Optimizer numbers flushed to 0 so far; None if none can be."""


def look_at() -> Look:
    """Return a look at a step."""
    return Look(_read, before=_parameters)


def _parameters(session: Session) -> list[Array]:
    return [session.network.full.read(f"theta{layer}") for layer in range(1, len(session.config.layers))]


def _read(session: Session, before: list[Array]) -> Waste:
    assert session.latest is not None
    step, rows = session.latest
    full, program = session.network.full, step.program
    depth = len(program.layers) - 1
    # The products were made with the parameters before the step.
    weights = [_weights(before[k - 1], program.layers[k - 1], program.layers[k]) for k in range(1, depth + 1)]
    buffers = {name: step.read(name) for op in program.ops for name in op.reads if _is_read(name)}
    products = tuple(_products(op, buffers, weights) for op in program.ops if op.kind in _NONZERO)
    updates = []
    for layer, old in enumerate(before, 1):
        unchanged = old == full.read(f"theta{layer}")
        is_zero = full.read(f"g{layer}") == 0
        counts = (int(np.count_nonzero(unchanged & which)) for which in (is_zero, ~is_zero))
        updates.append(LayerUpdates(layer, old.size, *counts))
    outputs = step.read(program.outputs[-1])
    losses = row_losses(outputs, step.read("Y"), program.loss)
    return Waste(
        step=session.tally.steps,
        batch=len(rows),
        products=products,
        updates=tuple(updates),
        learnt=int(np.count_nonzero(losses < LEARNT)),
        subnormals=_subnormals(session),
        flushed=session.network.flushed,
    )


def _is_read(name: str) -> bool:
    """Return True for the inputs, and for activations and their gradients."""
    return name == "X" or name.rstrip("0123456789") in ("z", "a", "dz", "da")


def _weights(theta: Array, inputs: int, outputs: int) -> Array:
    return theta[: inputs * outputs].reshape(inputs, outputs)


def _nonzero(array: Array, axis: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.count_nonzero(array, axis=axis).astype(np.int64)
    return found


def _dense(a: Array, w: Array) -> int:
    """Products a[b, i]·W[i, j] of two numbers that are not zero: for each input, its examples times its weights."""
    return int(_nonzero(a, 0) @ _nonzero(w, 1))


def _weight_gradient(a: Array, delta: Array) -> int:
    """Products a[b, i]·∂L/∂z[b, j]: for each example, its inputs times its units."""
    return int(_nonzero(a, 1) @ _nonzero(delta, 1))


def _input_gradient(delta: Array, w: Array) -> int:
    """Products ∂L/∂z[b, j]·W[i, j]: for each unit, its examples times its weights."""
    return int(_nonzero(delta, 0) @ _nonzero(w, 0))


_NONZERO = {Kind.DENSE: _dense, Kind.WEIGHT_GRADIENT: _weight_gradient, Kind.INPUT_GRADIENT: _input_gradient}


def _products(op: Op, buffers: dict[str, Array], weights: list[Array]) -> ZeroProducts:
    assert op.layer is not None
    factors = [weights[op.layer - 1] if name.startswith("W") else buffers[name] for name in op.reads[:2]]
    total = FORMULAS[op.kind].count(op).multiply
    return ZeroProducts(op.layer, op.phase, op.kind, total - _NONZERO[op.kind](*factors), total)


def _subnormals(session: Session) -> tuple[Subnormals, ...]:
    """Return the subnormal numbers of activations, gradients and optimizer state after the step."""
    assert session.latest is not None
    step = session.latest[0]
    program = step.program
    smallest = SMALLEST_NORMAL[program.dtype]
    found = []
    for what, role in (("activations", Role.ACTIVATION), ("gradients", Role.GRADIENT), ("optimizer state", Role.OPTIMIZER)):
        names = [name for name, buffer in program.buffers.items() if buffer.role is role and buffer.part_of is None]
        arrays = [step.read(name) for name in names]
        count = sum(int(np.count_nonzero((np.abs(array) < smallest) & (array != 0))) for array in arrays)
        found.append(Subnormals(what, count, sum(array.size for array in arrays)))
    return tuple(one for one in found if one.all)
