"""Signals from outside: ask the app to exit, and restore the terminal and end the process if it does not."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, NoReturn

PATIENCE = 1.5
"""Seconds that the app has to exit after a signal before the process is ended."""
LEAVE_PATIENCE = 5.0
"""The same after the key that quits; longer, because a loaded machine needs time to close screens."""

WRITE_SECONDS = 0.2
"""Seconds to wait for a terminal that accepts no output."""

# Mouse, focus and paste reporting off, keyboard protocol popped, line wrap on, main screen, cursor shown.
RESTORE = b"\x1b[?1003l\x1b[?1000l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?2048l\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h"

# Windows has neither hang-ups nor SIGQUIT.
_NAMES = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT")


class Signals:
    """A context that handles the signals that end a program; it is entered before the terminal is touched.

    Until `ask` is set there is nothing to restore, and a signal ends the process at once. Then the first signal calls `ask`
    with the exit code (128 + its number); a second one, or no end within PATIENCE, ends the process at once with that code.

    A handler may interrupt the main thread while it holds a lock, and a terminal that accepts no output blocks the event loop.
    A handler therefore only passes the number on to a thread that waits for it.
    """

    def __init__(self) -> None:
        """Handle no signals yet; the `with` statement installs the handlers."""
        self.ask: Callable[[int], object] | None = None
        """Ends the app with an exit code; called on a thread of its own."""
        self._terminal_before: list[Any] | None = None
        self._previous: dict[int, Any] = {}
        self._events: SimpleQueue[tuple[int, bool] | None] = SimpleQueue()  # its `put` may interrupt itself
        self._watcher = threading.Thread(target=self._watch, name="tuisim-signals", daemon=True)

    def __enter__(self) -> Signals:
        """Install the handlers; outside the main thread, where Python does not allow it, do nothing."""
        self._terminal_before = terminal_modes()
        if threading.current_thread() is threading.main_thread():
            self._watcher.start()
            for name in _NAMES:
                number = getattr(signal, name, None)
                if number is not None:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Restore the previous handlers: the app has ended and its terminal is restored."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
        self._events.put(None)

    def leaving(self, code: int) -> None:
        """Give the app LEAVE_PATIENCE seconds to exit with `code`."""
        self._events.put((code, False))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._events.put((128 + number, True))

    def _watch(self) -> None:
        asked = False  # by a signal
        code, deadline = 0, None
        while True:
            try:
                event = self._events.get(timeout=None if deadline is None else max(0.0, deadline - monotonic()))
            except Empty:
                self._end(code)
            if event is None:
                return
            number, signalled = event
            if signalled and (asked or self.ask is None):
                self._end(number)
            if signalled or deadline is None:
                code = number
                deadline = monotonic() + (PATIENCE if signalled else LEAVE_PATIENCE)
            if signalled and self.ask is not None:
                asked = True
                self.ask(code)

    def _end(self, code: int) -> NoReturn:
        if self.ask is not None:
            restore_terminal(self._terminal_before)
        os._exit(code)


def terminal_modes() -> list[Any] | None:
    """Return the current terminal modes; None without a terminal."""
    if sys.platform == "win32" or sys.__stdin__ is None:
        return None
    import termios

    try:
        return termios.tcgetattr(sys.__stdin__.fileno())
    except (OSError, ValueError, termios.error):
        return None


def restore_terminal(before: list[Any] | None) -> None:
    """Leave the full screen and restore the terminal modes; wait at most WRITE_SECONDS for a terminal that accepts no output."""
    stdin, stderr = sys.__stdin__, sys.__stderr__
    if sys.platform == "win32" or stdin is None or stderr is None:
        return
    # A terminal that is gone or accepts no output must not block the exit.
    with contextlib.suppress(OSError, ValueError):
        blocking = os.get_blocking(stderr.fileno())
        os.set_blocking(stderr.fileno(), False)
        try:
            if select.select([], [stderr], [], WRITE_SECONDS)[1]:
                os.write(stderr.fileno(), RESTORE)
        finally:
            # The shell shares this terminal and expects to wait for it.
            os.set_blocking(stderr.fileno(), blocking)
    if before is not None:
        import termios

        with contextlib.suppress(OSError, ValueError, termios.error):
            termios.tcsetattr(stdin.fileno(), termios.TCSANOW, before)
