"""Training: the loop over real steps, control down to it, events up from it, and a thread to run it on."""

from tuisim.engine.control import Control
from tuisim.engine.events import (
    Curves,
    Ended,
    Event,
    LearningRateChanged,
    Paused,
    Resumed,
    RunFailed,
    Snapshot,
    SpeedLimitChanged,
    Started,
    State,
    Throughput,
)  # fmt: skip
from tuisim.engine.summary import Summary
from tuisim.engine.trainer import Trainer
from tuisim.engine.worker import Worker

__all__ = [
    "Control", "Curves", "Ended", "Event", "LearningRateChanged", "Paused", "Resumed", "RunFailed", "Snapshot",
    "SpeedLimitChanged", "Started", "State", "Summary", "Throughput", "Trainer", "Worker",
]  # fmt: skip
