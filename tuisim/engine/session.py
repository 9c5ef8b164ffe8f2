"""A run that is set up: its data, its network, its position in the data, and its tally."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim import data as datasets
from tuisim.backends import choose, get_backend, precision_notes
from tuisim.backends.protocol import BoundStep
from tuisim.config import RunConfig
from tuisim.data.batch_sampler import Segment
from tuisim.engine import initializers, memory_check
from tuisim.engine.history import History
from tuisim.engine.network import Network, Parameters, check_shapes
from tuisim.engine.run_state import RunState
from tuisim.engine.tally import Tally
from tuisim.errors import MemoryNeeded
from tuisim.stages import Stages

Clock = Callable[[], float]


class Session:
    """The state of a run. Raises ConfigError, BackendError, DataError or MemoryNeeded before anything large is allocated."""

    def __init__(
        self,
        config: RunConfig,
        data: tuple[Any, Any] | None = None,
        parameters: Parameters | None = None,
        clock: Clock = perf_counter,
        stages: Stages | None = None,
    ) -> None:
        self.clock = clock
        self.stages = Stages() if stages is None else stages
        """The stages of the start, up to the first step."""
        with self.stages.stage("data"):
            config = datasets.fitted(config, data)
        with self.stages.stage("backend"):
            choice = choose(config)
            self.backend = get_backend(choice.name)
        config = replace(config, backend=choice.name).resolved()
        memory_check.check(replace(config, batch_size=1), self.backend)
        with self.stages.stage("data"):
            self.data = datasets.load(config) if data is None else datasets.from_arrays(config, *data)
        self.config = replace(config, examples=self.data.examples).resolved()
        choice_note = (choice.note,) if choice.note else ()
        clipped = f"a batch of {self.config.full_batch:,}: all training examples, fewer than {self.config.batch_size:,}"
        clip_note = (clipped,) if self.config.full_batch < self.config.batch_size else ()
        self.notes: tuple[str, ...] = (*self.data.notes, *clip_note, *choice_note, *precision_notes([choice.name], config.dtype))
        """Notes on scaling, shuffling and repetition of the data, and on the backend that `auto` chose, with the reason."""
        assert self.config.threads is not None
        self.threads: int = self.config.threads
        # A batch larger than the volume is one short batch.
        self.batch = min(config.batch_size, self.data.examples)
        if parameters is not None:
            check_shapes(self.config, parameters)
        with self.stages.stage("compile"):
            try:
                self.network = Network(self.config, self.backend, self.batch)
            except MemoryNeeded as error:  # other processes may have taken what was free a moment ago
                raise MemoryNeeded(memory_check.explain(error, self.config)) from None
            self.network.load(initializers.parameters(self.config) if parameters is None else parameters)
        self._sampler = self.data.batch_sampler(self.batch)
        assert self.config.learning_rate is not None
        self.learning_rate: float = self.config.learning_rate
        self.history = History(self.learning_rate)
        self.tally = Tally()
        self.throttled = False
        """True if any step was made below full speed."""
        self.started: float | None = None
        """The time of the first batch."""
        self.paused_seconds = 0.0
        self.divergence: str | None = None
        """The place at which the run became non-finite; None if it is finite."""
        self.latest: tuple[BoundStep, NDArray[np.intp]] | None = None
        """The bound step of the latest step made, whose buffers it has left, and its rows of the attached data."""

    @property
    def total_steps(self) -> int | None:
        """Steps of the whole run; None: until stopped."""
        return None if self.config.epochs is None else self.config.epochs * -(-self.data.examples // self.batch)

    @property
    def steps_left(self) -> int | None:
        """Steps to the end of the run; None: until stopped."""
        return None if self.total_steps is None else self.total_steps - self.tally.steps

    @property
    def is_done(self) -> bool:
        """True if all epochs are done."""
        return self.config.epochs is not None and self.tally.epochs >= self.config.epochs

    def set_learning_rate(self, rate: float) -> None:
        """Use `rate` from the next step on, and keep the change in the history."""
        self.learning_rate = rate
        self.network.set_learning_rate(rate)
        self.history.learning_rates.append((self.tally.steps, rate))

    def capture(self, *, gradients: bool = False) -> RunState:
        """Return the state after the latest step, if asked with its gradients. The same steps follow from it, bit for bit."""
        arrays, scalars = self.network.state(gradients=gradients)
        position, tally, history = self._sampler.position(), self.tally.copy(), self.history.copy()
        return RunState(arrays, scalars, position, tally, history, self.learning_rate, self.threads, self.divergence)

    def restore(self, state: RunState) -> None:
        """Return to a state. Buffers that it does not have stay as they are until the next step; BLAS's threads are not set."""
        self.network.restore(state.arrays, state.scalars)
        self._sampler.seek(state.position)
        if (block := self._sampler.block) is not None:
            self.network.attach(block.X, block.Y)
        self.tally, self.history = state.tally.copy(), state.history.copy()
        self.learning_rate, self.threads, self.divergence = state.learning_rate, state.threads, state.divergence

    def advance(self, steps: int, *, full_speed: bool = True, past_the_end: bool = False) -> None:
        """Make up to `steps` steps: fewer if the run ends or its loss is no longer finite."""
        if self.started is None:
            self.started = self.clock()
            with self.stages.stage("first step"):
                self._advance(steps, full_speed, past_the_end)
        else:
            self._advance(steps, full_speed, past_the_end)

    def _advance(self, steps: int, full_speed: bool, past_the_end: bool) -> None:
        is_sampled = False
        while steps > 0 and self.divergence is None and (past_the_end or not self.is_done):
            if self._sampler.block is None:
                start, block = self.clock(), self._sampler.fetch()
                if not self._sampler.generates:  # shuffling belongs to the data phase; generating rows does not
                    self.tally.add_shuffle(self.clock() - start)
                self.network.attach(block.X, block.Y)
            segment = self._sampler.take(steps)
            steps -= segment.steps
            step = self.network.step(segment.batch)
            start = self.clock()
            if segment.batch == self.batch and not is_sampled:
                losses = self._run_timed(step, segment)
                is_sampled = True
            else:
                losses = step.run(segment.rows)
            self.latest = step, segment.rows[-segment.batch :]
            self._account(step, segment, losses, self.clock() - start, full_speed)

    def _run_timed(self, step: BoundStep, segment: Segment) -> list[float]:
        """Run the segment with its last step timed phase by phase: caches are warm by then."""
        split = len(segment.rows) - segment.batch
        losses = step.run(segment.rows[:split]) if split else []
        if losses and not math.isfinite(losses[-1]):
            return losses
        loss, phases = step.run_timed(segment.rows[split:])
        self.tally.sample_phases(phases)
        return [*losses, loss]

    def _account(self, step: BoundStep, segment: Segment, losses: list[float], seconds: float, full_speed: bool) -> None:
        self.history.losses.extend(losses)
        self.throttled = self.throttled or not full_speed
        is_finite = math.isfinite(losses[-1])
        self.tally.add(step.program, losses if is_finite else losses[:-1], seconds, full_speed)
        if not is_finite:
            self.divergence = self.network.locate_divergence(step, self.tally.steps + 1)
        elif segment.ends_epoch:
            self.tally.end_epoch()
