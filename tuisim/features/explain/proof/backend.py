"""The backend, proved: its losses and parameters after some steps beside the scalar backend's, from the same start.

It does not know how a backend computes. The scalar backend works in doubles whatever the dtype, so a difference is either a
mistake or rounding, and how far rounding can lead is measured, not guessed. In a sum of K terms of a dtype with spacing ε the
roundings add up like a walk of K steps, to about √K·ε of its terms; each is as if the numbers that went in had been so much
different. So the same steps are made again in float64 with every parameter disturbed by up to FACTOR·√K·ε of itself before each
step, K being the longest sum of the step (units of a layer, or the batch). Biases of the output are disturbed by as much of 1
at least: the loss's gradient is rounded relative to probabilities or answers, however small the output. What comes out differs
from the undisturbed run by what that much rounding does to this very network, optimizer and data: growing with the steps and
with the parameters' magnitude, through an adaptive rule's division by nearly nothing, and across the corners of an activation.
This is Monte Carlo arithmetic (Parker 1997) on a step's inputs. The tolerance is the largest such difference of SHADOWS
disturbed runs, and one rounding of the largest parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend
from tuisim.data import rng as chance
from tuisim.engine.initial_state import Batch, InitialState, place, train
from tuisim.engine.network import Network

SHADOWS = 8
"""Disturbed runs; they cost next to nothing beside the scalar one."""
FACTOR = 4.0
"""Times the rounding to be expected: a margin, not a fit."""
EXPLOSION = 1e3
"""A loss so many times the first one (or 1, if that is more) is an explosion."""
_STREAM = 1_001
"""Of chance; no run draws from it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BackendCheck:
    """The chosen backend beside the scalar one."""

    passed: bool
    worst: float | None
    """The largest difference of a parameter; none where it is not finite."""
    where: str | None
    """Its place; the step where the losses differ too much, if they do."""
    backend: str
    dtype: str
    steps: int
    """Made by both, with finite losses."""
    examples: int
    tolerance: float | None
    """The largest difference of a parameter that the dtype's rounding explains."""
    largest_parameter: float
    worst_loss: float | None
    """The largest difference of two losses."""
    loss_tolerance: float | None
    first_loss: float | None
    last_loss: float | None
    """The scalar backend's, of the first step and of the last."""
    disturbance: float
    """The share of itself by which a parameter was disturbed before each step, to find the tolerance."""
    name = "backend"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name} | asdict(self)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Losses of the steps made, and the flat parameters after them."""

    losses: Floats
    parameters: Floats

    @property
    def steps(self) -> int:
        """With a finite loss."""
        return int(np.isfinite(self.losses).sum())

    def difference(self, other: _Outcome) -> tuple[Floats, Floats]:
        """Of the losses and of the parameters, element by element."""
        common = min(len(self.losses), len(other.losses))
        with np.errstate(all="ignore"):
            return np.abs(self.losses[:common] - other.losses[:common]), np.abs(self.parameters - other.parameters)


def check(start: InitialState, steps: int, tell: Callable[[int, int], None]) -> BackendCheck:
    """`steps` steps on both backends; `tell(done, of)` is called after each of the scalar one.

    A run that explodes is compared only up to there: beyond, its rounding explodes as well. The scalar backend as the chosen one
    is compared with NumPy.
    """
    backend = "numpy" if start.config.backend == "scalar" else start.config.backend
    batches = start.batches(steps)
    tell(0, steps)
    reference = _outcome(start.network("scalar"), batches, after=lambda step: tell(step, steps))
    calm = int((~(reference.losses <= EXPLOSION * max(1.0, reference.losses[0]))).argmax())
    if calm:
        return check(start, calm, tell)
    with get_backend(backend).threads(start.config.threads or 1):
        subject = _outcome(start.network(backend), batches)
    disturbance = _disturbance(start)
    tolerance, loss_tolerance = _tolerances(start, batches, disturbance)
    losses, parameters = subject.difference(reference)
    kept = losses[: min(subject.steps, reference.steps)]
    loss_step = int(kept.argmax()) + 1 if len(kept) else 1
    at = int(np.nan_to_num(parameters, nan=math.inf).argmax())
    worst, worst_loss = float(parameters[at]), float(kept.max()) if len(kept) else math.inf
    where, fine = place(start.config.layers, at), worst <= tolerance
    if subject.steps != reference.steps:
        where, fine = f"step {min(subject.steps, reference.steps) + 1}: one loss is finite, the other is not", False
    elif fine and not worst_loss <= loss_tolerance:
        where, fine = f"loss of step {loss_step}", False
    return BackendCheck(
        passed=fine,
        worst=_finite(worst),
        where=where,
        backend=backend,
        dtype=start.config.dtype,
        steps=len(kept),
        examples=sum(len(X) for X, _ in batches[: len(kept)]),
        tolerance=_finite(tolerance),
        largest_parameter=float(np.abs(reference.parameters).max()),
        worst_loss=_finite(worst_loss),
        loss_tolerance=_finite(loss_tolerance),
        first_loss=_finite(float(reference.losses[0])),
        last_loss=_finite(float(reference.losses[max(reference.steps, 1) - 1])),
        disturbance=disturbance,
    )


def _outcome(
    network: Network,
    batches: list[Batch],
    before: Callable[[Network], None] = lambda network: None,
    after: Callable[[int], None] = lambda step: None,
) -> _Outcome:
    losses = train(network, batches, before, after)
    return _Outcome(np.array(losses, np.float64), network.full.read("parameters").astype(np.float64))


def _disturbance(start: InitialState) -> float:
    longest = max(*start.config.layers, start.batch)
    return FACTOR * math.sqrt(longest) * float(np.finfo(start.config.dtype).eps)


def _tolerances(start: InitialState, batches: list[Batch], disturbance: float) -> tuple[float, float]:
    """Of a parameter and of a loss: what the disturbed runs differ by at most, and one rounding of the value itself."""
    undisturbed = _outcome(start.network("numpy", "float64"), batches)
    least = np.zeros(start.config.parameter_count)
    least[-start.config.layers[-1] :] = 1.0
    losses, parameters = [0.0], [0.0]
    for number in range(SHADOWS):
        rng = chance.generator(start.config.seed, _STREAM, number)

        def disturb(network: Network, rng: np.random.Generator = rng) -> None:
            values = network.full.read("parameters")
            network.full.write(
                "parameters", values + rng.uniform(-disturbance, disturbance, values.size) * np.maximum(np.abs(values), least)
            )

        shadow = _outcome(start.network("numpy", "float64"), batches, disturb)
        loss_differences, parameter_differences = shadow.difference(undisturbed)
        losses.append(float(loss_differences[: min(shadow.steps, undisturbed.steps)].max(initial=0.0)))
        parameters.append(float(parameter_differences.max()))
    rounding = float(np.finfo(start.config.dtype).eps)
    largest_loss = float(np.abs(undisturbed.losses[: undisturbed.steps]).max(initial=1.0))
    return (
        max(parameters) + rounding * float(np.abs(undisturbed.parameters).max()),
        max(losses) + disturbance * max(1.0, largest_loss),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
