"""The terminal is always given back: by keys, by signals, after rubbish typed at it, after a failure, when it stalls."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there are no ptys on Windows", allow_module_level=True)

import errno
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

pytestmark = pytest.mark.pty

ROOT = Path(__file__).parents[2]
READY = b"start training"
PATIENCE = 60.0
"""Seconds after which a program that does not come up or does not end is given up on."""


class Terminal:
    """A program on a pseudo-terminal that this process keeps both ends of."""

    def __init__(self, *arguments: str) -> None:
        self.main, self.side = os.openpty()
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.before = termios.tcgetattr(self.side)
        self.output = b""
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=self.side,
            stdout=self.side,
            stderr=self.side,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )

    def read(self, seconds: float) -> None:
        """Take what is printed for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.main], [], [], left)[0]:
            try:
                self.output += os.read(self.main, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return

    def wait_for(self, words: bytes) -> None:
        end = time.monotonic() + PATIENCE
        while words not in self.output:
            assert self.process.poll() is None, self.output[-2000:]
            assert time.monotonic() < end, self.output[-2000:]
            self.read(0.1)

    def send(self, data: bytes) -> None:
        os.write(self.main, data)

    def ends(self) -> int:
        """Its exit code, with the terminal read on meanwhile."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it does not end"
            self.read(0.05)
        self.read(0.1)
        return self.process.returncode

    @property
    def restored(self) -> bool:
        """Return True if the terminal modes are restored, the full screen is left and the cursor is shown."""
        modes = termios.tcgetattr(self.side) == self.before
        return modes and b"\x1b[?1049l" in self.output and self.output.rindex(b"\x1b[?25h") > self.output.index(b"\x1b[?25l")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.main)
        os.close(self.side)


@pytest.fixture
def terminal() -> Iterator[Any]:
    opened: list[Terminal] = []

    def start(*arguments: str, ready: bytes | None = READY) -> Terminal:
        opened.append(Terminal(*(arguments or ("-m", "tuisim"))))
        if ready is not None:
            opened[-1].wait_for(ready)
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131), (signal.SIGINT, 130)],
)
def test_a_signal_ends_the_app_and_restores_the_terminal(terminal: Any, number: int, code: int) -> None:
    one = terminal()
    one.process.send_signal(number)
    assert one.ends() == code
    assert one.restored


@pytest.mark.parametrize(("keys", "code"), [(b"\x11", 0), (b"\t\x11", 0), (b"\x03", 130)])
def test_keys_end_the_app_and_restore_the_terminal(terminal: Any, keys: bytes, code: int) -> None:
    one = terminal()
    one.send(keys)
    assert one.ends() == code
    assert one.restored


@pytest.mark.parametrize(("end", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (b"\x11", 0), (b"\x03", 130)])
def test_a_run_in_training_does_not_delay_the_end(terminal: Any, end: int | bytes, code: int) -> None:
    one = terminal()
    one.send(b"\x12")
    one.wait_for(b"examples/s")
    if isinstance(end, bytes):
        one.send(end)
    else:
        one.process.send_signal(end)
    assert one.ends() == code
    assert one.restored


def test_a_terminal_that_takes_no_output_does_not_delay_the_end(terminal: Any) -> None:
    one = terminal()
    one.send(b"\t\x1b[B" * 400)  # more repaints than the terminal's buffer holds, and nobody reads them
    time.sleep(1)
    one.process.send_signal(signal.SIGTERM)
    one.process.wait(PATIENCE)
    assert one.process.returncode == 143
    assert termios.tcgetattr(one.side) == one.before


def test_a_second_signal_does_not_wait(terminal: Any) -> None:
    one = terminal()
    one.process.send_signal(signal.SIGTERM)
    one.process.send_signal(signal.SIGTERM)
    assert one.ends() == 143
    assert termios.tcgetattr(one.side) == one.before


def test_random_input_does_not_end_the_app(terminal: Any) -> None:
    one = terminal()
    for rubbish in (b"\xb8\xff\xfe", b"\x1b[48;0;0;0;0t\x1b[<35;10;10M", b"\x1b[1114112u\x1b[99999999u"):
        one.send(rubbish)
        one.read(0.3)
        assert one.process.poll() is None, rubbish
    one.send(b"\x11")
    assert one.ends() == 0
    assert one.restored


FAILING = """
import sys
from tuisim.tui import run_app
from tuisim.features.setup.screen import SetupScreen

def fail(self):
    raise RuntimeError("deliberately")

SetupScreen.on_mount = fail
sys.exit(run_app())
"""


def test_a_failure_of_the_app_is_one_line_and_exit_code_5(terminal: Any) -> None:
    one = terminal("-c", FAILING, ready=None)
    assert one.ends() == 5
    assert b"tuisim: the app failed: an unexpected fault: deliberately" in one.output
    assert b"Traceback" not in one.output
    assert one.restored


def test_without_a_terminal_the_app_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuisim"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "tuisim run" in done.stderr


@pytest.mark.parametrize("variable", ["TEXTUAL_DRIVER", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_LOG"])
def test_a_variable_of_textuals_that_cannot_be_used_is_one_line(terminal: Any, monkeypatch: Any, variable: str) -> None:
    monkeypatch.setenv(variable, "/no/such:\x1b[31mthing")
    one = terminal(ready=None)
    assert one.ends() == 2
    assert one.output.startswith(f"tuisim: {variable} = /no/such:\\x1b[31mthing: ".encode())
    assert one.output.count(b"\n") == 1
    assert one.restored or b"\x1b" not in one.output
