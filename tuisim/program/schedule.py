"""How the learning rate moves over a run: a factor for every step, known before the first.

Pure arithmetic on step numbers; the rate itself, which a person may change as the run goes, is not its to know.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuisim.config import RunConfig

STEP_FACTOR = 0.1
"""What `step` multiplies the rate by at each drop: ten times smaller, as in He et al. (2016), section 3.4."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rate of step t (from 0) is the configured one times `factor(t)`.

    With w warm-up steps and t′ = t − w:

    warm-up, t < w: (t + 1) / w, a straight line up to 1 (Goyal et al., 2017, section 2.2);
    constant: 1;
    step: 0.1^⌊t′ / n⌋ (dropped to a tenth every n steps);
    cosine: ½·(1 + cos(π·t′ / (n − w))), and 0 from step n on (Loshchilov & Hutter, 2017, equation 5, without restarts).
    """

    name: str
    steps: int | None
    """n: steps between drops, or the whole length of the cosine; none where neither was given nor follows from the run."""
    warmup: int

    @property
    def moves(self) -> bool:
        """Whether the factor is ever anything but 1."""
        return self.name != "constant" or self.warmup > 0

    def factor(self, step: int) -> float:
        """The share of the configured rate that step number `step` (from 0) gets. Raises ValueError without a length."""
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
    """The schedule of a run; its length as far as the configuration says."""
    return Schedule(config.schedule, config.resolved().schedule_steps, config.warmup_steps)
