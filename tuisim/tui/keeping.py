"""A run that is kept: on a thread that waits for its end, so that no screen waits for a disk.

It does not know how a run is made or shown; one that was paced or paused, or that broke down, is let go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tuisim.accounting import count
from tuisim.engine import State, Summary
from tuisim.errors import DataError, printable
from tuisim.predict.estimate import Prediction
from tuisim.predict.record import kept
from tuisim.store import runs
from tuisim.study.background import Background

_KEPT = (State.COMPLETED, State.STOPPED, State.INTERRUPTED)


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
        if summary is None or not worth_keeping(summary):
            return
        config = summary.config
        assert config.threads is not None
        try:
            runs.append(
                kept(
                    config, count(config), summary.backend, config.threads, summary.steps, summary.examples_seen,
                    summary.seconds, summary.wall_seconds, self._prediction, summary.ended.value,
                )
            )  # fmt: skip
        except DataError as error:
            self._tell(printable(str(error), 300))


def worth_keeping(summary: Summary) -> bool:
    """Whether its times say what such a run takes."""
    undisturbed = not summary.paced and not summary.paused_seconds
    return undisturbed and summary.ended in _KEPT and summary.steps > 0 and summary.seconds > 0
