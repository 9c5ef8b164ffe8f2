"""The trainer: trains a network one step at a time or to the end, synchronously, for scripts, commands, tests and the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.config import RunConfig
from tuisim.data.info import KeptRows
from tuisim.engine.control import Control
from tuisim.engine.events import Event, Snapshot, State
from tuisim.engine.look import Look
from tuisim.engine.loop import Loop
from tuisim.engine.network import Parameters
from tuisim.engine.session import Session
from tuisim.engine.summary import Summary
from tuisim.errors import ConfigError, DataError, Mistake, RunError
from tuisim.stages import Stages

Emit = Callable[[Event | Snapshot], None]


class Trainer:
    """A run of `config`.

    `data`: (X, y) of the caller, scaled only if `scaling` is not "auto": X (rows, inputs); y class numbers (rows,) or one-hot
    rows for cross_entropy, else (rows, outputs). `parameters`: [(W, b)] to start from, W (inputs, outputs), b (outputs,).
    `stages` gets the stages of the start, with their progress.

    Raises ConfigError, BackendError, DataError or MemoryNeeded, each before anything large is allocated.
    """

    def __init__(
        self,
        config: RunConfig,
        data: tuple[Any, Any] | None = None,
        parameters: Sequence[tuple[Any, Any]] | None = None,
        *,
        clock: Callable[[], float] = perf_counter,
        stages: Stages | None = None,
    ) -> None:
        if data is not None and not (isinstance(data, tuple | list) and len(data) == 2):
            raise DataError("data is a pair (X, y) of arrays: give both")
        given: Parameters | None = None
        if parameters is not None:
            try:
                given = [(np.asarray(weights), np.asarray(biases)) for weights, biases in parameters]
            except (TypeError, ValueError):
                remedy = "a list of pairs (W, b) of arrays"
                raise ConfigError([Mistake("parameters", type(parameters).__name__, remedy)]) from None
        self._session = Session(config, data, given, clock, stages)
        self._stepped = False
        self._loop: Loop | None = None

    @property
    def config(self) -> RunConfig:
        """The resolved configuration: every default filled in, `examples` the real volume."""
        return self._session.config

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on scaling, shuffling and repetition of the data, and on the backend that `auto` chose."""
        return self._session.notes

    @property
    def kept_rows(self) -> KeptRows | None:
        """The rows of data in memory; None if they are generated again each epoch."""
        return self._session.data.kept_rows

    def step(self) -> float:
        """Make one step on the next batch, also past the last epoch; return its loss before the update.

        Raises RunError if the loss is no longer finite.
        """
        session = self._session
        self._stepped = False
        with session.backend.threads(session.threads):
            session.advance(1, past_the_end=True)
        if session.divergence is not None:
            raise RunError(session.divergence)
        self._stepped = True
        loss = session.tally.chunk_loss
        assert loss is not None
        return loss

    def gradients(self) -> Parameters:
        """Return [(gW, gb)] of the latest `step()`: of its mean data loss at the parameters before its update, without decay.

        Host copies. Raises RunError unless `step()` was the latest call that trained.
        """
        if not self._stepped:
            raise RunError("gradients are kept by step(); call it first")
        return self._session.network.gradients()

    def parameters(self) -> Parameters:
        """Return the current parameters [(W, b)], host copies."""
        return self._session.network.parameters()

    def run(self, emit: Emit | None = None, control: Control | None = None, *, instrumented: bool = True) -> Summary:
        """Train to the end, or until `control` stops the run.

        `emit` is called with every event and, about twelve times per second, with a snapshot, on the calling thread; without
        it no snapshot is made. If `instrumented`, gradient samples are taken and the machine's peaks are measured for it.
        """
        self._stepped = False
        self._loop = Loop(self._session, emit, control or Control(), instrumented)
        return self._loop.run()

    @property
    def can_reopen(self) -> bool:
        """True if the latest run has kept earlier states to return to, and did not fail."""
        loop = self._loop
        return loop is not None and loop.timeline is not None and loop.state.ended and loop.state is not State.FAILED

    def reopen(self, emit: Emit, control: Control) -> Summary:
        """Go on with the latest run after its end, paused at first. Raises RunError unless it `can_reopen`."""
        if self._loop is None or not self.can_reopen:
            raise RunError("the run has kept no earlier steps")
        return self._loop.reopen(emit, control)

    def look(self, look: Look) -> None:
        """Take a look at the latest run after its end."""
        if self._loop is not None:
            self._loop.take_look(look)

    def summary_so_far(self) -> Summary | None:
        """Return the summary of the run at this moment, from any thread; None before the first batch.

        Raises RuntimeError if the run changes it meanwhile.
        """
        return None if self._loop is None or self._session.started is None else self._loop.summary()
