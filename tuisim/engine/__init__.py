"""Training: the loop over real steps, control down to it, events up from it, and a thread to run it on."""

from tuisim.engine.control import Control
from tuisim.engine.events import Ended, Event, RunFailed, Snapshot, State
from tuisim.engine.summary import Summary
from tuisim.engine.trainer import Trainer
from tuisim.engine.worker import Worker

__all__ = ["Control", "Ended", "Event", "RunFailed", "Snapshot", "State", "Summary", "Trainer", "Worker"]
