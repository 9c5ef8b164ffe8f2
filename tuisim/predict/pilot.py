"""A pilot: the step of a configuration, timed on this machine for about 50 ms on generated rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean
from time import perf_counter, thread_time

from tuisim.accounting import count
from tuisim.backends import choose, get_backend, has_own_memory
from tuisim.config import RunConfig
from tuisim.engine import memory_check
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.predict.prediction import Interval

PILOT_SECONDS, ROUND_SECONDS = 0.05, 0.004
"""Seconds of timed steps, and of a round of them."""
MIN_ROUNDS = 2
MAX_STEP_SECONDS = 0.5
"""A step that is predicted to take longer is not timed."""
MIN_CPU_SHARE = 0.5
"""Share of the time that this thread must compute: while the app draws a page, each call of NumPy waits for the interpreter's
lock, and a step may take a thousand times as long. A device, or other threads, may compute instead."""
MIN_ERROR = 0.1
"""Minimum relative half-width of the interval, since later steps differ from those of the 50 ms; measured on two shared cores."""


@dataclass(frozen=True, slots=True)
class Pilot:
    """A configuration's step as it was timed here."""

    step: Interval
    """Seconds: the mean of the rounds, and an interval that holds all of them."""
    seconds: float
    """Duration of the timing."""


def step_of(config: RunConfig) -> RunConfig:
    """Return `config` resolved, with the same value for fields that do not affect the time of a step."""
    return replace(config, backend=choose(config).name, epochs=1, seed=0).of_known_length().resolved()


def time_pilot(config: RunConfig, seconds: float = PILOT_SECONDS, wanted: Callable[[], bool] = lambda: True) -> Pilot | None:
    """Time the step of `config` for `seconds`; None once it is no longer `wanted`, or if this thread had too little CPU time.

    Binding, compiling and first calls come before and are not timed. Raises MemoryNeeded if the step or its rows do not fit, and
    what a backend raises.
    """
    backend = get_backend(choose(config).name)
    config = replace(config, backend=backend.name).of_known_length().resolved()
    assert config.threads is not None
    memory_check.check(config, backend)
    ledger = count(config)
    if not wanted():
        return None
    with backend.threads(config.threads):
        case = BenchmarkCase(config, ledger.batch, ROUND_SECONDS, examples=ledger.examples or ledger.batch)
        rounds: list[float] = []
        start, computed = perf_counter(), thread_time()
        while len(rounds) < MIN_ROUNDS or perf_counter() - start < seconds:
            if not wanted():
                return None
            rounds.append(case.timed())
        taken, computed = perf_counter() - start, thread_time() - computed
    if not has_own_memory(backend.name) and config.threads == 1 and computed < MIN_CPU_SHARE * taken:
        return None
    mean = fmean(rounds)
    low, high = min(*rounds, mean * (1 - MIN_ERROR)), max(*rounds, mean * (1 + MIN_ERROR))
    return Pilot(Interval(low, mean, high), taken)
