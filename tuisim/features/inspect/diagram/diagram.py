"""Reading the units and the strongest connections of a network for one example."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.features.inspect.rows import answer_words, name_of, rows_of

Array = NDArray[Any]

MAX_UNITS = 64
"""Units of a layer that are read: more fit on no screen."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The units of a layer that matter most, the most important first."""

    size: int
    """All units of the layer."""
    numbers: Array
    """(units,): their numbers, from 0."""
    values: Array
    """(units,): inputs, or outputs of the activation function."""
    function: str
    """Its activation function; `inputs` for the inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagram:
    """A network for one example. The units that matter most have the largest |output| · Σ|weights to the next layer|."""

    example: int
    """Its number among the rows, from 0."""
    rows: int
    which: str
    """The rows that it is one of: validation or training."""
    layers: tuple[Units, ...]
    """Inputs first."""
    contributions: tuple[Array, ...]
    """(units, units of the next layer): output × weight, of the units that were read."""
    target: str
    answer: str
    names: tuple[str, ...]
    """Names of the outputs, if they are classes; empty otherwise."""


def look_at(example: int) -> Look:
    """Return a look at the network for a row."""
    return Look(partial(_read, example))


def _read(example: int, session: Session) -> Diagram:
    X, Y, which = rows_of(session)
    example = min(example, len(X) - 1)
    step = session.network.evaluation(X, Y, 1)
    step.evaluate(np.array([example]))
    depth = len(session.config.layers) - 1
    values = [X[example], *(step.read(name, 0) for name in step.program.outputs[1:])]
    chosen: list[Array] = []
    weights = [step.read(f"W{layer}") for layer in range(1, depth + 1)]
    for layer, output in enumerate(values):
        reach = np.abs(weights[layer]).sum(axis=1) if layer < depth else np.ones(len(output))
        chosen.append(np.argsort(-np.nan_to_num(np.abs(output) * reach), kind="stable")[:MAX_UNITS])
    contributions = tuple(
        values[layer][chosen[layer], None] * weights[layer][np.ix_(chosen[layer], chosen[layer + 1])] for layer in range(depth)
    )
    functions = ("inputs", *session.config.activations)
    layers = tuple(
        Units(len(output), numbers, output[numbers], function)
        for output, numbers, function in zip(values, chosen, functions, strict=True)
    )
    ((target, answer),) = answer_words(session, values[-1][None], Y[example : example + 1])
    is_classes = session.data.kind == "classes" and session.config.layers[-1] > 1
    names = tuple(name_of(session.data.names, number) for number in range(session.config.layers[-1])) if is_classes else ()
    return Diagram(example, len(X), which, layers, contributions, target, answer, names)
