"""Reading what one weight of one unit goes through in a step: only its numbers are read, of a network of any size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.protocol import UpdateScalars
from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.program import OPTIMIZER_STATE, StepProgram

Array = NDArray[Any]

_PLACE = re.compile(r"\s*(?:(\d+)\s*:)?\s*(?:[Ww]\s*\[\s*(\d+)\s*,\s*(\d+)\s*\]|[Bb]\s*\[\s*(\d+)\s*\])\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """A weight W[i, j] of a layer, or its bias b[j] if `input` is None; layers count from 1, inputs and units from 0."""

    layer: int = 1
    input: int | None = 0
    unit: int = 0

    def __str__(self) -> str:
        return f"{self.layer}:b[{self.unit}]" if self.input is None else f"{self.layer}:W[{self.input},{self.unit}]"

    def within(self, layers: tuple[int, ...]) -> Place:
        """Return the nearest place that the network has."""
        layer = min(max(self.layer, 1), len(layers) - 1)
        unit = min(max(self.unit, 0), layers[layer] - 1)
        return Place(layer, None if self.input is None else min(max(self.input, 0), layers[layer - 1] - 1), unit)


def parse(text: str) -> Place:
    """Read a place: `2:W[3,7]`, `W[3,7]` of layer 1, `2:b[7]`. Raises ValueError with a readable reason."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError("write a weight as 2:W[3,7] (layer 2, input 3, unit 7), a bias as 2:b[7]")
    layer, i, j, bias = match.groups()
    return Place(int(layer or 1), None, int(bias)) if bias is not None else Place(int(layer or 1), int(i), int(j))


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The numbers of a step, as they are in the buffers of the backend. B is the batch, n the inputs of the layer."""

    place: Place
    program: StepProgram
    example: int
    """The example of the batch whose forward pass is followed, from 0."""
    inputs: Array
    """(n,): the layer's inputs for the example."""
    weights: Array
    """(n,): the unit's weights before the step."""
    bias: float
    z: float
    a: float
    """The unit's output; z without an activation function."""
    next_weights: Array
    """(units of the next layer,): the unit's outgoing weights before the step; empty in the last layer."""
    next_deltas: Array
    """(units of the next layer,): ∂L/∂z of the next layer for the example."""
    target: Array
    """The example's target, as the loss takes it."""
    outputs: Array
    """(outputs,): the network's outputs for the example."""
    da: float
    """∂L/∂a for the example."""
    delta: float
    """∂L/∂z for the example."""
    input_column: Array
    """(B,): the input of the weight for each example; ones for a bias."""
    deltas: Array
    """(B,): ∂L/∂z of the unit for each example."""
    gradient: float
    """∂L/∂w in the buffer."""
    clip_factor: float | None
    before: float
    after: float
    """The weight before and after the step."""
    state_before: dict[str, float]
    state_after: dict[str, float]
    """The optimizer's numbers for this weight, by name."""
    scalars: UpdateScalars
    """Before the step."""
    step: int
    """The number of the step, from 1."""


def look_at(place: Place, example: int) -> Look:
    """Return a look at a weight around a step."""
    return Look(partial(_read, place, example), before=partial(_before, place))


def _state(session: Session, place: Place) -> dict[str, float]:
    """Return the optimizer's numbers of the weight: they lie as the parameters do, W row by row and then b."""
    program = session.network.full.program
    n, m = program.layers[place.layer - 1], program.layers[place.layer]
    at = (n if place.input is None else place.input) * m + place.unit
    names = OPTIMIZER_STATE[program.optimizer]
    return {name: float(session.network.full.read(f"{name}{place.layer}", at)) for name in names}


def _before(place: Place, session: Session) -> dict[str, Any]:
    full, k, j = session.network.full, place.layer, place.unit
    is_last = k == len(full.program.layers) - 1
    return {
        "weights": full.read(f"W{k}", (slice(None), j)),
        "bias": float(full.read(f"b{k}", j)),
        "next_weights": np.zeros(0) if is_last else full.read(f"W{k + 1}", j),
        "state_before": _state(session, place),
        "scalars": full.scalars(),
    }


def _read(place: Place, example: int, session: Session, before: dict[str, Any]) -> Reading:
    assert session.latest is not None
    step, rows = session.latest
    full, program, k, i, j = session.network.full, step.program, place.layer, place.input, place.unit
    example = min(example, len(rows) - 1)
    outputs = program.outputs
    is_last = k == len(program.layers) - 1
    acts = outputs[k] == f"a{k}"
    deltas = step.read(f"dz{k}", (slice(None), j))
    column = np.ones(len(rows)) if i is None else step.read(outputs[k - 1], (slice(None), i))
    weight = before["bias"] if i is None else float(before["weights"][i])
    return Reading(
        place=place,
        program=program,
        example=example,
        inputs=step.read(outputs[k - 1], example),
        z=float(step.read(f"z{k}", (example, j))),
        a=float(step.read(outputs[k], (example, j))),
        next_deltas=np.zeros(0) if is_last else step.read(f"dz{k + 1}", example),
        target=step.read("Y", example),
        outputs=step.read(outputs[-1], example),
        da=float(step.read(f"da{k}", (example, j))) if acts else float(deltas[example]),
        delta=float(deltas[example]),
        input_column=column,
        deltas=deltas,
        gradient=float(full.read(f"gb{k}", j) if i is None else full.read(f"gW{k}", (i, j))),
        clip_factor=float(step.read("clip_factor")) if program.clip_norm is not None else None,
        before=weight,
        after=float(full.read(f"b{k}", j) if i is None else full.read(f"W{k}", (i, j))),
        state_after=_state(session, place),
        step=session.tally.steps,
        **before,
    )
