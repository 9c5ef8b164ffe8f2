"""Early stopping: the run ends when the validation loss no longer improves, with the parameters of its best check.

Checks are at fixed numbers of steps, so that every backend and machine stops at the same one.
"""

from __future__ import annotations

import math

from tuisim.config import RunConfig
from tuisim.engine.network import Network, Parameters

CHECK_STEPS = 50
"""Minimum steps between checks; more if an epoch is longer."""
MIN_STEPS = 1_000
"""Steps before which no run is stopped."""


class EarlyStopping:
    """The best validation loss so far and its parameters. It does nothing unless the run asks for it and has validation rows."""

    def __init__(self, network: Network, config: RunConfig, steps_per_epoch: int, has_validation: bool) -> None:
        self._network, self._patience = network, config.patience
        self._every = max(CHECK_STEPS, steps_per_epoch) if config.early_stopping == "yes" and has_validation else 0
        self._parameters: Parameters | None = None
        self._loss = math.inf
        self._without_improvement = 0
        self._checked = 0
        self.best_step: int | None = None
        """The step of the best validation loss; None before the first check."""

    def limit(self, steps: int, done: int) -> int:
        """Return how many of the next `steps` may be made before a check, `done` steps after the start."""
        return min(steps, self._every - done % self._every) if self._every else steps

    def is_due(self, done: int) -> bool:
        """Return True if the parameters after `done` steps are to be checked."""
        return bool(self._every) and done % self._every == 0 and done != self._checked

    def check(self, done: int, loss: float | None) -> None:
        """Take the validation loss after `done` steps, and keep the parameters if it is the best."""
        if not self._every or done == self._checked or loss is None or not math.isfinite(loss):
            return
        self._checked = done
        self._without_improvement += 1
        if loss < self._loss:
            self._loss, self.best_step, self._without_improvement = loss, done, 0
            self._parameters = self._network.parameters()

    def is_exhausted(self, done: int) -> bool:
        """Return True if the run is to end: no improvement for as many checks as the run has patience for."""
        return bool(self._every) and done >= MIN_STEPS and self._without_improvement >= self._patience

    def forget_after(self, done: int) -> None:
        """Begin again after `done` steps, at which the run has left the future that was checked."""
        if self._checked > done:
            self._parameters, self._loss, self._without_improvement, self.best_step = None, math.inf, 0, None
            self._checked = done - done % self._every

    def restore(self, done: int) -> bool:
        """Set the best parameters; False if the current ones, after `done` steps, are the best."""
        if self._parameters is None or self.best_step == done:
            return False
        self._network.load(self._parameters)
        return True
