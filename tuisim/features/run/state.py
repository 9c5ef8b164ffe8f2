"""The state of the run page at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.accounting import Ledger
from tuisim.config import RunConfig
from tuisim.engine.events import RunFailed, Snapshot, State
from tuisim.engine.health.hint import Hint
from tuisim.errors import printable
from tuisim.features.run.prediction import PredictedRun
from tuisim.stages import Stage


@dataclass(frozen=True)
class RunState:
    """A run in progress, or one that has ended."""

    config: RunConfig
    """The resolved configuration."""
    ledger: Ledger
    snapshot: Snapshot | None = None
    """None until the run is set up."""
    predicted: PredictedRun | None = None
    """None if the run was not predicted, or if it was throttled."""
    failure: RunFailed | None = None
    waits_for: str = ""
    """The holder of the machine for which the run waits before it starts."""
    stages: tuple[Stage, ...] = ()
    """The stages of the start; empty while the run waits."""
    hints: tuple[Hint, ...] = ()
    """The hints that are shown."""
    applied: frozenset[tuple[str, object]] = frozenset()
    """Names of the hints whose edit was applied, with the value that was set."""
    log_scale: bool | None = None
    """True for a logarithmic loss axis, False for a linear one; None to choose by the losses."""
    smoothing: float = 0.0
    """The weight of the past in the curves' moving average; 0 for the values themselves."""
    x_axis: str = "steps"
    """steps, epochs or seconds."""

    @property
    def status(self) -> State:
        """The state of the run."""
        if self.failure is not None:
            return State.FAILED
        return self.snapshot.state if self.snapshot else State.STARTING

    @property
    def message(self) -> str:
        """The reason why the run waits, ended or failed; empty if there is none."""
        message = self.failure.message if self.failure else self.snapshot.message if self.snapshot else ""
        return printable(message, 500)

    @property
    def outcome(self) -> str:
        """The comparison of the ended run with its prediction; empty if it cannot be compared."""
        snapshot, predicted = self.snapshot, self.predicted
        return predicted.outcome(snapshot) if predicted and snapshot and snapshot.state.ended else ""
