"""A sweep in the background: how far it has come is published by reference, for whoever polls."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.features.compare.crossover.found import Crossover
from tuisim.features.compare.crossover.sweep import SECONDS, Sweep, Sweeping
from tuisim.features.compare.entries import BackendEntry


class CrossoverWorker(Background):
    """One sweep of two entries over `config`'s network."""

    def __init__(self, config: RunConfig, entries: Sequence[BackendEntry], seconds: float = SECONDS) -> None:
        super().__init__("crossover")
        self._config, self._entries, self._seconds = config, tuple(entries), seconds
        self.sweeping: Sweeping | None = None
        """The latest; none until it has begun."""
        self.crossover: Crossover | None = None
        """Once it has ended."""

    def work(self) -> None:
        found = Sweep(self._config, self._entries, self._seconds, wanted=lambda: self.wanted).run(self._tell)
        if self.wanted:
            self.crossover = found

    def _tell(self, sweeping: Sweeping) -> None:
        self.sweeping = sweeping
