"""Private parts of Textual that the app depends on, all of them in this file.

Written for Textual 8.2; a test names each symbol, so that a version that renames one is noticed.

- `MessagePump._dispatch_message`: handles one message of a widget, a screen or the app. Where it raises, Textual ends the
  widget and the app; here the app is asked first (`Guard`).
- `App._handle_exception`: where Textual brings every exception that it caught elsewhere (timers, rendering, mounting).
- `App._exit`: true once the app was asked to end.
- `App._exception`, `App._exception_event`: what `run_test` raises when the test is over.
- `App._fatal_error`, `App._print_error_renderables`, `App._exit_renderables`, `App._close_messages_no_wait`: how it ends.
- `Driver._loop`, `Driver._auto_restart`, `LinuxDriver._key_thread`, `LinuxDriver._writer_thread`,
  `LinuxDriver._must_signal_resume`, `LinuxDriver._run_input_thread`: how the driver stops and starts again (see `driver`).
- `textual._context.active_message_pump`: the widget whose message is being handled.
- `OptionList._move_page`, `OptionList._on_click`: page up and down, and a click, in a list; they fail on one that has not been
  laid out yet, and on an option that is gone.
- `Screen.dismiss`: removes the screen in front even if that is another one by now: the second of two quick key presses or
  clicks would remove the screen beneath as well.
- `Screen.get_widget_and_offset_at`: which widget a mouse button was pressed on; between two refreshes that may be one that is
  gone, and selecting text on it fails.
- `StylesCache.get_inner_outer`: two styles from two colours, remembered with the cache of the widget that asked, so that the
  last 1,024 widgets' rendered lines are kept after they are gone.
- `textual._xterm_parser.XTermParser`: turns what the terminal sends into events.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any, Literal

from textual._context import active_app, active_message_pump
from textual._styles_cache import StylesCache
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.color import Color
from textual.errors import NoWidget
from textual.events import Click, Compose, InputEvent, Key, Mount, MouseEvent, Paste, Resize
from textual.geometry import Offset
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import OptionList

__all__ = ["QUIT_KEY", "Guard", "XTermParser", "active_message_pump", "adapt", "linux_driver"]

QUIT_KEY = "ctrl+q"


class Guard(App[None]):
    """An app that is asked what to do with a fault in one of its widgets before Textual ends it."""

    deaf = False
    """Set once quitting was asked for: input that still waits, and messages that widgets post about it, are dropped."""
    failure: Exception | None = None
    """The exception that ended the app, if any."""
    prints_tracebacks = False
    """True if Textual may print a traceback, with every local variable, when the app fails."""

    def quit_soon(self) -> None:
        """Quit; called from the thread that reads the terminal as soon as the quit key is read."""

    def was_left(self, pump: MessagePump) -> bool:
        """Return True if the screen of `pump` has left the app."""
        return False

    def survives(self, error: Exception) -> bool:
        """Take note of `error` and return True if the app goes on."""
        return False

    @property
    def exiting(self) -> bool:
        """True once the app was asked to end."""
        return self._exit

    def fail_test(self, error: Exception) -> None:
        """Raise `error` at the end of `run_test`, so that a test which did not expect it fails."""
        if self.is_headless and self._exception is None:
            self._exception = error

    def _handle_exception(self, error: Exception) -> None:
        if self.survives(error):
            return
        if self.failure is None:
            self.failure = error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        if self.prints_tracebacks:
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        if self.prints_tracebacks:
            super()._print_error_renderables()
        else:
            self._exit_renderables.clear()


_dispatch_message = MessagePump._dispatch_message


async def _guarded(self: MessagePump, message: Message) -> None:
    app = active_app.get(None)
    if not isinstance(app, Guard):
        await _dispatch_message(self, message)
        return
    if _is_about_input(message) and (app.deaf or (message._sender is not self and app.was_left(self))):
        return
    if isinstance(message, Mount) and isinstance(self, Widget) and (app.exiting or app.was_left(self)):
        return  # it is being removed already, and its children may be gone
    if isinstance(message, Resize) and isinstance(self, Screen) and message.size != app.size:
        return  # two screens of different sizes would go on telling each other theirs; the app tells all of them its own
    try:
        await _dispatch_message(self, message)
    except Exception as error:
        if isinstance(error, NoWidget) and isinstance(message, MouseEvent):
            return  # screens look for what was clicked on; after a change of size that may be nothing
        # Textual has to see a fault that keeps a widget from being mounted, or its parent would wait for it forever.
        if isinstance(message, Compose | Mount) or not app.survives(error):
            raise


def _is_about_input(message: Message) -> bool:
    """Tell if `message` is input other than the quit key, or was posted by a widget; the rest is Textual's own."""
    if isinstance(message, InputEvent | Paste):
        return not (isinstance(message, Key) and message.key == QUIT_KEY)
    return type(message).__module__ not in ("textual.events", "textual.messages")


