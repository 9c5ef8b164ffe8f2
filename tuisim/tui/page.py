"""A screen whose timers and callbacks end with it.

Textual runs what was to come after a refresh on the screen in front, and timers until their screen has been taken down;
either may be when the widgets that they ask for are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from textual.screen import Screen
from textual.timer import Timer

Result = TypeVar("Result")


class PageScreen(Screen[Result]):
    """Runs its callbacks only while it is mounted and among the app's screens."""

    @property
    def is_there(self) -> bool:
        """True if it has its widgets: it was mounted and has not been left."""
        return self.is_mounted and self in self.app.screen_stack

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        return super().call_after_refresh(self._while_there, partial(callback, *args, **kwargs))

    def every(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call back at this interval."""
        return self.set_interval(seconds, partial(self._while_there, callback))

    def after(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call back once, then."""
        return self.set_timer(seconds, partial(self._while_there, callback))

    def _while_there(self, callback: Callable[[], Any]) -> Any:
        return callback() if self.is_there else None
