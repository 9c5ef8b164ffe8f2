"""The gradient, proved: the backward pass's derivatives beside central differences of the loss, one parameter at a time.

It trusts only the evaluation program, whose forward half and loss are what the derivatives are of.

For f(θ) = mean loss and a step h, (f(θ+h) − f(θ−h)) / 2h = f′(θ) + h²f‴/6 + noise, the noise being the rounding of two
losses over 2h. With h = ∛ε·max(1, |θ|) both are small: about 4e-11 and 1e-10 for a loss of order one. A difference is taken
relative to the derivative itself, but no smaller than NOISE·ε·max(1, f, |z|)/h over the tolerance: below that a derivative
cannot be told from the rounding. A wrong sign or a missing factor is an error of order one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data import chance
from tuisim.engine.network import Network
from tuisim.study.prove_start import Start, place

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

    def __init__(self, start: Start) -> None:
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
        error, crossed = self._measure(index, _STEP)
        if error.relative <= TOLERANCE:
            return error
        nearer, still_crossed = self._measure(index, _STEP / NEARER)
        if crossed and (still_crossed or nearer.relative <= TOLERANCE):
            return None
        return min(error, nearer, key=lambda one: one.relative)

    def _measure(self, index: int, step: float) -> tuple[_Error, bool]:
        """The error with this step, and whether some unit of a cornered activation changes sides within it."""
        layer = int(np.searchsorted(self._offsets, index, side="right"))
        theta, at = self._thetas[layer - 1], index - int(self._offsets[layer - 1])
        value = float(theta[at])
        h = step * max(1.0, abs(value))
        above, below = value + h, value - h
        up = self._loss(layer, theta, at, above)
        sides = self._sides(layer) if step < _STEP or self._cornered else []
        down = self._loss(layer, theta, at, below)
        crossed = any((a != b).any() for a, b in zip(sides, self._sides(layer), strict=True))
        self._loss_restored(layer, theta, at, value)
        difference, analytic = (up - down) / (above - below), float(self.analytic[index])
        noise = NOISE * _EPSILON * self._scale / h
        relative = abs(analytic - difference) / max(abs(analytic), abs(difference), noise / TOLERANCE)
        return _Error(relative if math.isfinite(relative) else math.inf, index, analytic, difference), crossed

    def _loss(self, layer: int, theta: NDArray[Any], at: int, value: float) -> float:
        self._loss_restored(layer, theta, at, value)
        return self._evaluation.evaluate(self._rows)[0]

    def _loss_restored(self, layer: int, theta: NDArray[Any], at: int, value: float) -> None:
        theta[at] = value
        self._evaluation.write(f"theta{layer}", theta)

    def _sides(self, layer: int) -> list[NDArray[np.bool_]]:
        return [self._evaluation.read(f"z{k}") > 0 for k in self._cornered if k >= layer]


def check(start: Start, tell: Callable[[int, int], None]) -> GradientCheck:
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
    least = [min(size, LEAST_DRAWN) for size in blocks]
    spare = max(0, DRAWN - sum(least))
    found, offset = [], 0
    for size, few in zip(blocks, least, strict=True):
        number = min(size, few + spare * (size - few) // (total - sum(least)))
        found.append(offset + np.sort(rng.choice(size, number, replace=False)))
        offset += size
    return np.concatenate(found)
