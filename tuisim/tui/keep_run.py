"""A run that is kept: on a thread that waits for its end, so that no screen waits for a disk.

It does not know how a run is made or shown; one that was paced or paused, or that broke down, is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tuisim.engine import Summary
from tuisim.engine.job import Background
from tuisim.errors import DataError, printable
from tuisim.predict.prediction import Prediction
from tuisim.predict.record import of_summary
from tuisim.store import runs


class EndingWorker(Protocol):
    """A run that can be waited for, and what it came to."""

    @property
    def summary(self) -> Summary | None: ...
    def join(self, timeout: float | None = None) -> bool: ...


class Keeping(Background):
    """Keeps the run that `worker` has begun, beside its prediction; `tell` is told, on this thread, why it could not."""

    def __init__(self, worker: EndingWorker, prediction: Prediction | None, tell: Callable[[str], object]) -> None:
        super().__init__("keeping")
        self._worker, self._prediction, self._tell = worker, prediction, tell

    def work(self) -> None:
        self._worker.join()
        summary = self._worker.summary
        run = None if summary is None else of_summary(summary, self._prediction)
        if run is None:
            return
        try:
            runs.append(run)
        except DataError as error:
            self._tell(printable(str(error), 300))
