"""The gradient check: the backward pass compared with central differences of the loss, one parameter at a time.

The evaluation program (forward pass and loss) is the reference.

For f(θ) = mean loss and a step h, (f(θ+h) − f(θ−h)) / 2h = f′(θ) + h²f‴/6 + noise, the noise being the rounding of two
losses over 2h. With h = ∛ε·max(1, |θ|) both are small: about 4e-11 and 1e-10 for a loss near 1. The error is relative to
the derivative, but to no less than NOISE·ε·max(1, f, |z|)/h over the tolerance, below which rounding would decide. A wrong
sign or a missing factor is an error near 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.data.rng import generator
from tuisim.engine.initial_state import InitialState, parameter_name
from tuisim.engine.network import Network

MAX_ALL = 5_000
"""Up to this many parameters, all are checked."""
SAMPLE = 2_000
"""Beyond, this many are sampled from each layer's weights and biases, in proportion."""
MIN_SAMPLE = 20
"""Sampled of each layer's weights and each layer's biases, or all of them."""
MAX_EXAMPLES = 256
"""Examples of the batch that are used; more take longer and prove no more."""
TOLERANCE = 1e-5
"""Relative error."""
NOISE = 32.0
"""Rounding errors that a loss may have."""
SMALLER = 16.0
"""A parameter with a large error is checked again with a step this much smaller."""
KINKED = ("relu", "leaky_relu")
"""Activations whose derivative jumps at 0."""
_EPSILON = float(np.finfo(np.float64).eps)
_STEP = _EPSILON ** (1 / 3)
_STREAM = 1_000
"""An rng stream that no run draws from."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """The gradient compared with central differences, in float64."""

    passed: bool
    worst: float | None
    """The largest relative error of a parameter that was not skipped; None if all were, or if it is not finite."""
    where: str | None
    analytic: float | None
    numerical: float | None
    """The two derivatives there; None if not finite."""
    checked: int
    parameters: int
    """The number of all parameters; `checked` may be fewer, sampled from every layer."""
    kinks: int
    """Parameters with a kink of an activation within their step, where the loss has no derivative: skipped."""
    examples: int
    tolerance: float
    step: float
    """h for parameters up to 1 in size; h·|θ| beyond."""
    name = "gradient"

    @property
    def every(self) -> bool:
        """True if all parameters were checked."""
        return self.checked == self.parameters

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {"name": self.name} | asdict(self) | {"every": self.every}


@dataclass(frozen=True, slots=True)
class _Error:
    """One parameter's relative error, and its two derivatives."""

    relative: float
    index: int
    analytic: float
    numerical: float


class _LossOfOne:
    """The loss as a function of one parameter, the others fixed."""

    def __init__(self, start: InitialState) -> None:
        X, Y = start.batches(1)[0]
        X, Y = X[:MAX_EXAMPLES].astype(np.float64), Y[:MAX_EXAMPLES]
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
        self._kinked = [k for k, name in enumerate(start.config.activations, 1) if name in KINKED]
        sizes = [(n + 1) * m for n, m in pairwise(self.layers)]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])
        self._thetas = [first[a:b].copy() for a, b in pairwise(self._offsets)]

    def error(self, index: int) -> _Error | None:
        """Return the error of a parameter; None at a kink."""
        self._layer = int(np.searchsorted(self._offsets, index, side="right"))
        self._at = index - int(self._offsets[self._layer - 1])
        value = float(self._thetas[self._layer - 1][self._at])
        error = self._measure(index, value, _STEP)
        if error.relative <= TOLERANCE:
            return error
        smaller = self._measure(index, value, _STEP / SMALLER)
        at_kink = self._crossed(value, _STEP / SMALLER)
        if at_kink or (smaller.relative <= TOLERANCE and self._crossed(value, _STEP)):
            return None
        return min(error, smaller, key=lambda one: one.relative)

    def _measure(self, index: int, value: float, step: float) -> _Error:
        h = step * max(1.0, abs(value))
        above, below = value + h, value - h
        numerical = (self._loss(above) - self._loss(below)) / (above - below)
        self._set(value)
        analytic, noise = float(self.analytic[index]), 2 * NOISE * _EPSILON * self._scale / (above - below)
        relative = abs(analytic - numerical) / max(abs(analytic), abs(numerical), noise / TOLERANCE)
        return _Error(relative if math.isfinite(relative) else math.inf, index, analytic, numerical)

    def _crossed(self, value: float, step: float) -> bool:
        """Return True if the input of an activation has a kink between the two ends of the step."""
        h = step * max(1.0, abs(value))
        sides: list[list[NDArray[np.bool_]]] = []
        for end in (value + h, value - h):
            self._loss(end)
            sides.append([self._evaluation.read(f"z{layer}") > 0 for layer in self._kinked])
        self._set(value)
        return any((a != b).any() for a, b in zip(*sides, strict=True))

    def _loss(self, value: float) -> float:
        self._set(value)
        return self._evaluation.evaluate(self._rows)

    def _set(self, value: float) -> None:
        """Set the parameter that `error` is about."""
        theta = self._thetas[self._layer - 1]
        theta[self._at] = value
        self._evaluation.write(f"theta{self._layer}", theta)


def check(start: InitialState, tell: Callable[[int, int], None]) -> GradientCheck:
    """Compare the derivative of every parameter, or of a sample; `tell(done, of)` is called every 50."""
    loss = _LossOfOne(start)
    chosen = _sampled(start.config.layers, start.config.seed)
    errors: list[_Error] = []
    for done, index in enumerate(chosen):
        if done % 50 == 0:
            tell(done, len(chosen))
        error = loss.error(int(index))
        if error is not None:
            errors.append(error)
    tell(len(chosen), len(chosen))
    worst = max(errors, key=lambda one: one.relative, default=None)
    return GradientCheck(
        passed=worst is not None and worst.relative <= TOLERANCE,
        worst=finite(worst.relative) if worst else None,
        where=parameter_name(start.config.layers, worst.index) if worst else "all checked parameters are at a kink",
        analytic=finite(worst.analytic) if worst else None,
        numerical=finite(worst.numerical) if worst else None,
        checked=len(chosen),
        parameters=start.config.parameter_count,
        kinks=len(chosen) - len(errors),
        examples=loss.examples,
        tolerance=TOLERANCE,
        step=_STEP,
    )


def finite(value: float) -> float | None:
    """Return a number for a JSON document, which has null for one that is not finite."""
    return value if math.isfinite(value) else None


def _sampled(layers: Sequence[int], seed: int) -> NDArray[np.intp]:
    """Return indexes into the flat parameters: all, or SAMPLE of the weights and biases of every layer."""
    blocks = [size for n, m in pairwise(layers) for size in (n * m, m)]
    total = sum(blocks)
    if total <= MAX_ALL:
        return np.arange(total)
    rng = generator(seed, _STREAM)
    at_least = [min(size, MIN_SAMPLE, SAMPLE // len(blocks)) for size in blocks]
    spare, left = SAMPLE - sum(at_least), total - sum(at_least)
    numbers = [few + spare * (size - few) // left for size, few in zip(blocks, at_least, strict=True)]
    numbers[blocks.index(max(blocks))] += SAMPLE - sum(numbers)  # the remainder of rounding down
    offsets = np.cumsum([0, *blocks])
    found = [at + np.sort(rng.choice(size, n, replace=False)) for at, size, n in zip(offsets, blocks, numbers, strict=False)]
    return np.concatenate(found)
