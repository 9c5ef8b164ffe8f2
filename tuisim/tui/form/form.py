"""The setup form: every field of a run in five groups, read and filled as a whole.

It keeps the fields in step with each other (a list of layers with its text, a file with its path); what the texts mean is
not its to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tuisim.config.choices import DATASETS
from tuisim.config.presets import Preset
from tuisim.errors import Mistake
from tuisim.tui.form.choice import Choice
from tuisim.tui.form.field import Entry, Field
from tuisim.tui.form.fields import DATA, FILE, LAYERS, NETWORK, PER_LAYER, TRAINING, machine
from tuisim.tui.form.layers import LayerEditor
from tuisim.tui.form.presets import PresetBar
from tuisim.tui.form.values import OPTIMIZER_FIELDS, Values, placeholders, unused_optimizer_fields


class Section(Vertical):
    """A group of fields under a titled line, bright while one of them has the focus."""

    DEFAULT_CSS = """
    Section { height: auto; border-top: solid $border-blurred; border-title-color: $text-muted; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.border_title = title

    # A `:focus-within` rule would restyle every widget of the section at each step through the form.
    def on_descendant_focus(self) -> None:
        self.border_title = f"[bold $accent]{self._title}[/]"

    def on_descendant_blur(self) -> None:
        self.border_title = self._title


class SetupForm(Vertical):
    """All fields. Posts `Changed` when a person changed any of them."""

    BINDING_GROUP_TITLE = "form"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "page_down", "scroll the form down", show=False),
        Binding("pageup", "page_up", "scroll the form up", show=False),
    ]

    class Changed(Message):
        """A text or a choice is not what it was."""

        def can_replace(self, message: Message) -> bool:
            """Return True for another one: the form is read as it stands, once for all changes so far."""
            return isinstance(message, SetupForm.Changed)

    def __init__(self, presets: Sequence[Preset], absent: Mapping[str, str], backends: Iterable[str]) -> None:
        super().__init__(id="form")
        self._presets = presets
        self._absent = absent
        self._backends = tuple(backends)

    def compose(self) -> ComposeResult:
        with Section("presets"):
            yield PresetBar(self._presets, self._absent)
        with Section("network"):
            yield Field(LAYERS)
            yield LayerEditor()
            yield from map(Field, NETWORK)
        with Section("training"):
            yield from map(Field, TRAINING)
        with Section("data"):
            yield from map(Field, DATA)
        with Section("machine"):
            yield from map(Field, machine(self._backends))

    def on_mount(self) -> None:
        self._show_fields()

    def redraw(self) -> None:
        """Draw the fields again: their labels stand beside controls that a breakpoint may have moved since."""
        for field in self.fields:
            field.refresh()

    def field(self, name: str) -> Field:
        return self.query_one(f"#field-{name.replace('_', '-')}", Field)

    @property
    def fields(self) -> list[Field]:
        return list(self.query(Field))

    @property
    def values(self) -> Values:
        """Every field's text as it stands."""
        values = {field.field: field.control.text for field in self.fields}
        if values["hidden_activation"] == PER_LAYER:
            hidden = self.query_one(LayerEditor).activations[:-1]
            values["hidden_activation"] = hidden[0] if len(set(hidden)) == 1 else ",".join(hidden) or "relu"
        path = values.pop("path")
        if values["dataset"] == FILE:
            # A bare file name would be taken for the name of a dataset.
            values["dataset"] = path if not path or "/" in path or "." in path else f"./{path}"
        else:
            values.update(target="", task="auto")
        values.update(unused_optimizer_fields(values["optimizer"]))
        return values

    def fill(self, values: Values) -> None:
        """Show other values, every field at once; says nothing."""
        shown = dict(values)
        hidden = tuple(shown["hidden_activation"].split(","))
        if len(hidden) > 1:
            shown["hidden_activation"] = PER_LAYER
        shown["path"] = ""
        if shown["dataset"] not in DATASETS:
            shown |= {"path": shown["dataset"], "dataset": FILE}
        for field in self.fields:
            field.control.show(shown.get(field.field, ""))
        sizes = shown["layers"].count("-") + 1
        inner = hidden * (sizes - 2) if len(hidden) == 1 else hidden
        self.query_one(LayerEditor).show(shown["layers"], (*inner, shown["output_activation"]))
        self._show_fields()

    def tell(self, mistakes: Iterable[Mistake], values: Values) -> None:
        """Say each mistake at its field, and in blank fields what blank means."""
        words = {mistake.field: mistake.remedy for mistake in mistakes}
        if values["dataset"] not in DATASETS and "dataset" in words:
            words["path"] = words.pop("dataset")
        meaning = placeholders(values)
        for field in self.fields:
            field.mistake = words.get(field.field, "")
            if isinstance(field.control, Entry):
                field.control.placeholder = meaning.get(field.field, "")

    def _show_fields(self) -> None:
        from_file = self.field("dataset").control.text == FILE
        for name in ("path", "target", "task"):
            self.field(name).display = from_file
        unused = unused_optimizer_fields(self.field("optimizer").control.text)
        for name in OPTIMIZER_FIELDS:
            self.field(name).display = name not in unused

    @on(Choice.Changed)
    @on(Input.Changed)
    def _changed(self, event: Choice.Changed | Input.Changed) -> None:
        event.stop()
        field = event.control.parent
        name = field.field if isinstance(field, Field) else ""
        editor = self.query_one(LayerEditor)
        hidden, output = tuple(editor.activations[:-1]), self.field("output_activation").control.text
        if name == "hidden_activation" and event.value != PER_LAYER:
            editor.show(self.field("layers").control.text, (event.value,) * len(hidden) + (output,))
        elif name in ("layers", "output_activation"):
            every = self.field("hidden_activation").control.text
            inner = hidden if every == PER_LAYER else (every,) * max(1, len(hidden))
            editor.show(self.field("layers").control.text, (*inner, output))
        elif name in ("dataset", "optimizer"):
            self._show_fields()
        self.post_message(self.Changed())

    @on(LayerEditor.Edited)
    def _layers_edited(self, event: LayerEditor.Edited) -> None:
        event.stop()
        # One size alone is no network yet and has no activation.
        *hidden, output = event.activations or (self.field("output_activation").control.text,)
        self.field("layers").control.show("-".join(event.sizes))
        self.field("output_activation").control.show(output)
        if hidden:
            self.field("hidden_activation").control.show(hidden[0] if len(set(hidden)) == 1 else PER_LAYER)
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)
