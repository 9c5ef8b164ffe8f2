"""What a run tells: events, which are never lost, and the latest snapshot, which may be.

Everything here is finished: numbers, strings, tuples and read-only host arrays. Nothing here knows who listens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tuisim.config import RunConfig
from tuisim.measure.gradients import LayerGradients
from tuisim.measure.peaks import Peaks


class State(StrEnum):
    """What a run is doing, or how it ended."""

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
        return self not in (State.STARTING, State.TRAINING, State.PAUSED)


@dataclass(frozen=True, slots=True)
class Started:
    """The run is set up: what was asked, as resolved, and what it runs on."""

    config: RunConfig
    notes: tuple[str, ...]
    """Things a person should know: how the data are scaled and shuffled, rounds, which backend `auto` came to."""


@dataclass(frozen=True, slots=True)
class RateChanged:
    """The learning rate as changed by hand, from this step on."""

    step: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class PaceChanged:
    step: int
    pace: float | None


@dataclass(frozen=True, slots=True)
class Paused:
    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    step: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The loop has ended; `state` says how and `message` says why in one line."""

    state: State
    step: int
    message: str


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The loop raised: one readable line, and the traceback for whoever asks for it."""

    step: int
    message: str
    traceback: str
    lost: bool = False
    """Whether only a new process can go on, since this one has lost its device."""


Event = Started | RateChanged | PaceChanged | Paused | Resumed | Ended | RunFailed

Floats = NDArray[np.float64]


def _no_floats() -> Floats:
    empty = np.zeros(0)
    empty.flags.writeable = False
    return empty


@dataclass(frozen=True, slots=True)
class Curves:
    """The run's history, decimated to a bounded number of points; arrays of equal length per group, read-only.

    `steps`/`losses`: training loss (mean over the steps between points). `validation_steps` goes with the three arrays
    below it, which are nan where the figure does not exist (accuracy of a regression, validation of 0 rows).
    """

    steps: Floats = field(default_factory=_no_floats)
    losses: Floats = field(default_factory=_no_floats)
    validation_steps: Floats = field(default_factory=_no_floats)
    validation_losses: Floats = field(default_factory=_no_floats)
    validation_accuracies: Floats = field(default_factory=_no_floats)
    training_accuracies: Floats = field(default_factory=_no_floats)
    """Of a fixed sample of training rows, with the parameters of that moment."""
    rates: tuple[tuple[int, float], ...] = ()
    """(step, learning rate) at the start and at each change by hand."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Throughput over the last full window of `seconds` of step time, and the spread of its parts."""

    seconds: float
    examples_per_second: float
    steps_per_second: float
    flops_per_second: float
    """(multiply + add + divide + sqrt) per second."""
    multiply_adds_per_second: float
    """(multiply + add) per second: the numerator of utilization."""
    spread: float
    """Half the 10-90 % range of the chunks' examples/s, over their median."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a run, whole. Times are seconds; `None` is not known (yet)."""

    state: State
    message: str
    """Why it is paused or how it ended; empty while training."""
    config: RunConfig
    """As resolved: every default filled in, `examples` the real volume per epoch."""
    device: str
    """The backend's library, kernel and threads: `OpenBLAS SkylakeX ×1`."""
    notes: tuple[str, ...]
    step: int
    """Steps done."""
    epoch: int
    """Epochs completed."""
    examples_seen: int
    examples_this_epoch: int
    total_steps: int | None
    """Steps the whole run will take; none: until stopped."""
    pace: float | None
    """Steps per second asked for; none: full speed; 0: a step at a time."""
    learning_rate: float
    """As given, or as last set by hand."""
    rate_now: float
    """What the schedule makes of it for the next step."""
    loss: float | None
    """Mean training loss over the latest chunk of steps."""
    epoch_loss: float | None
    """Mean over the last completed epoch, weighted by examples."""
    validation_loss: float | None
    validation_accuracy: float | None
    training_accuracy: float | None
    validation_step: int | None
    """The step that the three figures above were measured after."""
    operations_done: int
    """Scalar operations of every step so far, all kinds and phases together, from the ledger."""
    seconds: float
    """Sum of the step's phases: data, forward, loss, backward, update."""
    wall_seconds: float
    """Everything since the first batch, pauses too."""
    training_seconds: float
    """`wall_seconds` without pauses."""
    validation_seconds: float
    probe_seconds: float
    phase_seconds: tuple[tuple[str, float], ...]
    """(phase, seconds per step): medians of sampled steps timed phase by phase; empty until one was."""
    phase_samples: int
    rates: Rates | None
    """None until the first window is full, and always none below full speed."""
    rate_history: tuple[float, ...]
    """Examples/s of the latest windows, oldest first."""
    mean_examples_per_second: float | None
    """Examples over `seconds` at full speed; what a run too short for a window can say."""
    seconds_left: float | None
    """Projected from the full-speed wall time so far; none for an endless, paced or held run."""
    gradients: tuple[LayerGradients, ...]
    """One per layer of weights, input side first; empty until probed."""
    gradient_step: int | None
    flushed: int | None
    """Numbers of the optimizer's buffers set to 0 so far because they became subnormal; None if none can be."""
    subnormal: int | None
    """Numbers of the optimizer's buffers that were subnormal after `gradient_step`; None if it has no buffers."""
    peaks: Peaks | None
    """This machine's measured ceilings at the run's dtype and threads."""
    curves: Curves
