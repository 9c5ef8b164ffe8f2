"""Events of a run, of which none is lost, and snapshots, of which only the latest counts.

All values are immutable: numbers, strings, tuples and read-only host arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.engine.figures import Confusion
from tuisim.engine.health.hint import Hint
from tuisim.measure.gradients import LayerGradients
from tuisim.measure.peaks import Peaks


class State(StrEnum):
    """The state of a run: what it is doing, or how it ended."""

    STARTING = "starting"
    """Loading data, binding, measuring this machine's peaks."""
    TRAINING = "training"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """True if the run is over."""
        return self not in (State.STARTING, State.TRAINING, State.PAUSED)


@dataclass(frozen=True, slots=True)
class Started:
    """The run is set up."""

    config: RunConfig
    notes: tuple[str, ...]
    """Notes on scaling, shuffling and repetition of the data, and on the backend that `auto` chose."""


@dataclass(frozen=True, slots=True)
class LearningRateChanged:
    """The user changed the learning rate, from this step on."""

    step: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class ThreadsChanged:
    """The user changed the number of threads, from this step on."""

    step: int
    threads: int


@dataclass(frozen=True, slots=True)
class SpeedLimitChanged:
    """The user changed the speed limit in steps per second; None: full speed; 0: one step at a time."""

    step: int
    speed_limit: float | None


@dataclass(frozen=True, slots=True)
class Paused:
    """The run was paused after this step."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The run was resumed after this step."""

    step: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The loop has ended; `state` says how and `message` why, in one line."""

    state: State
    step: int
    message: str


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run failed."""

    step: int
    message: str
    """The reason, in one line."""
    device_lost: bool = False
    """True if this process has lost its device, so that only a new process can go on."""
    log: str = ""
    """Path of the log file that has the traceback; empty if none is written."""

    @property
    def words(self) -> str:
        """The message and where its traceback is, in one line."""
        return f"{self.message}; see {self.log}" if self.log else self.message


@dataclass(frozen=True, slots=True)
class Branched:
    """Something was changed after this step, at which the run already had a future: that is left, and another begins."""

    step: int
    head: int
    """The latest step of the future that was left."""


Event = Started | LearningRateChanged | ThreadsChanged | SpeedLimitChanged | Paused | Resumed | Branched | Ended | RunFailed

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curves:
    """The history of a run, decimated to a bounded number of points; arrays of equal length per group, read-only.

    `steps` and `losses`: training loss (mean over the steps between points). `validation_steps` belongs to the three arrays
    below it, which are nan if a figure does not exist (accuracy of a regression, validation of 0 rows).
    """

    steps: Floats
    losses: Floats
    validation_steps: Floats
    validation_losses: Floats
    validation_accuracies: Floats
    training_accuracies: Floats
    """On a fixed sample of training rows, with the parameters after that step."""
    learning_rates: tuple[tuple[int, float], ...]
    """(step, learning rate) at the start and at each change by the user."""
    clock_steps: Floats
    clock_seconds: Floats
    """Training seconds, without pauses, that had passed after each of `clock_steps`."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change by the user that applies from this step on: a replay makes it again."""

    step: int
    learning_rate: float | None = None
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """The future that a run left when something was changed in its past."""

    step: int
    """The step after which it was left."""
    curves: Curves
    changes: tuple[Change, ...]
    """All changes of that future, from the start."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """The throughput over the last full window of `seconds` of step time, and its spread."""

    seconds: float
    examples_per_second: float
    steps_per_second: float
    flops_per_second: float
    """(multiply + add + divide + sqrt) per second."""
    multiply_adds_per_second: float
    """(multiply + add) per second: the numerator of utilization."""
    spread: float
    """Half the 10-90 % range of the chunks' examples/s, over their median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """The figures that a snapshot and a summary have in common. Times are in seconds; None is unknown (yet)."""

    message: str
    """The reason of a pause or of the end; empty while training."""
    config: RunConfig
    """The resolved configuration: all defaults filled in, `examples` the actual number per epoch."""
    device: str
    """The backend's library, kernel and threads: `OpenBLAS SkylakeX ×1`."""
    notes: tuple[str, ...]
    examples_seen: int
    seconds: float
    """Sum of the step's phases: data, forward, loss, backward, update."""
    wall_seconds: float
    """Time since the first batch, with pauses."""
    validation_seconds: float
    instrumentation_seconds: float
    phase_seconds: tuple[tuple[str, float], ...]
    """(phase, seconds per step): medians of steps timed phase by phase; empty before the first."""
    validation_loss: float | None
    validation_accuracy: float | None
    training_accuracy: float | None
    gradients: tuple[LayerGradients, ...]
    """One per layer of weights, input side first; empty before the first gradient sample."""
    gradient_step: int | None
    hints: tuple[Hint, ...]
    """What may be wrong with the run, the most important first."""
    flushed: int | None
    """Numbers of the optimizer's buffers set to 0 so far because they became subnormal; None if none can be."""
    best_step: int | None = None
    """The step of the best validation loss, whose weights a completed run has; None without early stopping."""
    stopped_early: bool = False
    """True if the run is completed because its validation loss no longer improved."""
    validation_baseline_accuracy: float | None = None
    """The accuracy of a network that says no everywhere; None except for multi-label targets."""
    validation_rmse: float | None = None
    """In the target's own unit; None unless the targets are numbers."""
    validation_r2: float | None = None
    confusion: Confusion | None = None
    """Of the validation rows; None for other targets than classes, or more than a hundred of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(RunFigures):
    """The state of a run at one moment."""

    state: State
    step: int
    """The step whose state this is: the head, or an earlier step that the run has returned to."""
    head: int
    """The latest step made."""
    first: int | None
    """The earliest step to go to; None if earlier steps are not kept."""
    epoch: int
    examples_this_epoch: int
    total_steps: int | None
    """Steps of the whole run; None: until stopped."""
    speed_limit: float | None
    """Steps per second; None: full speed; 0: one step at a time."""
    learning_rate: float
    """The configured learning rate, or the one last set by the user."""
    current_learning_rate: float
    """The learning rate of the next step, after the schedule."""
    loss: float | None
    """Mean training loss over the latest chunk of steps."""
    operations_done: int
    """Scalar operations of all steps so far, of all kinds and phases, from the ledger."""
    training_seconds: float
    """`wall_seconds` without pauses."""
    phase_samples: int
    throughput: Throughput | None
    """None until the first window is full, and while throttled."""
    throughput_history: tuple[float, ...]
    """Examples/s of the latest windows, oldest first."""
    mean_examples_per_second: float | None
    """Examples over `seconds` at full speed; also known if the run is too short for a window."""
    seconds_left: float | None
    """Projected from the full-speed wall time so far; None for a run without end, throttled or paused."""
    subnormal: int | None
    """Numbers of the optimizer's buffers that were subnormal after `gradient_step`; None if it has no buffers."""
    peaks: Peaks | None
    """This machine's measured peaks at the run's dtype and threads."""
    curves: Curves
    """Up to the head."""
    branches: tuple[Branch, ...]
    """Futures that were left, oldest first."""

    @property
    def is_past(self) -> bool:
        """True if this is the state of an earlier step than the latest."""
        return self.step < self.head
