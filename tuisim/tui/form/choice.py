"""One of a few names on one line, and the list that opens over it.

Textual's own Select is six widgets to each; a form has a dozen of them, so this is one, and the list is made when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class Choice(Widget, can_focus=True):
    """A name that can be changed for another; the side arrows step, up and down are left to the form."""

    ALLOW_SELECT = False
    BINDING_GROUP_TITLE = "list of names"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "choose", key_display="⏎"),
        Binding("right", "step(1)", "next name", show=False),
        Binding("left", "step(-1)", "previous name", show=False),
    ]
    DEFAULT_CSS = """
    Choice {
        height: 1; padding: 0 1; background: $surface; pointer: pointer;
        &:focus { background: $panel; color: $accent; text-style: bold; }
        &:disabled { color: $text-disabled; }
    }
    """

    value: reactive[str] = reactive("", init=False)

    @dataclass
    class Changed(Message):
        """A person, or `value` itself, chose another name."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(self, names: Iterable[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = list(names)
        self.set_reactive(Choice.value, self.names[0])

    @property
    def text(self) -> str:
        return self.value

    def show(self, text: str) -> None:
        """Choose a name without saying that it changed; one that is not offered is added."""
        if text not in self.names:
            self.names.append(text)
        with self.prevent(Choice.Changed):
            self.value = text

    def watch_value(self, value: str) -> None:
        self.post_message(self.Changed(self, value))

    def render(self) -> Content:
        room = max(0, self.content_size.width - 2)
        arrow = Content.styled(" ▼", "$accent" if self.has_focus else "$text-quiet")
        return Content(f"{self.value[:room]:<{room}}") + arrow

    def action_step(self, by: int) -> None:
        self.value = self.names[(self.names.index(self.value) + by) % len(self.names)]

    def action_open(self) -> None:
        self.app.push_screen(ChoiceList(self.names, self.value, self.region), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self.value = name

    def on_click(self) -> None:
        self.focus()
        self.action_open()


class ChoiceList(ModalScreen[str]):
    """The names under each other, where the choice is; a letter goes to the next name that begins with it."""

    TITLE = "list of names"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,tab", "leave", "leave as it was", key_display="esc"),
        Binding("ctrl+c", "app.interrupt", show=False),
    ]
    DEFAULT_CSS = """
    ChoiceList { background: transparent; }
    ChoiceList > OptionList {
        border: round $accent; background: $surface; padding: 0; height: auto; max-height: 14; scrollbar-size-vertical: 1;
        &:focus { border: round $accent; background-tint: transparent; }
    }
    """

    def __init__(self, names: Iterable[str], value: str, over: Region) -> None:
        super().__init__()
        self._names = list(names)
        self._value = value
        self._over = over

    def compose(self) -> ComposeResult:
        yield OptionList(*(Option(f" {name}") for name in self._names), markup=False)

    def on_mount(self) -> None:
        listed = self.query_one(OptionList)
        listed.highlighted = self._names.index(self._value)
        width, tall = max(self._over.width, max(map(len, self._names)) + 4), min(14, len(self._names) + 2)
        below = self._over.bottom + tall <= self.size.height
        listed.styles.width = width
        listed.styles.offset = (
            max(0, min(self._over.x - 1, self.size.width - width)),
            self._over.bottom if below else max(0, self._over.y - tall),
        )

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._names[event.option_index])

    def action_leave(self) -> None:
        self.dismiss(None)

    def on_click(self, event: events.Click) -> None:
        if not self.query_one(OptionList).region.contains(event.screen_x, event.screen_y):
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        if event.character and event.character.isalpha():
            listed = self.query_one(OptionList)
            at = (listed.highlighted or 0) + 1
            order = [*range(at, len(self._names)), *range(at)]
            listed.highlighted = next((n for n in order if self._names[n].startswith(event.character)), listed.highlighted)
