"""What is shown while the terminal is too small for the app: one line that says so, and the way out.

It does not know what it covers.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Size
from textual.widgets import Static

from tuisim.tui.page import PageScreen

LEAST = Size(60, 20)
"""The smallest terminal the screens are drawn for."""


def too_small(size: Size) -> bool:
    return size.width < LEAST.width or size.height < LEAST.height


class SmallScreen(PageScreen[None]):
    """Covers the app until the terminal is large enough again."""

    TITLE = "small terminal"

    def compose(self) -> ComposeResult:
        yield Static(self._words(), id="small")

    def on_resize(self) -> None:
        self.query_one("#small", Static).update(self._words())

    def _words(self) -> str:
        width, height = self.app.size
        return f"tuisim needs {LEAST.width}×{LEAST.height}; this terminal is {width}×{height} — q quits"
