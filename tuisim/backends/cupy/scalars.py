"""The scalars of an update that change from step to step, computed on the host for a whole chunk in double precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuisim.backends.protocol import UpdateScalars
from tuisim.config.choices import LEARNING_RATES
from tuisim.program import StepProgram

RATE, DECAY_FACTOR, ADAM_RATE, ADAM_EPSILON = range(4)
"""The same value as in `step.cu`."""


class CupyScalars:
    """The scalars of all steps of a network."""

    def __init__(self, program: StepProgram) -> None:
        self._schedule, self._decay = program.schedule, program.weight_decay
        hyper = program.hyperparameters
        self._betas = [hyper["beta1"], hyper["beta2"]] if "beta1" in hyper else None
        self._epsilon = hyper.get("epsilon", 0.0)
        self._powers = np.ones(2)
        self._steps = 0
        self._given = LEARNING_RATES[program.optimizer]
        self.version = 0
        """Changes whenever the values of `ahead` change."""

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        self._given = rate
        self.version += 1

    def values(self) -> tuple[float, tuple[float, float], int]:
        """Return the values of `UpdateScalars` but the last, which is counted on the GPU."""
        return self._given, (float(self._powers[0]), float(self._powers[1])), self._steps

    def restore(self, scalars: UpdateScalars) -> None:
        """Set the scalars as they were after a step."""
        self._given, self._powers, self._steps = scalars.learning_rate, np.array(scalars.powers), scalars.steps
        self.version += 1

    def ahead(self, steps: int) -> NDArray[np.float64]:
        """Return α, 1 − αλ, αₜ = α√(1−β₂ᵗ)/(1−β₁ᵗ) and εₜ = ε√(1−β₂ᵗ) of the next steps: (steps, 4).

        Raises ValueError if the schedule needs a length and has none.
        """
        begin, found = self._steps, np.zeros((steps, 4))
        factors = [self._schedule.factor(step) for step in range(begin, begin + steps)] if self._schedule.varies else [1.0]
        with np.errstate(over="ignore"):
            found[:, RATE] = self._given * np.array(factors)
            found[:, DECAY_FACTOR] = 1.0 - found[:, RATE] * self._decay
            if self._betas is not None:
                powers = self._powers_ahead(steps)
                root = np.sqrt(1.0 - powers[:, 1])
                found[:, ADAM_RATE] = found[:, RATE] * root / (1.0 - powers[:, 0])
                found[:, ADAM_EPSILON] = self._epsilon * root
        return found

    def advance(self, steps: int) -> None:
        """Record the updates that have been executed."""
        self._steps += steps
        if self._betas is not None and steps:
            self._powers = self._powers_ahead(steps)[-1]
        if steps and (self._betas is not None or self._schedule.varies):
            self.version += 1

    def _powers_ahead(self, steps: int) -> NDArray[np.float64]:
        """Return β₁ᵗ and β₂ᵗ of the next steps, as running products like those of the other backends: (steps, 2)."""
        factors = np.full((steps + 1, 2), self._betas)
        factors[0] = self._powers
        found: NDArray[np.float64] = np.multiply.accumulate(factors)[1:]
        return found
