"""A run on a simulated clock, so that readings are taken after the same steps on every machine."""

from __future__ import annotations

from functools import cache
from typing import Any

from tuisim.config import RunConfig
from tuisim.engine.control import Control
from tuisim.engine.health.reading import HealthReading
from tuisim.engine.loop import Loop
from tuisim.engine.session import Session

STEP_SECONDS = 20e-6
CALL_SECONDS = 1e-6


class SimulatedClock:
    """A clock that goes on by the steps that were made, and a little with each look at it."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._calls = 0

    def __call__(self) -> float:
        self._calls += 1
        steps = self.session.tally.steps if self.session is not None else 0
        return steps * STEP_SECONDS + self._calls * CALL_SECONDS


@cache
def cached_reading(config: RunConfig) -> HealthReading:
    """Return the last reading of a run with the data that it names; several rules judge the same one."""
    return reading(config)


def reading(config: RunConfig, data: tuple[Any, Any] | None = None, parameters: Any = None) -> HealthReading:
    """Train a run to its end and return its last reading."""
    clock = SimulatedClock()
    session = Session(config, data, parameters, clock)
    clock.session = session
    loop = Loop(session, None, Control(), False)
    with session.backend.threads(1):
        loop.run()
    return loop.health.reading()
