"""An app that outlives the faults of its widgets, and ends on one at its start with one readable line.

A fault after the first screen stands is written to a log, told in a notice, and the page is drawn again; whatever trains
goes on. TUISIM_DEBUG=1 ends the app with the traceback instead. It knows nothing of what went wrong.
"""

from __future__ import annotations

import traceback
from typing import Any

from textual.app import ScreenError
from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.driver import Driver
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

from tuisim.errors import TuisimError, debugging, fault, printable
from tuisim.store import log
from tuisim.tui.textual_compat import Guard, active_message_pump, adapt

MAX_LOGGED = 50
"""Different faults of one process that are written to the log; one that repeats is written once."""


class FailingQuietly(Guard):
    """An app that survives faults once a screen is shown, keeps the one that ends it, and prints none of Textual's tracebacks."""

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        super().__init__(driver_class=driver_class)
        adapt()
        self.failure: Exception | None = None
        """The exception that ended the app, if any."""
        self._recorded: set[tuple[object, ...]] = set()

    def survives(self, error: Exception) -> bool:
        if self.exiting:
            # Screens that are closed while they are being built miss what they have not got yet.
            self._record(error)
            return True
        failed = active_message_pump.get(None)
        if isinstance(error, NoMatches) and failed is not None and self.was_left(failed):
            return True  # Textual's own pages and widgets look for what they have not got any more, too
        if debugging() or not any(screen.is_mounted for screen in self._screens):
            return False
        if self.is_headless and self._exception is None:
            self._exception = error  # a test that did not mean it fails
        where = self._record(error)
        if where:
            words = f"everything else goes on; {where}"
            self.notify(words, title="a part of this page failed", severity="error", timeout=10, markup=False)
            self.call_later(self.refresh, layout=True)
        if isinstance(failed, Screen) and not failed.is_mounted:
            self.call_later(self._abandon, failed)
        return True

    @property
    def _screens(self) -> list[Screen[Any]]:
        """Ours; Textual's own empty one lies beneath them."""
        try:
            return self.screen_stack[1:]
        except (KeyError, ScreenError):  # there is not even that yet
            return []

    def was_left(self, pump: MessagePump) -> bool:
        if not isinstance(pump, Widget):
            return False
        try:
            return pump.screen not in self.screen_stack
        except NoScreen:
            return True
        except ScreenError:  # there is no screen yet
            return False

    def _abandon(self, screen: Screen[Any]) -> None:
        """Take a page away that could not be built; nothing on it would answer a key."""
        if self.screen is screen and len(self._screens) > 1:
            self.pop_screen()

    def _handle_exception(self, error: Exception) -> None:
        if self.survives(error):
            return
        if self.failure is None:
            self.failure = error
        super()._handle_exception(error)

    def _record(self, error: Exception) -> str:
        """Write `error` to the log; where to find it in words, empty for one that is known already."""
        place = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)[-1:]]
        kind = (type(error), *place)
        if kind in self._recorded or len(self._recorded) >= MAX_LOGGED:
            return ""
        self._recorded.add(kind)
        return log.record_words(error, "a part of a page failed")

    def _fatal_error(self) -> None:
        # Textual would format a traceback with every local variable here, which nobody asked to see.
        if debugging():
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        if debugging():
            super()._print_error_renderables()
        else:
            self._exit_renderables.clear()


def failure_line(failure: Exception | None) -> str:
    """What to tell on the terminal, in one line."""
    if failure is None:
        return "tuisim: the terminal could not be read any longer"
    if isinstance(failure, TuisimError):
        return f"tuisim: {printable(str(failure), 300)}"
    return f"tuisim: the app failed: {fault(failure)} ({log.record_words(failure)})"
