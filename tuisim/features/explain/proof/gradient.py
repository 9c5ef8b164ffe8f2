"""The gradient, proved: the backward pass's derivatives beside central differences of the loss, one parameter at a time.

It trusts only the evaluation program, whose forward half and loss are what the derivatives are of.

For f(θ) = mean loss and a step h, (f(θ+h) − f(θ−h)) / 2h = f′(θ) + h²f‴/6 + noise, the noise being the rounding of two
losses over 2h. With h = ∛ε·max(1, |θ|) both are small: about 4e-11 and 1e-10 for a loss of order one. A difference is taken
relative to the derivative itself, but no smaller than NOISE·ε·max(1, f, |z|)/h over the tolerance: of less than that
the rounding would decide. A wrong sign or a missing factor is an error of order one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import rng as chance
from tuisim.engine.initial_state import InitialState, place
from tuisim.engine.network import Network

EVERY = 5_000
"""Up to so many parameters each one is checked."""
DRAWN = 2_000
"""Of more, so many are drawn: from each layer's weights and biases in proportion, and some of each."""
LEAST_DRAWN = 20
"""Of each layer's weights and each layer's biases, or all there are."""
MOST_EXAMPLES = 256
"""Of the batch: more make the mean longer and prove no more."""
TOLERANCE = 1e-5
"""Relative error."""
NOISE = 32.0
"""Roundings that a loss may be off by."""
NEARER = 16.0
"""A suspicious parameter is looked at again with a step this much smaller."""
CORNERED = ("relu", "leaky_relu")
"""Activations whose derivative jumps at 0."""
_EPSILON = float(np.finfo(np.float64).eps)
_STEP = _EPSILON ** (1 / 3)
_STREAM = 1_000
"""Of chance; no run draws from it."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """Analytic gradient against central differences, in float64."""

    passed: bool
    worst: float | None
    """The largest relative error of a parameter that is at no corner; none where there is none."""
    where: str | None
    analytic: float | None
    difference: float | None
    """The two derivatives there."""
    checked: int
    parameters: int
    """All there are; `checked` is all of them, or as many drawn from every layer."""
    corners: int
    """Parameters with a corner of an activation within their step, where the loss has no one derivative: not judged."""
    examples: int
    tolerance: float
    step: float
    """h for parameters up to 1 in size; h·|θ| beyond."""
    name = "gradient"

    @property
    def every(self) -> bool:
        return self.checked == self.parameters

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name} | asdict(self) | {"every": self.every}


@dataclass(frozen=True, slots=True)
class _Error:
    """One parameter's relative error, and the two derivatives it is of; none of it where it is at a corner."""

    relative: float
    index: int
    analytic: float
    difference: float


