"""The attack's reproductions in a real terminal: signals while the app starts, stop and continue, floods, keys that come at once.

Their long versions are `python -m tests.soak`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.pty, pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")]
if sys.platform != "win32":
    from tests.soak.starts import COMMAND, ENDS, ENVIRONMENT, READY, TAKEN, end_by, stop_at
    from tests.soak.storms import resident, send
    from tests.support.terminal import Terminal

NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "ctrl+q")


def test_every_signal_has_its_exit_code() -> None:
    assert {128 + getattr(signal, name) for name in ENDS} == set(ENDS.values())


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [(NAMES[number % 5], random.Random(number).uniform(0, 160)) for number in range(10)],
    ids=lambda value: value if isinstance(value, str) else f"{value:.0f}",
)
def test_a_signal_while_the_app_starts_ends_it_like_a_later_one(name: str, milliseconds: float) -> None:
    """The time counts from the moment that the terminal is taken, which is where the screens begin to be built."""
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        while TAKEN not in terminal.raw:
            terminal.read(0.001)
            assert terminal.code is None
        terminal.read(milliseconds / 1000)
        assert end_by(terminal, name) == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_before_the_full_screen_leaves_the_terminal_alone(name: str) -> None:
    assert stop_at(200, name) == ""


@pytest.mark.parametrize(("key", "name"), [("f7", "SIGTERM"), ("?", "ctrl+q"), ("f9", "SIGHUP")])
def test_a_signal_while_a_page_opens(key: str, name: str) -> None:
    assert stop_at(random.Random(key).uniform(0, 40), name, key) == ""


@pytest.mark.parametrize("gap", [None, 0.0, 0.05, 0.3])
def test_the_app_goes_on_after_stop_and_continue(gap: float | None) -> None:
    """A continue signal without a stop, right after it, and later."""
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        terminal.wait_for(READY, 60)
        raw = terminal.current_modes()
        if gap is not None:
            terminal.signal(signal.SIGTSTP)
            terminal.read(gap)
        terminal.signal(signal.SIGCONT)
        until = time.monotonic() + 30
        while "cost fit" not in terminal.text:  # a key sent before the app is back is echoed by the terminal, and lost
            assert time.monotonic() < until, terminal.text
            terminal.press("f12")
            terminal.read(1.0)
        assert terminal.current_modes() == raw
        assert end_by(terminal, "ctrl+q") == ""


def test_a_stopped_app_has_restored_the_terminal() -> None:
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        terminal.wait_for(READY, 60)
        terminal.signal(signal.SIGTSTP)
        until = time.monotonic() + 30
        while os.waitid(os.P_PID, terminal.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
            assert time.monotonic() < until, "it does not stop"
            terminal.read(0.02)
        terminal.drain()
        assert terminal.left_on() == []
        terminal.signal(signal.SIGCONT)
        terminal.read(0.5)
        assert "mode 1049" in terminal.left_on()
        assert end_by(terminal, "SIGTERM") == ""


FLOODS = {
    "digits": b"7" * 100_000,
    "keys": b"1\t\r" * 30_000,
    "control sequence": b"\x1b[" + b"1;" * 500_000,
    "command string": b"\x1b]52;c;" + b"A" * 1_000_000,
    "paste of escapes": b"\x1b[200~" + b"\x1b" * 1_000_000,
    "paste without end": b"\x1b[200~",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_takes_no_memory_and_the_quit_key_works(flood: str) -> None:
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        terminal.wait_for(READY, 60)
        terminal.press("down")
        before = resident(terminal.pid)
        os.set_blocking(terminal.fd, False)
        send(terminal, FLOODS[flood])
        assert resident(terminal.pid) - before < 60
        send(terminal, b"\x11")
        assert terminal.wait_end(20) == 0
        assert terminal.left_on() == []


def test_many_keys_at_once_end_neither_app_nor_training(own_folder: Path) -> None:
    with Terminal(COMMAND, environment=ENVIRONMENT) as terminal:
        terminal.wait_for(READY, 60)
        terminal.press("right", "enter", "ctrl+r")
        terminal.wait_for("● training")
        for keys in (b"\x10\x1b[6~\x1b[5~", b"\x1b\x1b\x1b", b"\x1bOQ\x1b\x1bOR\x1b[21~\x10\x1b"):
            os.write(terminal.fd, keys)
            terminal.read(0.5)
        for _ in range(3):
            if "● training" not in terminal.text:
                terminal.press("escape")
                terminal.read(0.3)
        assert terminal.code is None
        assert not (own_folder / "tuisim.log").exists()
        assert end_by(terminal, "ctrl+q") == ""
