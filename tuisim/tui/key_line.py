"""The keys that can be pressed now, in one line read from the bindings; a click on one presses it.

Textual's Footer makes a widget of each key and lays the screen out again whenever the focus moves; this draws one line.
"""

from __future__ import annotations

from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

Entry = tuple[list[tuple[str, str]], str]
"""([(key as written, key to press)], what they do)."""


class KeyLine(Widget):
    """A line of the keys that fit, those of the focused widget first, with help at the right end."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; padding: 0 1; background: $footer-background; }
    """

    def __init__(self) -> None:
        """Begin without keys."""
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow changes of the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, _: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        """Return the keys that fit, and help at the right end."""
        entries = self._shown()
        help_ = [entry for entry in entries if entry[1] == "help"]
        entries = [entry for entry in entries if entry not in help_]
        room = self.content_size.width - self._width(help_, 0)
        # As airy as the width allows; what does not fit at all is left to the help.
        gap = next((gap for gap in (3, 2, 1) if self._width(entries, gap) + gap <= room), 1)
        line, self._places, used = Content(), [], 0
        for entry in entries:
            if used + self._width([entry], gap) > room:
                break
            line += self._written(entry, used) + Content(" " * gap)
            used += self._width([entry], gap)
        for entry in help_:
            line += Content(" " * (room - used)) + self._written(entry, room)
        return line

    def _written(self, entry: Entry, at: int) -> Content:
        """Return an entry as text that begins at cell `at`, and note where to click."""
        keys, words = entry
        line, end = Content(), at + self._width([entry], 0)
        for key, press in keys:
            # Of a single key the words are as good a place to click as the key.
            self._places.append((at, end if len(keys) == 1 else at + len(key), press))
            at += len(key)
            line += Content.styled(key, "bold $footer-key-foreground")
        return line + Content.styled(f" {words}", "$secondary")

    @staticmethod
    def _width(shown: list[Entry], gap: int) -> int:
        """Return the cells of entries with a gap after each."""
        return sum(sum(len(key) for key, _ in keys) + 1 + len(words) + gap for keys, words in shown)

    def _shown(self) -> list[Entry]:
        """Return each action once, the keys of a group together."""
        found: dict[tuple[str, str], ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and active.enabled:
                found.setdefault((active.binding.action, active.binding.description), active)
        entries: dict[object, Entry] = {}
        for place, active in found.items():
            binding = active.binding
            keys, _ = entries.setdefault(
                binding.group or place, ([], binding.group.description if binding.group else binding.description)
            )
            keys.append((self.app.get_key_display(binding), binding.key))
        return list(entries.values())

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        at = event.x - (self.content_region.x - self.region.x)
        for left, right, key in self._places:
            if left <= at < right:
                self.app.simulate_key(key)
