"""Run after run in one app: memory must not grow with their number."""

from __future__ import annotations

import random
import sys
import tempfile

from tests.support.terminal import Terminal

from .starts import COMMAND, ENVIRONMENT, READY
from .storms import resident
from .tally import Tally

WARM = 12
"""Runs before the first look: caches of fixed size fill up."""
MAX_PER_RUN = 0.15
"""MiB; one screen of drawn lines is more than twice that."""


def run(tally: Tally, rng: random.Random) -> None:
    """Start and leave runs until the time is over; pages and sizes as they come."""
    if not sys.platform.startswith("linux"):
        tally.notes.append("needs /proc")
        return
    with tempfile.TemporaryDirectory() as home, Terminal(COMMAND, environment=ENVIRONMENT | {"TUISIM_HOME": home}) as terminal:
        terminal.wait_for(READY, 60)
        terminal.press("right", "enter")
        terminal.read(0.5)
        begun = 0.0
        while tally.left > 3:
            terminal.press("ctrl+r")
            terminal.wait_for("● training", 30)
            terminal.read(rng.uniform(0.2, 0.4))
            terminal.press("escape")
            terminal.wait_for(READY, 30)
            terminal.read(0.5)  # runs are not started more often than every 0.7 s
            tally.counts["runs"] += 1
            if tally.counts["runs"] == WARM:
                begun = resident(terminal.pid)
        counted = tally.counts["runs"] - WARM
        if counted > 0:
            grown = resident(terminal.pid) - begun
            tally.notes.append(f"{grown:+.1f} MiB over {counted} runs after the first {WARM}")
            if grown > max(3.0, MAX_PER_RUN * counted):
                tally.fail(f"{grown / counted:.2f} MiB kept by each run")
        terminal.press("ctrl+q")
        if terminal.wait_end(20) != 0:
            tally.fail(f"exit code {terminal.code}")
