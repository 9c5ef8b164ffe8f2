"""The least app that a screen of ours can live in, and the parts of a worker that every scripted one has."""

from __future__ import annotations

from typing import Any

from textual.app import App

from tuisim.tui.themes import DARK_MEANINGS


class Shell(App[None]):
    """Our colours and no movement; what it shows first is pushed by whoever makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK_MEANINGS


class Scripted:
    """A worker that has come as far as it is told: `state` is what the screen will find of it."""

    alive = False

    def __init__(self, **state: Any) -> None:
        self.failure: str | None = None
        self.started = self.stopped = False
        self.__dict__.update(state)

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True
