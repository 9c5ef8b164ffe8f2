"""Everything of Textual's own that the app needs besides its public interface, in one place.

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
- `textual._xterm_parser.XTermParser`: turns what the terminal sends into events.
"""

from __future__ import annotations

from typing import Any

from textual._context import active_app, active_message_pump
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.events import Compose, InputEvent, Key, Mount, Paste
from textual.message import Message
from textual.message_pump import MessagePump

__all__ = ["QUIT_KEY", "Guard", "XTermParser", "active_message_pump", "guard_messages"]

QUIT_KEY = "ctrl+q"


class Guard(App[None]):
    """An app that is asked what to do with a fault in one of its widgets before Textual ends it."""

    deaf = False
    """Set once quitting was asked for: input that is still waiting is dropped."""

    def survives(self, error: Exception) -> bool:
        """Take note of `error` and return whether the app goes on."""
        return False

    @property
    def exiting(self) -> bool:
        return self._exit


_dispatch_message = MessagePump._dispatch_message


async def _guarded(self: MessagePump, message: Message) -> None:
    app = active_app.get(None)
    if not isinstance(app, Guard):
        await _dispatch_message(self, message)
        return
    if app.deaf and isinstance(message, InputEvent | Paste) and not (isinstance(message, Key) and message.key == QUIT_KEY):
        return
    try:
        await _dispatch_message(self, message)
    except Exception as error:
        # One that keeps a widget from coming up is for Textual to notice: nobody may wait for it.
        if isinstance(message, Compose | Mount) or not app.survives(error):
            raise


def guard_messages() -> None:
    """Have every message of an app that is a `Guard` handled under its eyes; other apps are not affected."""
    pump: Any = MessagePump
    pump._dispatch_message = _guarded
