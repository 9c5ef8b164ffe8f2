"""What a run stands on: its data, its network, its place in the data, and what it has done so far.

It makes steps when told to and accounts for them; when, how many and who watches is the loop's to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

from tuisim import data as sources
from tuisim.backends import BoundStep, choose, get_backend, precision_notes
from tuisim.config import RunConfig
from tuisim.engine import divergence
from tuisim.engine import initializers as initial
from tuisim.engine import memory_check as room
from tuisim.engine.history import History
from tuisim.engine.network import Network, Parameters, check_shapes
from tuisim.engine.position import Position, Segment
from tuisim.engine.tally import Tally
from tuisim.errors import MemoryNeeded

Clock = Callable[[], float]


class Session:
    """A run set up: raises ConfigError, BackendError, DataError or MemoryNeeded before anything large is allocated."""

    def __init__(
        self,
        config: RunConfig,
        data: tuple[Any, Any] | None = None,
        parameters: Parameters | None = None,
        clock: Clock = perf_counter,
    ) -> None:
        self.clock = clock
        choice = choose(config)
        self.backend = get_backend(choice.name)
        config = replace(config, backend=choice.name).resolved()
        room.check(replace(config, batch_size=1), self.backend)
        self.data = sources.load(config) if data is None else sources.from_arrays(config, *data)
        self.config = replace(config, examples=self.data.examples).resolved()
        of_backend = (*((choice.note,) if choice.note else ()), *precision_notes([choice.name], config.dtype))
        self.notes: tuple[str, ...] = (*self.data.notes, *of_backend)
        """What a person should know of the data and of what computes: scaling, rounds, which backend `auto` came to."""
        assert self.config.threads is not None
        self.threads: int = self.config.threads
        # A batch larger than the volume is one short batch.
        self.batch = min(config.batch_size, self.data.examples)
        if parameters is not None:
            check_shapes(self.config, parameters)
        try:
            self.network = Network(self.config, self.backend, self.batch)
        except MemoryNeeded as error:  # others may have taken what was free a moment ago
            raise MemoryNeeded(room.explained(error, self.config)) from None
        self.network.load(initial.parameters(self.config) if parameters is None else parameters)
        feed = self.data.feed(self.batch)
        self.position, self._making = Position(feed, self.batch), feed.making
        assert self.config.learning_rate is not None
        self.learning_rate: float = self.config.learning_rate
        self.history = History(self.learning_rate)
        self.tally = Tally()
        self.paced = False
        self.started: float | None = None
        """When the first batch was taken, by the clock."""
        self.paused_seconds = 0.0
        self.diverged: str | None = None
        """Where the run became non-finite, once it has."""

    @property
    def total_steps(self) -> int | None:
        """Steps of the whole run; none: until stopped."""
        if self.config.epochs is None:
            return None
        return self.config.epochs * -(-self.data.examples // self.batch)

    @property
    def done(self) -> bool:
        return self.config.epochs is not None and self.tally.epochs >= self.config.epochs

    def set_learning_rate(self, rate: float) -> None:
        self.learning_rate = rate
        self.network.set_learning_rate(rate)
        self.history.rate_changed(self.tally.steps, rate)

    def advance(self, steps: int, *, full_speed: bool = True, past_the_end: bool = False) -> None:
        """Make up to `steps` steps: fewer where the run ends or its loss is no longer finite."""
        sampled = False
        if self.started is None:
            self.started = self.clock()
        while steps > 0 and self.diverged is None and (past_the_end or not self.done):
            if self.position.block is None:
                self._fetch()
            segment = self.position.take(steps)
            steps -= segment.steps
            step = self.network.step(segment.batch)
            start = self.clock()
            if segment.batch == self.batch and not sampled:
                losses = self._run_sampling(step, segment)
                sampled = True
            else:
                losses = step.run(segment.rows)
            self._account(step, segment, losses, self.clock() - start, full_speed)

    def _fetch(self) -> None:
        start = self.clock()
        block = self.position.fetch()
        if not self._making:  # a shuffle belongs to the data phase; making or loading rows does not
            self.tally.add_shuffle(self.clock() - start)
        self.network.attach(block.X, block.Y)

    def _run_sampling(self, step: BoundStep, segment: Segment) -> list[float]:
        """The segment with its last step timed phase by phase: caches are warm by then."""
        split = len(segment.rows) - segment.batch
        losses = step.run(segment.rows[:split]) if split else []
        if losses and not math.isfinite(losses[-1]):
            return losses
        loss, phases = step.run_timed(segment.rows[split:])
        self.tally.sample_phases(phases)
        return [*losses, loss]

    def _account(self, step: BoundStep, segment: Segment, losses: list[float], seconds: float, full_speed: bool) -> None:
        self.history.losses.extend(losses)
        self.paced = self.paced or not full_speed
        if not math.isfinite(losses[-1]):
            self.tally.add(step.program, losses[:-1], seconds, full_speed)
            self.diverged = divergence.locate(step, self.tally.steps + 1)
            return
        self.tally.add(step.program, losses, seconds, full_speed)
        if segment.ends_epoch:
            self.tally.end_epoch()
