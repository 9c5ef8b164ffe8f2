"""The row of presets to start from, each with a line of description, or with the reason why it cannot be used here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from tuisim.config import RunConfig

SAVE = "+ save"
"""The last entry of the row, which saves the form as a preset."""


@dataclass(frozen=True, slots=True)
class PresetEntry:
    """A preset as it is offered."""

    name: str
    words: str
    """Its description, or why it cannot be used."""
    config: RunConfig | None
    """None if it cannot be used."""
    is_own: bool = False
    """True if the user has saved it."""


class PresetBar(Widget, can_focus=True):
    """Names in a row, and beneath them the description of the highlighted one."""

    HELP = (
        "A preset fills the whole form. A dim one cannot be used here; select it to see why. The last entry saves the form as a "
        "preset of your own, which d deletes."
    )
    BINDING_GROUP_TITLE = "presets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "previous preset", show=False),
        Binding("right", "move(1)", "next preset", show=False),
        Binding("enter,space", "choose", "choose", key_display="⏎"),
        Binding("s", "save", "save", tooltip="Save the form as a preset"),
        Binding("d,delete", "delete", "delete", key_display="d", tooltip="Delete the highlighted preset, if it is your own"),
    ]
    DEFAULT_CSS = """
    PresetBar { height: 3; }
    """

    cursor: reactive[int] = reactive(0)
    chosen: reactive[str] = reactive("")
    """The preset whose values the form holds; empty if it holds others."""
    entries: reactive[tuple[PresetEntry, ...]] = reactive(())

    @dataclass
    class Chosen(Message):
        """A preset was chosen."""

        config: RunConfig

    class SaveAsked(Message):
        """The form is to be saved as a preset."""

    @dataclass
    class DeleteAsked(Message):
        """A preset of the user is to be deleted."""

        name: str

    def __init__(self, entries: Sequence[PresetEntry]) -> None:
        super().__init__(id="presets")
        self.set_reactive(PresetBar.entries, tuple(entries))
        self._first = 0
        """The first name that is drawn: not all may fit."""

    @property
    def highlighted(self) -> PresetEntry | None:
        """The highlighted preset; None if it is the entry that saves one."""
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    def render(self) -> Content:
        """Draw the names and the description."""
        labels = [self._label(index) for index in range(len(self.entries) + 1)]
        widths = [label.cell_length + 1 for label in labels]
        room = self.content_size.width
        self._first = min(self._first, self.cursor)
        while self._first < self.cursor and 2 * (self._first > 0) + sum(widths[self._first : self.cursor + 1]) > room - 2:
            self._first += 1
        line, more = Content.styled("‹ ", "$secondary") if self._first else Content(""), Content.styled("›", "$secondary")
        for index, label in enumerate(labels[self._first :], self._first):
            is_last = index == len(labels) - 1
            if line.cell_length + label.cell_length > room - 2 * (not is_last):
                line += more
                break
            line += label + " "
        entry = self.highlighted
        words = "save the form as a preset of your own" if entry is None else entry.words
        if not self.has_focus and (entry is None or entry.name != self.chosen):
            words = "the form is none of these presets"
        return Content("\n").join([line, Content.styled(words, "$secondary")])

    def _label(self, index: int) -> Content:
        name = self.entries[index].name if index < len(self.entries) else SAVE
        mark = "•" if name == self.chosen and index < len(self.entries) else " "
        return Content.styled(f"{mark}{name} ", self._style(index)).stylize(Style.from_meta({"preset": index}))

    def _style(self, index: int) -> str:
        if index == self.cursor and self.has_focus:
            return "bold $block-cursor-foreground on $block-cursor-background"
        if index == len(self.entries):
            return "$secondary"
        entry = self.entries[index]
        if entry.config is None:
            return "$text-quiet on $surface"
        return "bold $accent on $panel" if entry.name == self.chosen else "$foreground on $panel"

    def watch_chosen(self, name: str) -> None:
        """Highlight the chosen preset."""
        self.cursor = next((index for index, entry in enumerate(self.entries) if entry.name == name), self.cursor)

    def watch_entries(self) -> None:
        """Keep the highlight on an entry."""
        self.cursor = min(self.cursor, len(self.entries))

    def watch_cursor(self) -> None:
        """Show the keys of the highlighted entry."""
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to delete only a preset of the user."""
        return self.highlighted is not None and self.highlighted.is_own if action == "delete" else True

    def action_move(self, by: int) -> None:
        """Highlight the next or the previous preset."""
        self.cursor = (self.cursor + by) % (len(self.entries) + 1)

    def action_choose(self) -> None:
        """Choose the highlighted preset, or save one."""
        entry = self.highlighted
        if entry is None:
            self.action_save()
        elif entry.config is None:
            self.notify(entry.words, title=f"{entry.name} cannot be used here", severity="warning", markup=False)
        else:
            self.post_message(self.Chosen(entry.config))

    def action_save(self) -> None:
        """Ask for the form to be saved as a preset."""
        self.post_message(self.SaveAsked())

    def action_delete(self) -> None:
        """Ask for the highlighted preset to be deleted."""
        if self.highlighted is not None:
            self.post_message(self.DeleteAsked(self.highlighted.name))

    def choose(self, name: str) -> None:
        """Choose the preset called `name`, as a click on it would."""
        self.watch_chosen(name)
        self.action_choose()

    def on_click(self, event: events.Click) -> None:
        """Choose the entry that was clicked."""
        index = event.style.meta.get("preset")
        if index is not None:
            self.cursor = index
            self.action_choose()
