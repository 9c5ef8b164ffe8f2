"""One line of the setup form: a label, what is chosen or typed, a dim hint, and beneath it what is wrong with it.

It knows no configuration: it is told its texts and says when they change.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from tuisim.tui.form.choice import Choice
from tuisim.tui.form.fields import Spec

LONGEST = 640
"""Characters a field takes: 65 layers of a million units and some; a paste of a file is no configuration."""


class Entry(Input):
    """A text field one line high."""

    BINDING_GROUP_TITLE = "text field"

    def __init__(self, *, id: str | None = None, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, compact=True, select_on_focus=True, id=id, max_length=LONGEST)

    @property
    def text(self) -> str:
        return self.value

    def show(self, text: str) -> None:
        """Set the text without saying that it changed."""
        if text != self.value:
            with self.prevent(Input.Changed):
                self.value = text


class Field(Widget):
    """A control with its label and unit on either side, drawn by the field itself, and what is wrong underneath."""

    DEFAULT_CSS = """
    Field { height: auto; }
    Field > .mistake { color: $error; height: auto; }
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(id=f"field-{spec.field.replace('_', '-')}")
        self.spec = spec
        self.control: Choice | Entry = Choice(spec.names) if spec.names else Entry()
        self._mistake = ""
        self._words: Static | None = None

    def compose(self) -> ComposeResult:
        yield self.control

    @property
    def field(self) -> str:
        return self.spec.field

    def render(self) -> Content:
        left = self.control.region.x - self.content_region.x
        rest = self.content_size.width - left - self.control.region.width - 1
        style = "bold $error" if self._mistake else "bold $accent" if self.has_focus_within else "$secondary"
        label = Content.styled(f"{self.spec.label:>{max(0, left - 1)}}", style)
        if rest < len(self.spec.hint):
            return label
        hint = Content.styled(self.spec.hint, "$text-quiet")
        return label + Content(" " * (self.control.region.width + 2)) + hint

    def on_descendant_focus(self) -> None:
        self.refresh()

    def on_descendant_blur(self) -> None:
        self.refresh()

    @property
    def mistake(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        return self._mistake

    @mistake.setter
    def mistake(self, words: str) -> None:
        if words == self._mistake:
            return
        self._mistake = words
        if self._words is None:
            self._words = Static(classes="mistake", markup=False)
            self.mount(self._words)
        self._words.update(f"✗ {words}")
        self._words.display = bool(words)
        self.refresh()
