"""The row of presets to start from, each with a line of description, or with the reason why it cannot be used here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from tuisim.config.presets import Preset


class PresetBar(Widget, can_focus=True):
    """Names in a row, and beneath them the description of the highlighted one."""

    HELP = "A preset fills the whole form. A dim one needs data that are not on this machine; select it to see how to get them."
    BINDING_GROUP_TITLE = "presets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "previous preset", show=False),
        Binding("right", "move(1)", "next preset", show=False),
        Binding("enter,space", "choose", "choose", key_display="⏎"),
    ]
    DEFAULT_CSS = """
    PresetBar { height: 3; }
    """

    cursor: reactive[int] = reactive(0)
    chosen: reactive[str] = reactive("")
    """The preset whose values the form holds; empty if it holds others."""

    @dataclass
    class Chosen(Message):
        """A preset was chosen."""

        preset: Preset

    def __init__(self, presets: Sequence[Preset], absent: Mapping[str, str]) -> None:
        """`absent`: the reason and the remedy for each preset that cannot be used here, by name."""
        super().__init__(id="presets")
        self._presets = tuple(presets)
        self._absent = dict(absent)

    def render(self) -> Content:
        """Draw the names and the description."""
        names = [
            Content.styled(f"{'•' if preset.name == self.chosen else ' '}{preset.name} ", self._style(index)).stylize(
                Style.from_meta({"preset": preset.name})
            )
            for index, preset in enumerate(self._presets)
        ]
        preset = self._presets[self.cursor]
        words = f"not here: {self._absent[preset.name]}" if preset.name in self._absent else preset.description
        return Content("\n").join([Content(" ").join(names), Content.styled(words, "$secondary")])

    def _style(self, index: int) -> str:
        if index == self.cursor and self.has_focus:
            return "bold $block-cursor-foreground on $block-cursor-background"
        name = self._presets[index].name
        if name in self._absent:
            return "$text-quiet on $surface"
        return "bold $accent on $panel" if name == self.chosen else "$foreground on $panel"

    def watch_chosen(self, name: str) -> None:
        """Highlight the chosen preset."""
        self.cursor = next((index for index, preset in enumerate(self._presets) if preset.name == name), self.cursor)

    def action_move(self, by: int) -> None:
        """Highlight the next or the previous preset."""
        self.cursor = (self.cursor + by) % len(self._presets)

    def action_choose(self) -> None:
        """Choose the highlighted preset."""
        self.choose(self._presets[self.cursor].name)

    def choose(self, name: str) -> None:
        """Choose the preset called `name`, as a click on it would."""
        self.watch_chosen(name)
        if name in self._absent:
            self.notify(self._absent[name], title=f"{name} is not on this machine", severity="warning")
        else:
            self.post_message(self.Chosen(self._presets[self.cursor]))

    def on_click(self, event: events.Click) -> None:
        """Choose the preset that was clicked."""
        if name := event.style.meta.get("preset"):
            self.choose(name)
