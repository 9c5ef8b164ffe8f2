"""The rule on threads that wait for a core."""

from __future__ import annotations

from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading
from tuisim.units import counted, si

MIN_GAIN = 1.25
"""Fewer threads must be faster by this factor, above the spread of a measured step rate."""


def waiting_threads(reading: HealthReading) -> Hint | None:
    """Return a hint if fewer threads, measured during the run, make more steps per second.

    The threads of a matrix product wait for each other at its end, and OpenBLAS's spin meanwhile (OpenBLAS FAQ, "How can I use
    OpenBLAS in multi-threaded applications?" and its THREAD_TIMEOUT): one that has lost its core to another process holds up all.
    """
    trial = reading.thread_trial
    if trial is None or trial.fewer_steps_per_second < MIN_GAIN * trial.steps_per_second:
        return None
    words = (
        f"{si(trial.steps_per_second)} steps/s with {trial.threads}, {si(trial.fewer_steps_per_second)} with "
        f"{counted(trial.fewer, 'thread')}, measured while others use {trial.busy_cores:.1f} cores"
    )
    return Hint("waiting_threads", "threads wait for a core", words, "threads", trial.fewer)
