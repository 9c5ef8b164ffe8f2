"""The trainer: a network, its data and its place in them, one step at a time or to the end.

A plain synchronous object; the same loop serves scripts, the command line, tests and the app's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.config import RunConfig
from tuisim.data.info import KeptRows
from tuisim.engine import report
from tuisim.engine.control import Control
from tuisim.engine.events import Event, Snapshot
from tuisim.engine.loop import Loop
from tuisim.engine.network import Parameters
from tuisim.engine.session import Session
from tuisim.engine.summary import Summary
from tuisim.errors import ConfigError, DataError, Mistake, RunError

Emit = Callable[[Event | Snapshot], None]


class Trainer:
    """Trains what `config` says.

    `data`: (X, y) of the caller's own, used as they are: X (rows, inputs); y class numbers (rows,) for cross_entropy, else
    (rows, outputs). `parameters`: [(W, b)] to start from, W (inputs, outputs), b (outputs,).

    Raises ConfigError, BackendError, DataError or MemoryNeeded, each before anything large is allocated.
    """

    def __init__(
        self,
        config: RunConfig,
        data: tuple[Any, Any] | None = None,
        parameters: Sequence[tuple[Any, Any]] | None = None,
        *,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        if data is not None and not (isinstance(data, tuple | list) and len(data) == 2):
            raise DataError("data is a pair (X, y) of arrays: give both")
        given = None if parameters is None else _pairs(parameters)
        self._session = Session(config, data, given, clock)
        self._stepped = False
        self._loop: Loop | None = None

    @property
    def config(self) -> RunConfig:
        """As resolved: every default filled in, `examples` the real volume."""
        return self._session.config

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: how the data are scaled and shuffled, rounds, which backend `auto` came to."""
        return self._session.notes

    @property
    def kept_rows(self) -> KeptRows | None:
        """The rows of data in memory; None where they are made again each epoch."""
        return self._session.data.kept_rows

    def step(self) -> float:
        """One step on the next batch; its loss before the update. Goes on past the last epoch.

        Raises RunError where the loss is no longer finite.
        """
        session = self._session
        self._stepped = False
        with session.backend.threads(session.threads):
            session.advance(1, past_the_end=True)
        if session.diverged is not None:
            raise RunError(session.diverged)
        self._stepped = True
        loss = session.tally.chunk_loss
        assert loss is not None
        return loss

    def gradients(self) -> Parameters:
        """[(gW, gb)] of the latest `step()`: of its mean data loss at the parameters before its update, without decay.

        Host copies. Raises RunError unless the latest thing done was a `step()`.
        """
        if not self._stepped:
            raise RunError("gradients are kept by step(); call it first")
        return self._session.network.gradients()

    def parameters(self) -> Parameters:
        """[(W, b)] as they are now, host copies."""
        return self._session.network.parameters()

    def run(self, emit: Emit | None = None, control: Control | None = None, *, probing: bool = True) -> Summary:
        """Train to the end, or until `control` says stop.

        `emit` is handed every event and, about twelve times a second, a snapshot, on the calling thread; without it no
        snapshot is made. `probing` has the gradients looked at and this machine's peaks measured for whoever watches.
        """
        self._stepped = False
        self._loop = Loop(self._session, emit, control or Control(), probing)
        return self._loop.run()

    def summary_so_far(self) -> Summary | None:
        """Return the summary of the run at this moment, from any thread; None before its first batch.

        Raises RuntimeError where the run changes it meanwhile.
        """
        return None if self._loop is None or self._session.started is None else report.summary(self._loop)


def _pairs(parameters: Sequence[tuple[Any, Any]]) -> Parameters:
    """Arrays of what the caller has. Raises ConfigError where it is no list of pairs."""
    try:
        return [(np.asarray(weights), np.asarray(biases)) for weights, biases in parameters]
    except (TypeError, ValueError):
        raise ConfigError([Mistake("parameters", type(parameters).__name__, "a list of pairs (W, b) of arrays")]) from None
