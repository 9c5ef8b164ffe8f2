"""A benchmark case: a network with random rows of its own, ready to be timed at a learning rate of zero.

At that rate nothing can diverge over thousands of steps on the same rows, and the work is the same.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.engine import initializers
from tuisim.engine.network import Network
from tuisim.errors import ClockError, RunError
from tuisim.program import StepProgram

ROUNDS = 15
MIN_ROUNDS = 3
ROUND_SECONDS = 0.02
"""Target duration of a round; one step if that takes longer."""
BUDGET = 1.5
"""Time limit in seconds for the rounds of one backend beyond MIN_ROUNDS."""
EVALUATIONS = 7
MAX_STEPS, MAX_ROWS = 1_024, 1 << 16
"""Maximum steps and rows of one call."""
POOL = 1 << 20
"""Maximum elements of the random rows of a case that has few rows."""
DATA = 1 << 23
"""Maximum elements of the rows of a case that represents a whole run."""


class BenchmarkCase:
    """One backend with a network and rows of its own, ready to be timed; rounds take about `seconds`.

    With `like` it starts from the parameters and rows of that case. With `examples` it has as many rows as the run it represents,
    in shuffled order, so that batches are loaded from the same caches or memory as in the run; otherwise few rows, in order.
    """

    def __init__(
        self,
        config: RunConfig,
        batch: int,
        seconds: float | None = None,
        like: BenchmarkCase | None = None,
        examples: int | None = None,
    ) -> None:
        config = replace(config.fitted(), batch_size=batch)
        backend = get_backend(config.backend)
        self.batch = batch
        self._step = Network(config, backend, batch)
        self.program: StepProgram = self._step.full.program
        self.device = self._step.device
        wide = max(config.layers[0], config.layers[-1])
        self._pool = max(1, min(64, POOL // (batch * wide)) if examples is None else min(examples, DATA // wide) // batch)
        self._rows: tuple[NDArray[Any], NDArray[Any]] = _rows(config, batch * self._pool) if like is None else like._rows
        self._step.load(initializers.parameters(config) if like is None else like._step.parameters())
        self._step.set_learning_rate(0.0)
        self._step.attach(*self._rows)
        rows = np.arange(batch * self._pool)
        if examples is not None:
            np.random.default_rng(0).shuffle(rows)
        # Several passes: a run of small batches also makes thousands of steps per call.
        self._order = np.tile(rows, max(1, min(MAX_STEPS, MAX_ROWS // batch) // self._pool))
        self._next = 0
        self.timed(1)  # the first steps touch every page and fill the caches
        self.single = self.timed(1)
        """Seconds of one step by itself."""
        self._at = 0
        self._passes = max(1, round((ROUND_SECONDS if seconds is None else seconds) / self.single))
        self.rounds = max(MIN_ROUNDS, min(ROUNDS, int(BUDGET / (self.single * self._passes))))

    def timed(self, steps: int | None = None) -> float:
        """Return the seconds per step of `steps` steps, or of a round. Raises RunError if the loss is not finite, ClockError."""
        left = steps = self._passes if steps is None else steps
        start = perf_counter()
        while left > 0:
            done = self._step.full.run(self._order[self._next :][: self.batch * left])
            left -= len(done)
            self._next += self.batch * len(done)
            if self._next + self.batch > len(self._order):
                self._next = 0
            if not np.isfinite(done[-1]):
                raise RunError(_NO_NUMBER)
        taken = perf_counter() - start
        if not taken > 0:
            raise ClockError
        return taken / steps

    def by_operation(self) -> list[float]:
        """Return the seconds of each operation of one step, on the next batch of rows. Raises RunError as `timed` does."""
        rows = self._order[self._at * self.batch : (self._at + 1) * self.batch]
        self._at = (self._at + 1) % self._pool
        _, seconds = self._step.full.run_by_operation(rows)
        if not seconds:
            raise RunError(_NO_NUMBER)
        return seconds

    def evaluated(self) -> tuple[StepProgram, float]:
        """Return the program that evaluates a batch, and its median seconds."""
        step = self._step.evaluation(*self._rows, self.batch)
        taken: list[float] = []
        for first in range(EVALUATIONS):
            rows = self._order[(first % self._pool) * self.batch :][: self.batch]
            start = perf_counter()
            step.evaluate(rows)
            taken.append(perf_counter() - start)
        return step.program, median(taken)


_NO_NUMBER = "the loss of the initial weights is not finite, so no whole step can be timed"


def _rows(config: RunConfig, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return random inputs and targets of the form that the loss takes."""
    rng, outputs = np.random.default_rng(0), config.layers[-1]
    inputs = rng.standard_normal((rows, config.layers[0]), np.float32).astype(config.dtype, copy=False)
    if config.loss == "cross_entropy":
        return inputs, rng.integers(0, outputs, rows)
    targets = rng.standard_normal((rows, outputs))
    return inputs, (targets > 0 if config.loss == "binary_cross_entropy" else targets).astype(config.dtype)
