"""A screen whose timers and callbacks end with it.

Textual calls back after a refresh on the screen in front, and runs timers until their screen is removed; by then the widgets
that a callback queries may be gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from tuisim.config import RunConfig
from tuisim.features import Page
from tuisim.tui.page_strip import PageStrip

Result = TypeVar("Result")


class PageScreen(Screen[Result]):
    """Runs its callbacks only while it is mounted and among the app's screens. A page switches between its sub-pages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "tab(1)", show=False),
        Binding("shift+tab", "tab(-1)", show=False),
        Binding("right", "sub_page(1)", show=False),
        Binding("left", "sub_page(-1)", show=False),
    ]
    entry: Page | None = None
    """Its entry in the registry; None for the setup and run screens, which are the base beneath a page."""
    PAGE: ClassVar[str] = ""
    """The page that the strip marks if there is no entry; empty for none."""
    HAS_STRIP: ClassVar[bool] = True
    """True if the strip of pages is at its top."""

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call back after the next refresh, if the screen is still there."""
        return super().call_after_refresh(self._while_there, partial(callback, *args, **kwargs))

    def every(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call back at this interval."""
        return self.set_interval(seconds, partial(self._while_there, callback))

    def after(self, seconds: float, callback: Callable[[], Any]) -> Timer:
        """Call back once, after these seconds."""
        return self.set_timer(seconds, partial(self._while_there, callback))

    def _while_there(self, callback: Callable[[], Any]) -> Any:
        return callback() if self.is_mounted and self in self.app.screen_stack else None

    @property
    def copied_config(self) -> RunConfig | None:
        """The configuration of the command that `y` copies; None for that of the base."""
        return None

    @property
    def copied_options(self) -> tuple[str, ...]:
        """Further words of the command that `y` copies."""
        return ()

    @property
    def has_siblings(self) -> bool:
        """True if it is one of several sub-pages."""
        return self.entry is not None and bool(self.entry.parent)

    def on_mount(self) -> None:
        """Show the strip of pages."""
        if self.HAS_STRIP:
            self.mount(PageStrip(self.PAGE if self.entry is None else self.entry.parent or self.entry.name, self.entry))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Switch sub-pages only where there are several."""
        return self.has_siblings if action == "sub_page" else super().check_action(action, parameters)

    async def action_sub_page(self, direction: int) -> None:
        """Switch to the next or the previous sub-page."""
        await self.app.run_action(f"sub_page({direction})")

    async def action_tab(self, direction: int) -> None:
        """Switch to a sub-page; where there is none, and in an input, move the focus."""
        if self.has_siblings and not isinstance(self.focused, Input):
            await self.action_sub_page(direction)
        elif direction > 0:
            self.focus_next()
        else:
            self.focus_previous()
