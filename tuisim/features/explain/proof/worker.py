"""A proof in the background: how far it is, is published by reference, for whoever polls."""

from __future__ import annotations

from time import perf_counter

from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.features.explain.proof.cost import TooLong
from tuisim.features.explain.proof.proof import Progress, Proof, prove


class _Left(Exception):
    """Nobody wants to know any more."""


class ProofWorker(Background):
    """One proof of `config`."""

    def __init__(self, config: RunConfig, force: bool = False) -> None:
        super().__init__("proof")
        self.config, self.force = config, force
        self.progress: Progress | None = None
        """The latest one; none until the first check begins."""
        self.proof: Proof | None = None
        """Once all checks have ended."""
        self.refused = False
        """Whether the failure is that it would take too long, so that forcing would help."""
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """Since it was started, up to its end."""
        if self._started is None:
            return 0.0
        return (perf_counter() if self._ended is None else self._ended) - self._started

    def start(self) -> None:
        self._started = perf_counter()
        super().start()

    def work(self) -> None:
        try:
            self.proof = prove(self.config, force=self.force, tell=self._tell)
        except _Left:
            return
        except TooLong:
            self.refused = True
            raise
        finally:
            self._ended = perf_counter()

    def _tell(self, progress: Progress) -> None:
        if not self.wanted:
            raise _Left
        self.progress = progress