class _Slope:
    """The loss as a function of one parameter, the others held."""

    def __init__(self, start: InitialState) -> None:
        X, Y = start.batches(1)[0]
        X, Y = X[:MOST_EXAMPLES].astype(np.float64), Y[:MOST_EXAMPLES]
        Y = Y if Y.dtype.kind == "i" else Y.astype(np.float64)
        self.examples = len(X)
        self.layers = start.config.layers
        self._rows = np.arange(len(X))
        network: Network = start.network("numpy", "float64")
        step = network.step(len(X))
        network.attach(X, Y)
        first = step.read("parameters")
        self.loss = step.run(self._rows)[0]
        self.analytic = step.read("gradients")
        step.write("parameters", first)
        self._evaluation = network.evaluation(X, Y, len(X))
        self._evaluation.evaluate(self._rows)
        largest = max(float(np.abs(self._evaluation.read(f"z{k}")).max()) for k in range(1, len(self.layers)))
        self._scale = max(1.0, abs(self.loss), largest)
        self._cornered = [k for k, name in enumerate(start.config.activations, 1) if name in CORNERED]
        sizes = [(n + 1) * m for n, m in pairwise(self.layers)]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])
        self._thetas = [first[a:b].copy() for a, b in pairwise(self._offsets)]

    def error(self, index: int) -> _Error | None:
        """None at a corner."""
        error = self._measure(index, _STEP)
        if error.relative <= TOLERANCE:
            return error
        nearer = self._measure(index, _STEP / NEARER)
        at_corner = self._crossed(index, _STEP / NEARER)
        if at_corner or (nearer.relative <= TOLERANCE and self._crossed(index, _STEP)):
            return None
        return min(error, nearer, key=lambda one: one.relative)

    def _measure(self, index: int, step: float) -> _Error:
        above, below, value = self._around(index, step)
        difference = (self._loss(index, above) - self._loss(index, below)) / (above - below)
        self._set(index, value)
        analytic, noise = float(self.analytic[index]), 2 * NOISE * _EPSILON * self._scale / (above - below)
        relative = abs(analytic - difference) / max(abs(analytic), abs(difference), noise / TOLERANCE)
        return _Error(relative if math.isfinite(relative) else math.inf, index, analytic, difference)

    def _crossed(self, index: int, step: float) -> bool:
        """Whether a unit with a cornered activation is on different sides of it at the two ends of the step."""
        above, below, value = self._around(index, step)
        self._loss(index, above)
        sides = self._sides()
        self._loss(index, below)
        crossed = any((a != b).any() for a, b in zip(sides, self._sides(), strict=True))
        self._set(index, value)
        return crossed

    def _around(self, index: int, step: float) -> tuple[float, float, float]:
        """The parameter a step higher, a step lower, and as it is."""
        layer, at = self._at(index)
        value = float(self._thetas[layer - 1][at])
        h = step * max(1.0, abs(value))
        return value + h, value - h, value

    def _loss(self, index: int, value: float) -> float:
        self._set(index, value)
        return self._evaluation.evaluate(self._rows)[0]

    def _set(self, index: int, value: float) -> None:
        layer, at = self._at(index)
        theta = self._thetas[layer - 1]
        theta[at] = value
        self._evaluation.write(f"theta{layer}", theta)

    def _at(self, index: int) -> tuple[int, int]:
        """The layer, from 1, and the place in its flat parameters."""
        layer = int(np.searchsorted(self._offsets, index, side="right"))
        return layer, index - int(self._offsets[layer - 1])

    def _sides(self) -> list[NDArray[np.bool_]]:
        return [self._evaluation.read(f"z{layer}") > 0 for layer in self._cornered]


def check(start: InitialState, tell: Callable[[int, int], None]) -> GradientCheck:
    """Compare the derivative of every parameter, or of those drawn; `tell(done, of)` is called now and then."""
    slope = _Slope(start)
    chosen = _chosen(start.config.layers, start.config.seed)
    errors: list[_Error] = []
    for done, index in enumerate(chosen):
        if done % 50 == 0:
            tell(done, len(chosen))
        error = slope.error(int(index))
        if error is not None:
            errors.append(error)
    tell(len(chosen), len(chosen))
    worst = max(errors, key=lambda one: one.relative, default=None)
    return GradientCheck(
        passed=worst is not None and worst.relative <= TOLERANCE,
        worst=worst.relative if worst else None,
        where=place(start.config.layers, worst.index) if worst else "every parameter looked at is at a corner",
        analytic=worst.analytic if worst else None,
        difference=worst.difference if worst else None,
        checked=len(chosen),
        parameters=start.config.parameter_count,
        corners=len(chosen) - len(errors),
        examples=slope.examples,
        tolerance=TOLERANCE,
        step=_STEP,
    )


def _chosen(layers: Sequence[int], seed: int) -> NDArray[np.intp]:
    """Indexes into the flat parameters: all, or DRAWN from the weights and the biases of every layer."""
    blocks = [size for n, m in pairwise(layers) for size in (n * m, m)]
    total = sum(blocks)
    if total <= EVERY:
        return np.arange(total)
    rng = chance.generator(seed, _STREAM)
    least = [min(size, LEAST_DRAWN, DRAWN // len(blocks)) for size in blocks]
    spare, left = DRAWN - sum(least), total - sum(least)
    drawn = [few + spare * (size - few) // left for size, few in zip(blocks, least, strict=True)]
    drawn[blocks.index(max(blocks))] += DRAWN - sum(drawn)  # what rounding down has left over
    offsets = np.cumsum([0, *blocks])
    found = [at + np.sort(rng.choice(size, n, replace=False)) for at, size, n in zip(offsets, blocks, drawn, strict=False)]
    return np.concatenate(found)
