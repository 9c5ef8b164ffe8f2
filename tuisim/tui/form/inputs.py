"""A line of inputs above a page: what can be typed, what is wrong with it, and what the page is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tuisim.config import Field
from tuisim.tui.form.controls import Entry


class InputLine(Vertical):
    """Inputs for some fields. Posts `Edited` at every change."""

    BINDING_GROUP_TITLE = "inputs"
    HELP = "Type other values; the page updates at once. The dim text in an empty input shows its default."
    DEFAULT_CSS = """
    InputLine {
        height: auto; background: $footer-background;
        & > Horizontal { height: 1; padding: 0 1; }
        & .label { width: auto; color: $secondary; padding-right: 1; }
        & .title { width: auto; text-style: bold; color: $accent; padding-right: 3; }
        & Entry { width: 16; margin-right: 2; }
        & .state { width: 1fr; height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & .mistake { height: auto; color: $error; padding: 0 1; display: none; }
    }
    """

    @dataclass
    class Edited(Message):
        """The values of all fields by name; None if one of them is wrong, with the first mistake in words."""

        values: dict[str, Any] | None
        mistake: str

    def __init__(self, title: str, fields: Sequence[Field], values: Mapping[str, Any]) -> None:
        """`values`: the first ones, by the fields' names."""
        super().__init__()
        self._title, self._fields, self._values = title, fields, dict(values)

    def compose(self) -> ComposeResult:
        """Lay out the labels and the inputs."""
        with Horizontal():
            if self._title:
                yield Static(self._title, classes="title", markup=False)
            for field in self._fields:
                yield Static(field.label, classes="label")
                yield Entry(id=f"input-{field.name}", placeholder=field.blank)
            yield Static(classes="state", markup=False)
        yield Static(classes="mistake", markup=False)

    def on_mount(self) -> None:
        """Show the first values."""
        for field in self._fields:
            self._entry(field).show(field.text(self._values.get(field.name)))

    def edit(self, name: str) -> None:
        """Put the cursor into the input for the field of that name."""
        self.query_one(f"#input-{name}").focus()

    def say(self, words: str) -> None:
        """Say what the page is doing."""
        self.query_one(".state", Static).update(words)

    def refuse(self, mistake: str) -> None:
        """Show a mistake under the line, or none if the text is empty."""
        words = self.query_one(".mistake", Static)
        words.update(f"✗ {mistake}")
        words.display = bool(mistake)

    def _entry(self, field: Field) -> Entry:
        return self.query_one(f"#input-{field.name}", Entry)

    @on(Input.Changed)
    def _read(self, event: Input.Changed) -> None:
        event.stop()
        values: dict[str, Any] = {}
        mistakes = []
        for field in self._fields:
            try:
                values[field.name] = field.read(self._entry(field).value)
            except ValueError as error:
                mistakes.append(f"{field.label}: {error}")
        mistake = mistakes[0] if mistakes else ""
        self.refuse(mistake)
        self.post_message(self.Edited(None if mistakes else values, mistake))

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(None)
