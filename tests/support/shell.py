"""The smallest app that a page can live in."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from tuisim.tui.panel import Panel
from tuisim.tui.themes import DARK_COLOURS


class Shell(App[None]):
    """An app with tuisim's colours and no animation; tests push their screen."""

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK_COLOURS


PATIENCE = 20.0
"""Seconds that a busy machine may take for what a person sees at once."""


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    """Wait until a condition holds; a page's widgets take several rounds of messages, and a job its time."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "the condition did not come true"
        await pilot.pause(0.01)
    await pilot.pause()


async def settled(screen: Screen[Any], pilot: Pilot[None]) -> None:
    """Wait until the visible panels have their room and something is drawn; on a busy machine that takes several refreshes."""
    for _ in range(300):
        await pilot.pause(0.01)
        panels = [panel for panel in screen.query(Panel) if panel.display]
        drawn = any(panel.canvas.lines for panel in panels)
        if drawn and all(panel.canvas._room == panel.scrollable_content_region.size for panel in panels):
            return
    raise AssertionError("the panels were not drawn")
