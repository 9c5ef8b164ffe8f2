"""Signals from outside: ask the app to end, and restore the terminal by force where it does not answer.

It knows terminals and signals, and nothing of runs or screens.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 1.5
"""Seconds the app has to end by itself before the terminal is restored without it."""

# Mouse, focus and paste reporting off, keyboard protocol popped, line wrap on, main screen, cursor shown.
RESTORE = b"\x1b[?1003l\x1b[?1000l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h"

# Windows has neither hang-ups nor SIGQUIT.
_NAMES = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT")


class Signals:
    """Handlers for the signals that end a program, from `install` to `remove`.

    The first signal calls `ask` with the exit code (128 + its number); a second one, or no end within PATIENCE, ends the
    process at once with that code. A plain handler and a thread of its own, because the event loop stands still while a
    stalled terminal takes no output.
    """

    def __init__(self, ask: Callable[[int], object], terminal_before: list[Any] | None) -> None:
        self._ask = ask
        self._terminal_before = terminal_before
        self._previous: dict[int, Any] = {}
        self._asked = False

    def install(self) -> None:
        """Take the signals over; only the main thread may, elsewhere nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None:
                self._previous[number] = signal.signal(number, self._handle)

    def remove(self) -> None:
        """Give the signals back, unless one is being obeyed: then its deadline still holds."""
        if not self._asked:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        code = 128 + number
        if self._asked:
            self._end(code)
        self._asked = True
        deadline = threading.Timer(PATIENCE, self._end, (code,))
        deadline.daemon = True
        deadline.start()
        self._ask(code)

    def _end(self, code: int) -> None:
        restore_terminal(self._terminal_before)
        os._exit(code)


def restore_terminal(before: list[Any] | None) -> None:
    """Leave the full screen and set the line discipline back, without ever waiting for the terminal."""
    stdin, stderr = sys.__stdin__, sys.__stderr__
    if sys.platform == "win32" or stdin is None or stderr is None:
        return
    # A terminal that is gone or takes no more output must not keep the process.
    with contextlib.suppress(OSError, ValueError):
        blocking = os.get_blocking(stderr.fileno())
        os.set_blocking(stderr.fileno(), False)
        try:
            os.write(stderr.fileno(), RESTORE)
        finally:
            # The shell shares this terminal and expects to wait for it.
            os.set_blocking(stderr.fileno(), blocking)
    if before is not None:
        import termios

        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(stdin.fileno(), termios.TCSANOW, before)
