"""Keeping a run: a job that waits for its end, so that no screen waits for a disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tuisim.engine import Summary
from tuisim.engine.job import Job
from tuisim.errors import DataError, printable
from tuisim.predict.prediction import Prediction
from tuisim.predict.record import record_of
from tuisim.store import runs


class EndingWorker(Protocol):
    """A run that can be waited for, and its summary."""

    @property
    def result(self) -> Summary | None: ...
    def join(self, timeout: float | None = None) -> bool: ...


def keep_run(worker: EndingWorker, prediction: Prediction | None, tell: Callable[[str], object]) -> Job[None, None]:
    """Return a job that keeps the run of `worker`, which has been started, beside its prediction.

    A run that was throttled, paused or failed is not kept. `tell` is called on the job's thread with the reason why one could
    not be written.
    """

    def work(_: Job[None, None]) -> None:
        worker.join()
        summary = worker.result
        run = None if summary is None else record_of(summary, prediction)
        if run is None:
            return
        try:
            runs.append(run)
        except DataError as error:
            tell(printable(str(error), 300))

    return Job("keep run", work)
