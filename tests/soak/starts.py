"""Signals and the quit key at every millisecond of a start, and right after a page was asked for."""

from __future__ import annotations

import random
import signal
import sys
import time

from tests.support.terminal import Terminal

from .tally import Tally

COMMAND = [sys.executable, "-m", "tuisim"]
ENVIRONMENT = {"TUISIM_CALIBRATION": "never"}
READY = "start training"
TAKEN = b"\x1b[?1049h"
ENDS = {"SIGTERM": 143, "SIGINT": 130, "SIGHUP": 129, "SIGQUIT": 131}
PATIENCE = 15.0


def stop_at(milliseconds: float, name: str, key: str = "") -> str:
    """Start the app, wait, send the signal called `name`, or press ctrl+q if it is that; what went wrong, empty if nothing.

    With `key` the time counts from pressing that key in the app as it stands.
    """
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        if key:
            terminal.wait_for(READY, 60)
            terminal.press(key)
        until = time.monotonic() + milliseconds / 1000
        while (left := until - time.monotonic()) > 0:
            terminal.read(left)
        return end_by(terminal, name)


def end_by(terminal: Terminal, name: str) -> str:
    """End it and check how it ended."""
    if name == "ctrl+q":
        # Before raw mode the key is the terminal's own (XON) and never reaches a program.
        until = time.monotonic() + 60
        while TAKEN not in terminal.raw or terminal.current_modes() == terminal.modes:
            if terminal.code is not None or time.monotonic() > until:
                return f"ended before the screen was taken: {terminal.code}"
            terminal.read(0.002)
        terminal.press("ctrl+q")
    else:
        terminal.signal(getattr(signal, name))
    code = terminal.wait_end(PATIENCE)
    if code is None:
        return "does not end"
    # A signal before the first line of ours ends the interpreter in its own way.
    shell = 128 - code if code < 0 else code
    wrong = [f"left on: {', '.join(left)}"] if (left := terminal.left_on()) else []
    if shell != ENDS.get(name, 0):
        wrong.append(f"exit code {code}")
    ours = TAKEN in terminal.raw
    if ours and (b"Traceback" in terminal.raw or b"failed" in terminal.raw):
        wrong.append(bytes(terminal.raw[-300:]).decode(errors="replace"))
    return "; ".join(wrong)


def start_seconds() -> float:
    """Measure the seconds from the start to the first screen."""
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        begun = time.monotonic()
        terminal.wait_for(READY, 60)
        return time.monotonic() - begun


def run(tally: Tally, rng: random.Random, every: float) -> None:
    """Each of `every` milliseconds of a start once, in random order; signals and key in turn, until the time is over."""
    start_seconds()
    whole = start_seconds()
    tally.notes.append(f"a start takes {whole * 1000:.0f} ms")
    moments = [number * every for number in range(int((whole + 0.1) * 1000 / every))]
    rng.shuffle(moments)
    names = [*ENDS, "ctrl+q"]
    for number, moment in enumerate(moments):
        if tally.left <= 0:
            break
        name = names[number % len(names)]
        tally.counts[f"starts ended by {name}"] += 1
        if wrong := stop_at(moment, name):
            tally.fail(f"{name} at {moment:.0f} ms: {wrong}")
