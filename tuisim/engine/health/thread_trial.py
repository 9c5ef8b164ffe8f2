"""Threads that wait for a core, and the step rate that fewer of them would have, measured during the run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThreadTrial:
    """Steps per second of the run with its threads, and of the same step with fewer."""

    threads: int
    steps_per_second: float
    fewer: int
    fewer_steps_per_second: float
    busy_cores: float
    """Cores that other processes used meanwhile."""
