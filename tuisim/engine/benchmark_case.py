"""A network with random rows of its own, ready to be timed: thousands of steps on the same rows, at a rate of zero.

At that rate nothing can diverge and the work is the same. It does not know what the figures are held against.
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
from tuisim.engine import initializers as initial
from tuisim.engine.network import Network
from tuisim.errors import ClockError, RunError
from tuisim.program import StepProgram

ROUNDS = 15
LEAST_ROUNDS = 3
ROUND_SECONDS = 0.02
"""A backend works about so long in each round, or one step where that takes longer."""
BUDGET = 1.5
"""Seconds for all the rounds of one backend, beyond the least number of them."""
EVALUATIONS = 7
MOST_STEPS, MOST_ROWS = 1_024, 1 << 16
"""Handed over in one call."""
POOL = 1 << 20
"""Elements of the random rows that the steps go through."""


class BenchmarkCase:
    """One backend with a network and rows of its own, ready to be timed; rounds take about `seconds`.

    With `like` it starts from that one's parameters and rows, which it then need not draw.
    """

    def __init__(self, config: RunConfig, batch: int, seconds: float | None = None, like: BenchmarkCase | None = None) -> None:
        config = replace(config, batch_size=batch)
        backend = get_backend(config.backend)
        self.batch = batch
        self._step = Network(config, backend, batch)
        self.device = self._step.device
        self._pool = max(1, min(64, POOL // (batch * max(config.layers[0], config.layers[-1]))))
        self._rows: tuple[NDArray[Any], NDArray[Any]] = _rows(config, batch * self._pool) if like is None else like._rows
        self._step.load(initial.parameters(config) if like is None else like._step.parameters())
        self._step.set_learning_rate(0.0)
        self._step.attach(*self._rows)
        # Over and over: a real run of small batches hands over thousands of steps in one call, too.
        self._order = np.tile(np.arange(batch * self._pool), max(1, min(MOST_STEPS, MOST_ROWS // batch) // self._pool))
        self.timed(1)  # the first steps touch every page and fill the caches
        self.single = self.timed(1)
        """Seconds of one step by itself."""
        self._at = 0
        self._passes = max(1, round((ROUND_SECONDS if seconds is None else seconds) / self.single))
        self.rounds = max(LEAST_ROUNDS, min(ROUNDS, int(BUDGET / (self.single * self._passes))))

    def timed(self, steps: int | None = None) -> float:
        """Seconds per step, of `steps` steps or a round of them. Raises RunError at a loss that is no number, ClockError."""
        left = steps = self._passes if steps is None else steps
        start = perf_counter()
        while left > 0:
            done = self._step.full.run(self._order[: self.batch * left])
            left -= len(done)
            if not np.isfinite(done[-1]):
                raise RunError(_NO_NUMBER)
        taken = perf_counter() - start
        if not taken > 0:
            raise ClockError
        return taken / steps

    def by_operation(self) -> list[float]:
        """Seconds of each operation of one step, on the next batch of rows. Raises RunError as `timed` does."""
        rows = self._order[self._at * self.batch : (self._at + 1) * self.batch]
        self._at = (self._at + 1) % self._pool
        _, seconds = self._step.full.run_by_operation(rows)
        if not seconds:
            raise RunError(_NO_NUMBER)
        return seconds

    def evaluated(self) -> tuple[StepProgram, float]:
        """The program that evaluates a batch, and the seconds of it: the middle one of some."""
        step = self._step.evaluation(*self._rows, self.batch)
        taken: list[float] = []
        for first in range(EVALUATIONS):
            rows = self._order[(first % self._pool) * self.batch :][: self.batch]
            start = perf_counter()
            step.evaluate(rows)
            taken.append(perf_counter() - start)
        return step.program, median(taken)

    @property
    def program(self) -> StepProgram:
        """What a step does."""
        return self._step.full.program


_NO_NUMBER = "the loss of the first weights is no number, so no whole step can be timed"


def _rows(config: RunConfig, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Random inputs and answers of the form the loss takes."""
    rng, outputs = np.random.default_rng(0), config.layers[-1]
    inputs = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        return inputs, rng.integers(0, outputs, rows)
    answers = rng.standard_normal((rows, outputs))
    return inputs, (answers > 0 if config.loss == "binary_cross_entropy" else answers).astype(config.dtype)
