"""Controls one line high: a text field, and a choice of names with the list that opens over it.

Textual's own Select is six widgets. A form has a dozen choices: with Select it mounts five times and repaints three times slower.
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
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

MAX_LENGTH = 640
"""Characters a text field holds: enough for 65 layers of a million units; a paste of a file is cut."""


class Entry(Input):
    """A text field one line high."""

    BINDING_GROUP_TITLE = "text field"

    def __init__(self, *, id: str | None = None, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, compact=True, select_on_focus=True, id=id, max_length=MAX_LENGTH)

    def show(self, text: str) -> None:
        """Set the text without posting a change."""
        if text != self.value:
            with self.prevent(Input.Changed):
                self.value = text


class Choice(Widget, can_focus=True):
    """One of several names: left and right step through them, enter opens the list; up and down are the form's."""

    ALLOW_SELECT = False
    BINDING_GROUP_TITLE = "drop-down list"
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
        """Another name was chosen."""

        choice: Choice
        value: str

        @property
        def control(self) -> Choice:
            """The choice, as Textual's `on` needs it."""
            return self.choice

    def __init__(self, names: Iterable[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names = list(names)
        self.set_reactive(Choice.value, self.names[0])

    def show(self, text: str) -> None:
        """Choose a name without posting a change; an unknown name is added."""
        if text not in self.names:
            self.names.append(text)
        with self.prevent(Choice.Changed):
            self.value = text

    def watch_value(self, value: str) -> None:
        """Post a change."""
        self.post_message(self.Changed(self, value))

    def render(self) -> Content:
        """Draw the name and an arrow."""
        room = max(0, self.content_size.width - 2)
        arrow = Content.styled(" ▼", "$accent" if self.has_focus else "$text-quiet")
        return Content(f"{self.value[:room]:<{room}}") + arrow

    def action_step(self, by: int) -> None:
        """Choose the next or the previous name."""
        self.value = self.names[(self.names.index(self.value) + by) % len(self.names)]

    def action_open(self) -> None:
        """Open the list of names."""
        self.app.push_screen(ChoiceList(self.names, self.value, self.region), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self.value = name

    def on_click(self) -> None:
        """Open the list."""
        self.focus()
        self.action_open()


class ChoiceList(ModalScreen[str]):
    """The names of a choice in a list over it; typing goes to the first name that begins with what was typed so far."""

    TITLE = "drop-down list"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,tab", "dismiss", "close without a change", key_display="esc"),
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
        self._typed = ""

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        yield OptionList(*(Option(f" {name}") for name in self._names), markup=False)

    def on_mount(self) -> None:
        """Place the list over its choice."""
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

    def on_click(self, event: events.Click) -> None:
        """Close the list on a click outside it."""
        if not self.query_one(OptionList).region.contains(event.screen_x, event.screen_y):
            self.dismiss(None)

    def on_key(self, event: events.Key) -> None:
        """Go to the first name that begins with what was typed so far; a key that fits no name changes nothing."""
        if event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.character and event.character.isprintable() and event.character != " ":
            typed = self._typed + event.character.lower()
            if any(name.startswith(typed) for name in self._names):
                self._typed = typed
        elif event.key in ("up", "down", "home", "end", "pageup", "pagedown"):
            self._typed = ""
        listed = self.query_one(OptionList)
        listed.border_title = Content(self._typed)
        if self._typed:
            listed.highlighted = next(n for n, name in enumerate(self._names) if name.startswith(self._typed))
