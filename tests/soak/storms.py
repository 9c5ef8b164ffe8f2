"""Seeded storms of keys, mouse events, pastes, rubbish and sizes against the app while it trains."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.terminal import KEYS, Terminal

from .starts import ENVIRONMENT, READY
from .tally import Tally

APP = """
import os, sys
from tuisim.tui import app, run_app

quit = app.TuisimApp.action_quit

async def quit_in_the_end(self):
    if os.path.exists(os.environ["SOAK_END"]):
        await quit(self)

app.TuisimApp.action_quit = quit_in_the_end
sys.exit(run_app())
"""
"""The palette and a click on the line of keys can quit, too: only the end of the storm does."""
# What ends the app on purpose is not pressed.
_NAMED = [key for key in KEYS if key not in ("ctrl+q", "ctrl+c")]
_LETTERS = "abcdefghijklmnoprstuvwxyzRLT0123456789.,-+<>[]/?"
# Nor pasted: terminals take control characters out of a paste, and one that never ends hears the quit key.
_ENDING = bytes((3, 0x11, 0x1A, 0x1B, 0x1C))
_RUBBISH = (
    b"\xb8\xff\xfe",
    b"\x1b[1114112u",
    b"\x1b[48;0;0;0;0t",
    b"\x1b]52;c;QUJD",
    b"\x1b[" + b"1;" * 500,
    b"\x1b[200~",
    b"\x1b\x1b\x1b",
)
SIZES = ((120, 36), (60, 20), (59, 19), (200, 60), (1, 1), (80, 24))
MEMORY_MIB = 250
"""Growth of a storm that is a failure; a page that measures may import a compiler, which takes half of it."""


def resident(pid: int) -> float:
    """Resident memory in MiB; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    except OSError:
        return 0.0


def send(terminal: Terminal, data: bytes, seconds: float = 20.0) -> None:
    """Send all of `data` and read meanwhile, as a terminal does."""
    until = time.monotonic() + seconds
    while data and terminal.code is None and time.monotonic() < until:
        try:
            data = data[os.write(terminal.fd, data) :]
        except BlockingIOError:
            terminal.read(0.01)


def event(rng: random.Random) -> tuple[str, bytes]:
    """One thing that a terminal may send: its kind and its bytes."""
    kind = rng.choices(("keys", "mouse", "pastes", "rubbish"), (80, 12, 4, 4))[0]
    if kind == "keys":
        return kind, KEYS.get(key := rng.choice((*_NAMED, rng.choice(_LETTERS))), key).encode()
    if kind == "mouse":
        button, x, y = rng.choice((0, 0, 2, 35, 64, 65)), rng.randint(1, 130), rng.randint(1, 40)
        return kind, f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m".encode()
    if kind == "pastes":
        return kind, b"\x1b[200~" + rng.randbytes(rng.choice((3, 300, 30_000))).translate(None, _ENDING) + b"\x1b[201~"
    return kind, rng.choice(_RUBBISH)


def storm(tally: Tally, seed: int, seconds: float) -> None:
    """One app for so long; it must live, answer the quit key, give the terminal back and have had no fault."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        _storm(tally, rng, seed, seconds, Path(folder))


def _storm(tally: Tally, rng: random.Random, seed: int, seconds: float, home: Path) -> None:
    ending = home / "end"
    environment = ENVIRONMENT | {"TUISIM_HOME": str(home), "SOAK_END": str(ending)}
    with Terminal([sys.executable, "-c", APP], environment=environment) as terminal:
        terminal.wait_for(READY, 60)
        terminal.press("right", "enter", "ctrl+r")
        terminal.read(2.0)
        before, until = resident(terminal.pid), time.monotonic() + seconds
        os.set_blocking(terminal.fd, False)
        while time.monotonic() < until and terminal.code is None:
            for _ in range(rng.choice((1, 1, 5, 60))):
                kind, data = event(rng)
                tally.counts[kind] += 1
                send(terminal, data)
            if rng.random() < 0.05:
                tally.counts["sizes"] += 1
                terminal.resize(*rng.choice(SIZES))
            terminal.read(rng.choice((0.001, 0.02, 0.1)))
        grown = resident(terminal.pid) - before
        tally.counts["storms"] += 1
        ending.touch()
        end(tally, terminal, seed, home / "tuisim.log")
        tally.notes.append(f"seed {seed}: {grown:+.0f} MiB")
        if grown > MEMORY_MIB:
            tally.fail(f"seed {seed}: {grown:.0f} MiB more after the storm")


def said(terminal: Terminal) -> str:
    """Return the last lines that the program printed."""
    terminal.drain()
    at = terminal.raw.rfind(b"tuisim: ")
    return bytes(terminal.raw[at : at + 300] if at >= 0 else terminal.raw[-100:]).decode(errors="replace")


def end(tally: Tally, terminal: Terminal, seed: int, log: Path) -> None:
    if terminal.code is None:
        begun = time.monotonic()
        send(terminal, b"\x11")
        terminal.wait_end(20)
        if (waited := time.monotonic() - begun) > 5:
            tally.fail(f"seed {seed}: {waited:.1f} s until the quit key was obeyed")
    else:
        tally.fail(f"seed {seed}: it ended by itself: {said(terminal)}")
    if terminal.code != 0 or terminal.left_on():
        tally.fail(f"seed {seed}: exit code {terminal.code}, left on: {terminal.left_on()}: {said(terminal)}")
    if log.exists():
        tally.fail(f"seed {seed}: faults:\n{log.read_text()[-4000:]}")


def run(tally: Tally, rng: random.Random) -> None:
    while tally.left > 8:
        storm(tally, rng.randrange(2**32), min(25.0, tally.left - 6))
