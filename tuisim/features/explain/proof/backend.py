"""The backend check: its losses and parameters after some steps compared with the scalar backend's, from the same start.

The scalar backend computes in double precision, so a difference is either a mistake or rounding. How much rounding can cause is
measured by Monte Carlo arithmetic (Parker 1997). In a sum of K terms of a dtype with spacing ε the rounding errors add up like
a random walk, to about √K·ε of the terms, as if the inputs had been different by as much. So the same steps are repeated in
float64, with every parameter perturbed by up to FACTOR·√K·ε of itself before each step; K is the longest sum of the step (units
of a layer, or the batch). Output biases are perturbed by that share of at least 1, since the loss's gradient is rounded
relative to probabilities or targets. The difference from the unperturbed run is the effect of that much rounding on this
network, optimizer and data: it grows with the steps and the parameters' magnitude, in an adaptive optimizer's division by a
small number, and at the kinks of an activation. The tolerance is the largest such difference of PERTURBED_RUNS runs, plus one
rounding of the largest parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend
from tuisim.data.rng import generator
from tuisim.engine.initial_state import Batch, InitialState, parameter_name, train
from tuisim.engine.network import Network
from tuisim.features.explain.proof.gradient import finite

PERTURBED_RUNS = 8
"""They take little time compared with the scalar run."""
FACTOR = 4.0
"""Times the expected rounding, as a margin."""
EXPLOSION = 1e3
"""A loss this many times the first one (at least 1) is an explosion."""
_STREAM = 1_001
"""An rng stream that no run draws from."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BackendCheck:
    """The chosen backend vs the scalar reference."""

    passed: bool
    worst: float | None
    """The largest difference of a parameter; None if not finite."""
    where: str | None
    """Its name; the step if the losses differ too much."""
    backend: str
    dtype: str
    steps: int
    """Steps of both with finite losses."""
    examples: int
    tolerance: float | None
    """The largest difference of a parameter that rounding explains."""
    largest_parameter: float | None
    worst_loss: float | None
    """The largest difference of two losses."""
    loss_tolerance: float | None
    first_loss: float | None
    last_loss: float | None
    """The scalar backend's, of the last step; `first_loss` is of the first."""
    perturbation: float
    """The share of itself by which a parameter was perturbed before each step, to find the tolerance."""
    name = "backend"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {"name": self.name} | asdict(self)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The losses of all steps, and the flat parameters after them."""

    losses: Floats
    parameters: Floats

    @property
    def steps(self) -> int:
        """The number of steps with a finite loss."""
        return int(np.isfinite(self.losses).sum())

    def difference(self, other: _Outcome) -> tuple[Floats, Floats]:
        """Return the differences of the losses and of the parameters, element by element."""
        common = min(len(self.losses), len(other.losses))
        with np.errstate(all="ignore"):
            return np.abs(self.losses[:common] - other.losses[:common]), np.abs(self.parameters - other.parameters)


def check(start: InitialState, steps: int, tell: Callable[[int, int], None]) -> BackendCheck:
    """Make `steps` steps on both backends; `tell(done, of)` is called after each scalar step.

    A run that explodes is compared up to that step: beyond, its rounding errors explode as well. If the scalar backend is the
    chosen one, it is compared with NumPy.
    """
    backend = "numpy" if start.config.backend == "scalar" else start.config.backend
    batches = start.batches(steps)
    tell(0, steps)
    reference = _outcome(start.network("scalar"), batches, after=lambda step: tell(step, steps))
    calm = int((~(reference.losses <= EXPLOSION * max(1.0, reference.losses[0]))).argmax())
    if calm:
        return check(start, calm, tell)
    with get_backend(backend).threads(start.config.threads or 1):
        chosen = _outcome(start.network(backend), batches)
    perturbation = FACTOR * math.sqrt(max(*start.config.layers, start.batch)) * float(np.finfo(start.config.dtype).eps)
    tolerance, loss_tolerance = _tolerances(start, batches, perturbation)
    losses, parameters = chosen.difference(reference)
    kept = losses[: min(chosen.steps, reference.steps)]
    loss_step = int(kept.argmax()) + 1 if len(kept) else 1
    at = int(np.nan_to_num(parameters, nan=math.inf).argmax())
    worst, worst_loss = float(parameters[at]), float(kept.max()) if len(kept) else math.inf
    where, passed = parameter_name(start.config.layers, at), worst <= tolerance
    if chosen.steps != reference.steps:
        where, passed = f"step {min(chosen.steps, reference.steps) + 1}: one loss is finite, the other is not", False
    elif passed and not worst_loss <= loss_tolerance:
        where, passed = f"loss of step {loss_step}", False
    return BackendCheck(
        passed=passed,
        worst=finite(worst),
        where=where,
        backend=backend,
        dtype=start.config.dtype,
        steps=len(kept),
        examples=sum(len(X) for X, _ in batches[: len(kept)]),
        tolerance=finite(tolerance),
        largest_parameter=finite(float(np.abs(reference.parameters).max())),
        worst_loss=finite(worst_loss),
        loss_tolerance=finite(loss_tolerance),
        first_loss=finite(float(reference.losses[0])),
        last_loss=finite(float(reference.losses[max(reference.steps, 1) - 1])),
        perturbation=perturbation,
    )


def _outcome(
    network: Network,
    batches: list[Batch],
    before: Callable[[Network], None] = lambda network: None,
    after: Callable[[int], None] = lambda step: None,
) -> _Outcome:
    losses = train(network, batches, before, after)
    return _Outcome(np.array(losses, np.float64), network.full.read("parameters").astype(np.float64))


def _tolerances(start: InitialState, batches: list[Batch], perturbation: float) -> tuple[float, float]:
    """Return the tolerances of a parameter and of a loss: the largest difference of the perturbed runs, plus rounding."""
    exact = _outcome(start.network("numpy", "float64"), batches)
    minimum = np.zeros(start.config.parameter_count)
    minimum[-start.config.layers[-1] :] = 1.0
    losses, parameters = [0.0], [0.0]
    for number in range(PERTURBED_RUNS):
        rng = generator(start.config.seed, _STREAM, number)

        def perturb(network: Network, rng: np.random.Generator = rng) -> None:
            values = network.full.read("parameters")
            network.full.write(
                "parameters", values + rng.uniform(-perturbation, perturbation, values.size) * np.maximum(np.abs(values), minimum)
            )

        perturbed = _outcome(start.network("numpy", "float64"), batches, perturb)
        loss_differences, parameter_differences = perturbed.difference(exact)
        losses.append(float(loss_differences[: min(perturbed.steps, exact.steps)].max(initial=0.0)))
        parameters.append(float(parameter_differences.max()))
    rounding = float(np.finfo(start.config.dtype).eps)
    largest_loss = float(np.abs(exact.losses[: exact.steps]).max(initial=1.0))
    return (
        max(parameters) + rounding * float(np.abs(exact.parameters).max()),
        max(losses) + perturbation * max(1.0, largest_loss),
    )