_move_page = OptionList._move_page


def _move_page_if_laid_out(self: OptionList, direction: Literal[-1, 1]) -> None:
    if self.scrollable_content_region:
        _move_page(self, direction)


_on_click = OptionList._on_click


async def _on_click_of_what_is_there(self: OptionList, event: Click) -> None:
    option = event.style.meta.get("option")
    if option is None or option < self.option_count:
        await _on_click(self, event)


_dismiss = Screen.dismiss


def _dismiss_in_front(self: Screen[Any], result: Any = None) -> AwaitComplete:
    return _dismiss(self, result) if self.app.screen is self else AwaitComplete()


_widget_and_offset = Screen.get_widget_and_offset_at


def _widget_that_is_there(self: Screen[Any], x: int, y: int) -> tuple[Widget | None, Offset | None]:
    widget, offset = _widget_and_offset(self, x, y)
    return (widget, offset) if widget is None or widget.is_attached else (None, None)


_inner_outer = getattr(StylesCache.get_inner_outer, "__wrapped__", StylesCache.get_inner_outer)


@lru_cache(1024)
def _inner_outer_of_colors(base_background: Color, background: Color) -> Any:
    return _inner_outer(StylesCache, base_background, background)


def adapt() -> None:
    """Put what is above in the place of Textual's own; an app that is no `Guard` handles its messages as before."""
    pump: Any = MessagePump
    pump._dispatch_message = _guarded
    options: Any = OptionList
    options._move_page = _move_page_if_laid_out
    options._on_click = _on_click_of_what_is_there
    screens: Any = Screen
    screens.dismiss = _dismiss_in_front
    screens.get_widget_and_offset_at = _widget_that_is_there
    styles: Any = StylesCache
    styles.get_inner_outer = staticmethod(_inner_outer_of_colors)


def linux_driver() -> type[Any]:
    """Return Textual's Linux driver with names for what `driver` uses of it. Only to be called where there is one."""
    from textual.drivers.linux_driver import LinuxDriver

    class NamedLinuxDriver(LinuxDriver):
        """The Linux driver, its parts under public names."""

        @property
        def textual_app(self) -> App[Any]:
            """The app it belongs to."""
            return self._app

        @property
        def event_loop(self) -> asyncio.AbstractEventLoop:
            """The event loop of the app."""
            return self._loop

        @property
        def is_reading(self) -> bool:
            """True while the thread that reads the terminal is alive."""
            return self._key_thread is not None and self._key_thread.is_alive()

        @property
        def is_full_screen(self) -> bool:
            """True between the start and the end of the full screen, unless it must not be restored after a stop."""
            return self._app.is_running and self._writer_thread is not None and self._auto_restart

        def resume(self) -> None:
            """Take the terminal again and post Textual's resume signal."""
            self._must_signal_resume = True
            self.resume_application_mode()

        def read_terminal(self) -> None:
            """Read the terminal until the driver stops; runs on a thread of its own."""
            super()._run_input_thread()

        def _run_input_thread(self) -> None:
            self.read_terminal()

    return NamedLinuxDriver
