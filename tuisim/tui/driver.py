"""A terminal driver that outlives bad input: bytes that are no UTF-8, impossible sizes, impossible code points.

It does not know what the input means; it only starts reading afresh where Textual's own reader would end the app.
"""

from __future__ import annotations

import sys

from textual import constants
from textual.driver import Driver

MAX_INPUT_ERRORS = 10_000
"""Unreadable bursts after which the terminal is taken for broken and the app ends."""


def terminal_driver() -> type[Driver] | None:
    """The driver to use here; none: Textual's choice (Windows, a browser, one named by TEXTUAL_DRIVER)."""
    if sys.platform == "win32" or constants.DRIVER is not None:
        return None
    from textual.drivers.linux_driver import LinuxDriver

    class SafeDriver(LinuxDriver):
        """Reads on with a fresh parser and decoder after input that the last ones choked on."""

        def _run_input_thread(self) -> None:
            errors = 0
            while not self.exit_event.is_set():
                try:
                    self.run_input_thread()
                    return
                except OSError as error:
                    # The terminal itself is gone; reading again would only spin.
                    self._app.call_later(self._app.panic, f"the terminal cannot be read: {error.strerror or error}")
                    return
                except Exception as error:
                    errors += 1
                    if errors >= MAX_INPUT_ERRORS:
                        self._app.call_later(self._app.panic, f"the terminal sends nothing readable: {error}")
                        return

    return SafeDriver
