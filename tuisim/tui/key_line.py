"""The keys that can be pressed now, in one line read from the bindings; a click on one presses it.

Textual's Footer makes a widget of each key and lays the screen out again whenever the focus moves; this draws one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from textual import events
from textual.app import App
from textual.binding import ActiveBinding
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget

from tuisim.tui.panel import Panel

MORE = Content.styled("…  ", "$secondary")
"""Stands before the help where not all keys fit."""


class KeyLine(Widget):
    """A line of the keys that fit, those of the focused input first and the app's last, with help at the right end."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $footer-background; }
    """

    def on_mount(self) -> None:
        """Follow changes of the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, _: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        """Return the keys that fit, and help at the right end."""
        found = self._entries()
        help_ = Content().join(_written(keys, words) for keys, words in found if words == "help")
        entries = [_written(keys, words) for keys, words in found if words != "help"]
        room = self.content_size.width - help_.cell_length
        # The widest gap at which all keys fit; those that do not fit at all are listed in the help.
        gap = next((gap for gap in (3, 2, 1) if sum(entry.cell_length + gap for entry in entries) + gap <= room), 1)
        if sum(entry.cell_length + gap for entry in entries) > room and help_:
            help_, room = MORE + help_, room - MORE.cell_length
        ends = accumulate(entry.cell_length + gap for entry in entries)
        line = Content(" " * gap).join(entry for entry, end in zip(entries, ends, strict=True) if end <= room)
        return line + " " * (room - line.cell_length) + help_

    def _entries(self) -> Iterable[tuple[list[tuple[str, str]], str]]:
        """Return ([(key as written, key to press)], what they do) for each action, the keys of a group together."""
        found: dict[tuple[str, str], ActiveBinding] = {}
        # The keys of a page matter more than those of a panel in it.
        for active in sorted(self.screen.active_bindings.values(), key=lambda active: _rank(active.node)):
            if active.binding.show and active.enabled:
                found.setdefault((active.binding.action, active.binding.description), active)
        entries: dict[object, tuple[list[tuple[str, str]], str]] = {}
        for place, active in found.items():
            binding = active.binding
            keys, _ = entries.setdefault(
                binding.group or place, ([], binding.group.description if binding.group else binding.description)
            )
            keys.append((self.app.get_key_display(binding), binding.key))
        return entries.values()

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)


def _rank(node: DOMNode) -> int:
    return 2 if isinstance(node, App) else 1 if isinstance(node, Panel) else 0


def _written(keys: list[tuple[str, str]], words: str) -> Content:
    """Return keys and what they do; beside a single key the words are as good a place to click."""
    found = [Content.styled(key, "bold $footer-key-foreground").stylize(Style.from_meta({"key": press})) for key, press in keys]
    line = Content().join(found) + Content.styled(f" {words}", "$secondary")
    return line.stylize(Style.from_meta({"key": keys[0][1]})) if len(keys) == 1 else line
