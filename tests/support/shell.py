"""The smallest app that a page can live in."""

from __future__ import annotations

from textual.app import App

from tuisim.tui.themes import DARK_MEANINGS


class Shell(App[None]):
    """An app with tuisim's colours and no animation; tests push their screen."""

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK_MEANINGS
