"""An app that survives faults of its widgets, and ends with one readable line on a fault at its start.

A fault after the first screen is shown is logged, a notice says so, and the page is drawn again; a run in progress goes on.
TUISIM_DEBUG=1 ends the app with the traceback instead.
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
"""Different faults of one process that are logged; one that repeats is logged once."""


class FailingQuietly(Guard):
    """An app that survives faults once a screen is shown, and prints none of Textual's tracebacks."""

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        """Adapt Textual so that this app is asked about faults."""
        super().__init__(driver_class=driver_class)
        adapt()
        self.prints_tracebacks = debugging()
        self._recorded: set[tuple[object, ...]] = set()

    def survives(self, error: Exception) -> bool:
        """Log `error`, show a notice, and return True unless the app has to end."""
        if self.exiting:
            # A screen that is closed while it is being built misses widgets that it does not have yet.
            self._record(error)
            return True
        failed = active_message_pump.get(None)
        if isinstance(error, NoMatches) and failed is not None and self.was_left(failed):
            return True  # Textual's own screens and widgets look for widgets that are gone, too
        if debugging() or not any(screen.is_mounted for screen in self._screens):
            return False
        self.fail_test(error)
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
        """The screens of this app; Textual's own empty one lies beneath them."""
        try:
            return self.screen_stack[1:]
        except (KeyError, ScreenError):  # there is not even that yet
            return []

    def was_left(self, pump: MessagePump) -> bool:
        """Return True if the screen of `pump` has left the app."""
        if not isinstance(pump, Widget):
            return False
        try:
            return pump.screen not in self.screen_stack
        except NoScreen:
            return True
        except ScreenError:  # there is no screen yet
            return False

    def _abandon(self, screen: Screen[Any]) -> None:
        """Take away a page that could not be built; nothing on it would answer a key."""
        if self.screen is screen and len(self._screens) > 1:
            self.pop_screen()

    def _record(self, error: Exception) -> str:
        """Log `error` and return words that say where to find it; empty for one that was logged before."""
        place = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)[-1:]]
        kind = (type(error), *place)
        if kind in self._recorded or len(self._recorded) >= MAX_LOGGED:
            return ""
        self._recorded.add(kind)
        return log.record_words(error, "a part of a page failed")


def failure_line(failure: Exception | None) -> str:
    """Return the line that the terminal shows after the app has failed."""
    if failure is None:
        return "tuisim: the terminal could not be read any longer"
    if isinstance(failure, TuisimError):
        return f"tuisim: {printable(str(failure), 300)}"
    return f"tuisim: the app failed: {fault(failure)} ({log.record_words(failure)})"
