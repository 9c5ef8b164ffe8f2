"""The learning-rate schedule: a factor for every step, which multiplies the learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuisim.config import RunConfig

STEP_FACTOR = 0.1
"""The factor of each drop of the `step` schedule (He et al., 2016, section 3.4)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule: the learning rate of step t (from 0) is the set one times `factor(t)`.

    With w warm-up steps and t′ = t − w:

    warm-up, t < w: (t + 1) / w (Goyal et al., 2017, section 2.2);
    constant: 1;
    step: 0.1^⌊t′ / n⌋;
    cosine: ½·(1 + cos(π·t′ / (n − w))), and 0 from step n on (Loshchilov & Hutter, 2017, equation 5, without restarts).
    """

    name: str
    steps: int | None
    """n: steps between drops, or the length of the cosine; None if not given and not known from the run."""
    warmup: int

    @property
    def varies(self) -> bool:
        """True if the factor is not always 1."""
        return self.name != "constant" or self.warmup > 0

    def factor(self, step: int) -> float:
        """Return the factor of step number `step`, from 0. Raises ValueError if the schedule needs a length and has none."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        after = step - self.warmup
        if self.name == "constant":
            return 1.0
        if self.steps is None:
            raise ValueError(f"a {self.name} schedule needs its number of steps")
        if self.name == "step":
            return STEP_FACTOR ** (after // self.steps)
        length = self.steps - self.warmup
        return 0.5 * (1.0 + math.cos(math.pi * after / length)) if after < length else 0.0


def schedule_of(config: RunConfig) -> Schedule:
    """Return the schedule of a run; its length is None if the configuration does not determine it."""
    return Schedule(config.schedule, config.resolved().schedule_steps, config.warmup_steps)
