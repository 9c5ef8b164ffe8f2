"""A terminal driver that survives bad input, floods of input, and stop and continue signals at any moment."""

from __future__ import annotations

import os
import selectors
import signal
import sys
from codecs import getincrementaldecoder
from time import monotonic
from typing import Any
from weakref import WeakSet

from textual import constants
from textual.driver import Driver
from textual.events import InputEvent, Key, Paste
from textual.message import Message

from tuisim.tui.intake import Intake
from tuisim.tui.textual_compat import QUIT_KEY, Guard, linux_driver

MAX_INPUT_ERRORS = 10_000
"""Unreadable bursts of input after which the app ends: the terminal is broken."""
MAX_WAITING = 1_000
"""Keys, mouse events and pastes that may wait to be handled; more are dropped, except the quit key."""


def _quits(message: Message) -> bool:
    return isinstance(message, Key) and message.key == QUIT_KEY


def terminal_driver() -> type[Driver] | None:
    """Return the driver to use; None for Textual's choice (Windows, a browser, one named by TEXTUAL_DRIVER)."""
    if sys.platform == "win32" or constants.DRIVER is not None:
        return None
    base = linux_driver()

    class SafeDriver(base):  # type: ignore[misc,valid-type]
        """Reads within bounds, survives input that cannot be read, and stops and continues on the event loop."""

        def __init__(self, app: Any, **options: Any) -> None:
            super().__init__(app, **options)
            self._waiting: WeakSet[Message] = WeakSet()
            self._suspended = False
            self._stop_asked = False
            # Textual's own handlers write to the terminal wherever they interrupt the program. They also treat every continue
            # signal as the end of a stop; without a stop, they would save raw mode as the mode to restore at the end.
            # The event loop calls its handlers in the order of the signals; Python's own go by number, a continue before a stop.
            self.event_loop.add_signal_handler(signal.SIGTSTP, self._stop_signalled)
            self.event_loop.add_signal_handler(signal.SIGCONT, self._continue_signalled)
            signal.signal(signal.SIGCONT, self._cancel_stop)  # at once, as well as the loop's handler in its turn

        # ── input ──

        def read_terminal(self) -> None:
            errors = 0
            while not self.exit_event.is_set():
                try:
                    self.run_input_thread()
                    return
                except OSError as error:
                    # The terminal itself is gone; reading again would only spin.
                    self.textual_app.call_later(self.textual_app.panic, f"the terminal cannot be read: {error.strerror or error}")
                    return
                except Exception as error:
                    errors += 1
                    if errors >= MAX_INPUT_ERRORS:
                        self.textual_app.call_later(self.textual_app.panic, f"the terminal sends nothing readable: {error}")
                        return

        def run_input_thread(self) -> None:
            """Read and dispatch until the driver stops, with a fresh parser and decoder."""
            intake = Intake()
            decode = getincrementaldecoder("utf-8")("replace").decode
            with selectors.SelectSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    if selector.select(intake.wait):
                        if not (data := os.read(self.fileno, 4096)):
                            self.exit_event.wait(0.1)
                        take = intake.skip if len(self._waiting) >= MAX_WAITING else intake.feed
                        self._dispatch(take(decode(data), monotonic()))
                    else:
                        self._dispatch(intake.tick(monotonic()))
                    if intake.unreadable >= MAX_INPUT_ERRORS:
                        self.textual_app.call_later(self.textual_app.panic, "the terminal sends nothing readable")
                        return

        def _dispatch(self, messages: list[Message]) -> None:
            if isinstance(self.textual_app, Guard) and any(map(_quits, messages)):
                self.textual_app.quit_soon()  # what was sent before it is not waited for
            for message in messages:
                if isinstance(message, InputEvent | Paste):
                    if len(self._waiting) >= MAX_WAITING and not _quits(message):
                        continue
                    self._waiting.add(message)
                self.process_message(message)

        # ── stop and continue ──

        def _stop_signalled(self) -> None:
            self._stop_asked = True
            self.event_loop.call_soon(self._stop)

        def _continue_signalled(self) -> None:
            self._stop_asked = False
            self.event_loop.call_soon(self._continue)

        def _cancel_stop(self, *_: object) -> None:
            """Cancel a stop that has not happened yet, as the system does when a process is continued."""
            self._stop_asked = False

        def _stop(self) -> None:
            """Leave the terminal and stop the process, unless it was continued meanwhile."""
            if not self._stop_asked:
                return
            if self.is_full_screen and not self._suspended:
                self._suspended = True
                self.suspend_application_mode()
            if self._stop_asked:
                self._stop_asked = False
                os.kill(os.getpid(), signal.SIGSTOP)

        def _continue(self) -> None:
            """Take the terminal again; it may have been changed while the process was stopped."""
            if not self.is_full_screen:
                return
            if not self._suspended:
                self.suspend_application_mode()
            self.resume()
            # A process in the background cannot take the terminal; the next continue signal tries again.
            self._suspended = not self.is_reading
            if not self._suspended:
                self.textual_app.refresh(layout=True)

    return SafeDriver
