"""An app that ends on its own mistakes with one readable line; TUISIM_DEBUG=1 shows the traceback instead.

It knows nothing of what went wrong: whatever reached the top of Textual is a failure here.
"""

from __future__ import annotations

from textual.app import App

from tuisim.errors import TuisimError, debugging, fault, printable


class FailingQuietly(App[None]):
    """Keeps the first exception that ends it, and prints none of Textual's tracebacks."""

    failure: Exception | None = None
    """What ended the app, if anything did."""

    def _handle_exception(self, error: Exception) -> None:
        if self.failure is None:
            self.failure = error
        super()._handle_exception(error)

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
    return f"tuisim: the app failed: {fault(failure)} (TUISIM_DEBUG=1 shows where)"
