"""Totals of a run (steps, examples, operations, seconds by phase) and its throughput over windows; it reads no clock itself."""

from __future__ import annotations

from collections import deque
from copy import copy
from statistics import median

from tuisim.accounting.ledger import step_operations
from tuisim.accounting.operations import Operations
from tuisim.backends.protocol import PhaseSeconds
from tuisim.engine.events import Throughput
from tuisim.program import Phase, StepProgram

WINDOW = 0.5
SAMPLES = 101
"""Number of steps timed by phase whose median is shown."""
HISTORY = 240


class Tally:
    """Totals since the first batch, and the current window."""

    def __init__(self) -> None:
        self.steps = 0
        self.epochs = 0
        self.examples = 0
        self.examples_this_epoch = 0
        self.seconds = 0.0
        self.epoch_loss: float | None = None
        self.chunk_loss: float | None = None
        self.throughput: Throughput | None = None
        self.throughput_history: deque[float] = deque(maxlen=HISTORY)
        self._full_speed_seconds, self._full_speed_examples = 0.0, 0
        self._epoch_loss_sum = 0.0
        self._shuffle_pending = self._shuffle_seconds = 0.0
        self._steps_by_batch: dict[int, int] = {}
        self._operations_by_batch: dict[int, Operations] = {}
        self._phases: deque[PhaseSeconds] = deque(maxlen=SAMPLES)
        self._window: list[tuple[float, int, int, int, int]] = []
        """Seconds, examples, steps, FLOPs, and multiplications and additions of each chunk."""
        self._window_seconds = 0.0

    def copy(self) -> Tally:
        """Return a copy that further steps do not change."""
        copied = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list | deque):
                setattr(copied, name, copy(value))
        return copied

    def add(self, program: StepProgram, losses: list[float], seconds: float, full_speed: bool) -> None:
        """Add steps of `program` by their losses (none if the first step failed) and the seconds they took."""
        batch, steps = program.batch, len(losses)
        if batch not in self._operations_by_batch:
            self._operations_by_batch[batch] = step_operations(program)
        self._steps_by_batch[batch] = self._steps_by_batch.get(batch, 0) + steps
        seconds += self._shuffle_pending
        self._shuffle_pending = 0.0
        self.steps += steps
        self.examples += steps * batch
        self.examples_this_epoch += steps * batch
        self.seconds += seconds
        if not steps:
            return
        loss_sum = sum(losses)
        self._epoch_loss_sum += loss_sum * batch
        self.chunk_loss = loss_sum / steps
        if full_speed:
            self._add_to_window(batch, steps, seconds)
        else:  # no throughput is shown while throttled
            self._window, self._window_seconds, self.throughput = [], 0.0, None

    def add_shuffle(self, seconds: float) -> None:
        """Add time of the data phase outside the steps, which is counted with the steps that follow: shuffling resident rows."""
        self._shuffle_pending += seconds
        self._shuffle_seconds += seconds

    def end_epoch(self) -> None:
        """Close the epoch and set its loss."""
        self.epoch_loss = self._epoch_loss_sum / self.examples_this_epoch
        self.epochs += 1
        self.examples_this_epoch, self._epoch_loss_sum = 0, 0.0

    @property
    def loss(self) -> float | None:
        """The mean loss of the last whole epoch; of the steps so far before the first epoch has ended."""
        if self.epoch_loss is not None:
            return self.epoch_loss
        return self._epoch_loss_sum / self.examples_this_epoch if self.examples_this_epoch else None

    @property
    def operations(self) -> Operations:
        """The operations of all steps so far, by kind."""
        done = Operations()
        for batch, steps in self._steps_by_batch.items():
            done += self._operations_by_batch[batch] * steps
        return done

    def sample_phases(self, phases: PhaseSeconds) -> None:
        """Add a full step timed phase by phase."""
        if phases:
            self._phases.append(phases)

    @property
    def phase_seconds(self) -> tuple[tuple[str, float], ...]:
        """(phase, seconds per step): the median of the samples; `data` includes each step's share of the shuffling."""
        if not self._phases:
            return ()
        split = {phase: median(sample[phase] for sample in self._phases) for phase in Phase}
        split[Phase.DATA] += self._shuffle_seconds / self.steps
        return tuple((phase.value, seconds) for phase, seconds in split.items())

    @property
    def phase_samples(self) -> int:
        """The number of steps timed by phase that are kept."""
        return len(self._phases)

    @property
    def mean_examples_per_second(self) -> float | None:
        """Examples/s over all steps at full speed; None if there are none."""
        return self._full_speed_examples / self._full_speed_seconds if self._full_speed_seconds > 0 else None

    def _add_to_window(self, batch: int, steps: int, seconds: float) -> None:
        operations = self._operations_by_batch[batch]
        self._full_speed_seconds += seconds
        self._full_speed_examples += steps * batch
        self._window.append((seconds, steps * batch, steps, operations.flops * steps, operations.multiply_adds * steps))
        self._window_seconds += seconds
        if self._window_seconds < WINDOW:  # the sums are made once: a tiny epoch is a chunk of its own, and there are thousands
            return
        total, examples, steps, flops, multiply_adds = (sum(column) for column in zip(*self._window, strict=True))
        parts = sorted(count / taken for taken, count, *_ in self._window if taken > 0)
        low, middle, high = (parts[int(share * (len(parts) - 1))] for share in (0.1, 0.5, 0.9))
        rates = examples / total, steps / total, flops / total, multiply_adds / total
        self.throughput = Throughput(total, *rates, spread=(high - low) / 2 / middle)
        self.throughput_history.append(self.throughput.examples_per_second)
        self._window, self._window_seconds = [], 0.0
