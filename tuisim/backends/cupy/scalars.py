"""The numbers of an update that change from step to step, worked out ahead on the host, in double precision, for a whole chunk.

The steps made and Adam's powers move on only by what was really done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuisim.config.choices import LEARNING_RATES
from tuisim.program import StepProgram

RATE, DECAY_FACTOR, ADAM_RATE, ADAM_EPSILON = range(4)
"""As in `step.cu`."""


class Scalars:
    """Shared by all steps of a network."""

    def __init__(self, program: StepProgram) -> None:
        self._schedule, self._decay = program.schedule, program.weight_decay
        hyper = program.hyperparameters
        self._betas = (hyper["beta1"], hyper["beta2"]) if "beta1" in hyper else None
        self._epsilon = hyper.get("epsilon", 0.0)
        self._powers = (1.0, 1.0)
        self._made = 0
        self._given = LEARNING_RATES[program.optimizer]
        self.version = 0
        """Of the numbers that `ahead` gives; while it stays, those of the last time still hold."""

    @property
    def _constant(self) -> bool:
        return self._betas is None and not self._schedule.moves

    def set_learning_rate(self, rate: float) -> None:
        self._given = rate
        self.version += 1

    def ahead(self, steps: int) -> NDArray[np.float64]:
        """(steps, 4): α, 1 − αλ, αₜ = α√(1−β₂ᵗ)/(1−β₁ᵗ) and εₜ = ε√(1−β₂ᵗ) of the steps to come.

        Raises ValueError where the schedule has no length to go by.
        """
        made = self._made
        factors = (
            np.array([self._schedule.factor(step) for step in range(made, made + steps)])
            if self._schedule.moves
            else np.ones(steps)
        )
        found = np.zeros((steps, 4))
        with np.errstate(over="ignore"):
            found[:, RATE] = self._given * factors
            found[:, DECAY_FACTOR] = 1.0 - found[:, RATE] * self._decay
            if self._betas is not None:
                first, second = self._powers_ahead(steps)
                root = np.sqrt(1.0 - second)
                found[:, ADAM_RATE] = found[:, RATE] * root / (1.0 - first)
                found[:, ADAM_EPSILON] = self._epsilon * root
        return found

    def made(self, steps: int) -> None:
        """So many updates were done."""
        self._made += steps
        if self._betas is not None and steps:
            first, second = self._powers_ahead(steps)
            self._powers = float(first[-1]), float(second[-1])
        if not self._constant and steps:
            self.version += 1

    def _powers_ahead(self, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """β₁ᵗ and β₂ᵗ, each step's from the one before, as the other backends carry them along."""
        assert self._betas is not None
        (first, second), (beta1, beta2) = self._powers, self._betas
        return _powers(first, beta1, steps), _powers(second, beta2, steps)


def _powers(power: float, beta: float, steps: int) -> NDArray[np.float64]:
    """power·β, power·β², …, each from the one before."""
    factors = np.full(steps + 1, beta)
    factors[0] = power
    found: NDArray[np.float64] = np.multiply.accumulate(factors)[1:]
    return found
