"""The keys that do something now, in one line read from the bindings; a click on one presses it.

Textual's Footer makes a widget of each key and lays the screen out again whenever the focus moves; this draws one line.
"""

from __future__ import annotations

from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget


class KeyLine(Widget):
    """As many keys as fit, those of the focused widget first; what is left out is in the help."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $footer-background; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, _: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        line, self._places, used = Content(), [], 0
        for key, words, press in self._shown():
            width = len(key) + 1 + len(words)
            if used + width > self.content_size.width:
                break
            line += Content.styled(key, "bold $footer-key-foreground") + Content.styled(f" {words}   ", "$secondary")
            self._places.append((used, used + width, press))
            used += width + 3
        return line

    def _shown(self) -> list[tuple[str, str, str]]:
        """(key as written, what it does, key to press), each action once."""
        found: dict[tuple[str, str], ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and active.enabled:
                found.setdefault((active.binding.action, active.binding.description), active)
        keys = [one.binding for one in found.values()]
        return [(self.app.get_key_display(binding), binding.description, binding.key) for binding in keys]

    def on_click(self, event: events.Click) -> None:
        at = event.x - (self.content_region.x - self.region.x)
        for left, right, key in self._places:
            if left <= at < right:
                self.app.simulate_key(key)
