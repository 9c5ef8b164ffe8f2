"""The run: a plain loop over real training steps, the way down to it, the way up from it, and a thread to put it on."""

from tuisim.engine.control import Control
from tuisim.engine.events import (
    Curves,
    Ended,
    Event,
    PaceChanged,
    Paused,
    RateChanged,
    Rates,
    Resumed,
    RunFailed,
    Snapshot,
    Started,
    State,
)
from tuisim.engine.summary import Summary
from tuisim.engine.trainer import Trainer
from tuisim.engine.worker import Worker

__all__ = [
    "Control", "Curves", "Ended", "Event", "PaceChanged", "Paused", "RateChanged", "Rates", "Resumed", "RunFailed",
    "Snapshot", "Started", "State", "Summary", "Trainer", "Worker",
]  # fmt: skip
