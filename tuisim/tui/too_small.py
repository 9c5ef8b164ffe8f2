"""The screen that covers the app while the terminal is too small for it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Static

from tuisim.tui.page import PageScreen

MIN_SIZE = Size(60, 20)
"""The smallest terminal the screens are drawn for."""


def too_small(size: Size) -> bool:
    """Return True if the screens do not fit in `size`."""
    return size.width < MIN_SIZE.width or size.height < MIN_SIZE.height


class SmallScreen(PageScreen[None]):
    """Covers the app until the terminal is large enough again."""

    TITLE = "small terminal"
    HAS_STRIP = False

    def compose(self) -> ComposeResult:
        """Yield the message."""
        yield Static(self._words(), id="small")

    def on_resize(self) -> None:
        """Show the new size."""
        self.query_one("#small", Static).update(self._words())

    def _words(self) -> str:
        width, height = self.app.size
        return f"tuisim needs {MIN_SIZE.width}×{MIN_SIZE.height}; this terminal is {width}×{height} (ctrl+q quits)"
