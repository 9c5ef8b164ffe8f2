"""What a run has done and how long it took: steps, examples, operations, seconds by phase, and rates over windows.

Times go in, figures come out; it reads no clock itself.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from tuisim.accounting.ledger import step_operations
from tuisim.accounting.operations import Operations
from tuisim.backends import PhaseSeconds
from tuisim.engine.events import Rates
from tuisim.program import Phase, StepProgram

WINDOW = 0.5
"""Seconds of step time that make a rate."""
SAMPLES = 101
"""Steps timed by phase that the split is the median of."""


class Tally:
    """Totals since the first batch, and the window at hand."""

    def __init__(self) -> None:
        self.steps = 0
        self.epochs = 0
        self.examples = 0
        self.examples_this_epoch = 0
        self.seconds = 0.0
        self.full_speed_seconds = 0.0
        self.full_speed_examples = 0
        self.epoch_loss: float | None = None
        self.chunk_loss: float | None = None
        self._epoch_loss_sum = 0.0
        self._shuffle_pending = 0.0
        self._shuffle_seconds = 0.0
        self._steps_by_batch: dict[int, int] = {}
        self._operations_by_batch: dict[int, Operations] = {}
        self._phases: deque[PhaseSeconds] = deque(maxlen=SAMPLES)
        self._window: list[tuple[int, int, float, int, int]] = []
        self._window_seconds = 0.0
        self.rates: Rates | None = None
        self.rate_history: deque[float] = deque(maxlen=240)

    def add(self, program: StepProgram, losses: list[float], seconds: float, full_speed: bool) -> None:
        """Steps of `program` just done (none where the first already failed), their losses and the seconds they took."""
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
        loss_sum = sum(losses)
        self._epoch_loss_sum += loss_sum * batch
        self.chunk_loss = loss_sum / steps if steps else self.chunk_loss
        if not steps:
            return
        if full_speed:
            self._add_to_window(batch, steps, seconds)
        else:
            self._drop_window()

    def add_shuffle(self, seconds: float) -> None:
        """Time of the data phase outside the steps: shuffling rows that are held. It goes with the steps that follow."""
        self._shuffle_pending += seconds
        self._shuffle_seconds += seconds

    def end_epoch(self) -> None:
        self.epoch_loss = self._epoch_loss_sum / self.examples_this_epoch
        self.epochs += 1
        self.examples_this_epoch, self._epoch_loss_sum = 0, 0.0

    @property
    def loss(self) -> float | None:
        """Mean of the last whole epoch; before there is one, of what has been done."""
        if self.epoch_loss is not None:
            return self.epoch_loss
        return self._epoch_loss_sum / self.examples_this_epoch if self.examples_this_epoch else None

    @property
    def operations(self) -> Operations:
        """Everything the steps so far have done, by kind."""
        done = Operations()
        for batch, steps in self._steps_by_batch.items():
            done += self._operations_by_batch[batch] * steps
        return done

    def sample_phases(self, phases: PhaseSeconds) -> None:
        """One full step timed phase by phase."""
        if phases:
            self._phases.append(phases)

    @property
    def phase_seconds(self) -> tuple[tuple[str, float], ...]:
        """(phase, seconds per step): the median of the samples, and in `data` each step's share of the shuffling too."""
        if not self._phases:
            return ()
        split = {phase: median(sample[phase] for sample in self._phases) for phase in Phase}
        split[Phase.DATA] += self._shuffle_seconds / self.steps
        return tuple((phase.value, seconds) for phase, seconds in split.items())

    @property
    def phase_samples(self) -> int:
        return len(self._phases)

    # ── rates ──

    def _add_to_window(self, batch: int, steps: int, seconds: float) -> None:
        operations = self._operations_by_batch[batch]
        self.full_speed_seconds += seconds
        self.full_speed_examples += steps * batch
        self._window.append((steps, steps * batch, seconds, operations.flops * steps, operations.multiply_adds * steps))
        self._window_seconds += seconds
        if self._window_seconds >= WINDOW:
            self._close_window()

    def _close_window(self) -> None:
        steps, examples, seconds, flops, multiply_adds = (sum(column) for column in zip(*self._window, strict=True))
        parts = sorted(examples / seconds for _, examples, seconds, _, _ in self._window if seconds > 0)
        low, middle, high = (parts[int(share * (len(parts) - 1))] for share in (0.1, 0.5, 0.9))
        self.rates = Rates(
            seconds=seconds,
            examples_per_second=examples / seconds,
            steps_per_second=steps / seconds,
            flops_per_second=flops / seconds,
            multiply_adds_per_second=multiply_adds / seconds,
            spread=(high - low) / 2 / middle,
        )
        self.rate_history.append(self.rates.examples_per_second)
        self._window, self._window_seconds = [], 0.0

    def _drop_window(self) -> None:
        """Below full speed there is no throughput to speak of."""
        self._window, self._window_seconds, self.rates = [], 0.0, None

    @property
    def mean_examples_per_second(self) -> float | None:
        return self.full_speed_examples / self.full_speed_seconds if self.full_speed_seconds > 0 else None
