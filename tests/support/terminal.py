"""A program in a real pseudo-terminal, with its screen, its keys and its exit code."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable
from types import TracebackType

import pyte

KEYS = {
    "enter": "\r", "tab": "\t", "escape": "\x1b", "space": " ", "backspace": "\x7f",
    "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F",
    "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f6": "\x1b[17~", "f7": "\x1b[18~",
    "f8": "\x1b[19~", "f9": "\x1b[20~", "f10": "\x1b[21~", "f12": "\x1b[24~",
    "ctrl+q": "\x11", "ctrl+r": "\x12", "ctrl+c": "\x03", "ctrl+n": "\x0e", "ctrl+p": "\x10", "ctrl+u": "\x15",
}  # fmt: skip

# pyte knows the sequences of older terminals; what asks about or sets newer modes would end up as text on its screen.
_UNKNOWN_TO_PYTE = re.compile(
    rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\[\?[0-9;]*u|\x1b\[[0-9;]* q|\x1b[P_^X][^\x1b]*\x1b\\\\"
)


# Alternate screen, mouse, focus and paste reporting.
_MODES = (b"1049", b"1000", b"1003", b"1004", b"1006", b"1015", b"2004")


class Terminal:
    """`command` in a pseudo-terminal of `columns` × `rows`, which `with` ends."""

    def __init__(self, command: list[str], columns: int = 120, rows: int = 36, environment: dict[str, str] | None = None) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        """All bytes the program has written."""
        self.code: int | None = None
        """The exit code once the program has ended; minus the signal if one ended it."""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            # Python's own idea of the environment: readline puts a size into C's, which would win over the terminal's.
            told = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
            told |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | (environment or {})
            try:
                os.execvpe(command[0], command, told)
            finally:
                os._exit(127)
        self.resize(columns, rows)
        self.modes = termios.tcgetattr(self._fd)
        """The terminal's modes before the program changed them."""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_end(5)
        os.close(self._fd)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def left_on(self) -> list[str]:
        """List the terminal modes that the program changed and did not restore: private modes, line discipline, cursor."""
        last = dict(re.findall(rb"\x1b\[\?(\d+)([hl])", bytes(self.raw)))
        left = [f"mode {number.decode()}" for number in _MODES if last.get(number) == b"h"]
        if last.get(b"25") == b"l":
            left.append("cursor hidden")
        return left if self.current_modes() == self.modes else [*left, "line discipline"]

    @property
    def fd(self) -> int:
        """The user's side of the pseudo-terminal."""
        return self._fd

    def drain(self) -> None:
        """Read what a program wrote before it ended."""
        while select.select([self._fd], [], [], 0.1)[0]:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.raw += data

    def current_modes(self) -> list[object]:
        return termios.tcgetattr(self._fd)

    def press(self, *keys: str) -> None:
        """Press keys by name, or type characters."""
        for key in keys:
            os.write(self._fd, KEYS.get(key, key).encode())
            self.read(0.05)

    def click(self, column: int, row: int) -> None:
        """Click the left button at a cell, from 1."""
        os.write(self._fd, f"\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m".encode())
        self.read(0.05)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def read(self, seconds: float) -> None:
        """Read what the program writes for `seconds`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self.code is None:
            if select.select([self._fd], [], [], left)[0]:
                try:
                    data = os.read(self._fd, 1 << 16)
                except OSError:  # the other side is closed: the program has ended
                    data = b""
                if not data:
                    self._reap(block=True)
                    return
                self.raw += data
                self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data))

    def wait_for(self, condition: str | Callable[[str], bool], seconds: float = 15.0) -> str:
        """Read until a text is on the screen, or a condition on it holds; return the screen's text."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = self.text
            if condition in text if isinstance(condition, str) else condition(text):
                return text
            self.read(0.05)
            if self.code is not None:
                break
        raise AssertionError(f"not seen within {seconds} s: {condition!r}; the screen:\n{self.text}")

    def wait_end(self, seconds: float) -> int | None:
        """Read until the program has ended; return its exit code, None if it has not."""
        until = time.monotonic() + seconds
        while self.code is None and time.monotonic() < until:
            self.read(0.02)
            self._reap(block=False)
        return self.code

    def _reap(self, block: bool) -> None:
        if self.code is None:
            done, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
