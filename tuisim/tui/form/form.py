"""The setup form: the fields of a run in groups, read and filled as a whole.

It keeps fields in step with each other: the layers with their list, the dataset with its path. `config` reads the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import DescendantFocus, Event
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from tuisim.config import FIELDS, Field
from tuisim.config.choices import DATASETS, HYPERPARAMETERS, LEARNING_RATES
from tuisim.config.values import Texts, from_texts
from tuisim.data.info import SYNTHETIC
from tuisim.data.shape import is_known
from tuisim.data.suggestions import Suggestion, suggestions
from tuisim.errors import Mistake
from tuisim.threads import default_threads
from tuisim.tui.form.controls import Choice, Entry
from tuisim.tui.form.layers import LayerEditor, size_texts
from tuisim.tui.form.presets import PresetBar, PresetEntry

PER_LAYER = "per layer"
"""The choice that leaves hidden activations to the list of layers."""
FILE = "file…"
"""The choice of a dataset read from a path."""
PATH = Field(
    "data",
    "CSV NPY NPZ IDX",
    "The file to read: a table (CSV and alike, also packed), NPY, NPZ or IDX.",
    name="path",
    none="path of a file",
)
TABLE_FIELDS = ("target", "drop", "categorical", "keep", "missing", "task", "validation_data")
"""The fields that only a dataset read from a path has."""
IMPORT = Content.assemble(("^o", "bold $accent"), (" import a file", "$foreground")).stylize(
    Style.from_meta({"@click": "app.open('import')"})
)
"""The link to the import page."""
OPTIMIZER_FIELDS = ("subnormals", *dict.fromkeys(name for names in HYPERPARAMETERS.values() for name in names))
"""The fields that not every optimizer reads."""


def unused_fields(optimizer: str) -> Texts:
    """Return the fields that other optimizers read and this one does not, with their defaults."""
    read = HYPERPARAMETERS[optimizer]
    used = (*read, "subnormals") if read else ()  # without buffers no subnormal number can stay
    return {name: FIELDS[name].default_text for name in OPTIMIZER_FIELDS if name not in used}


class FormField(Widget):
    """A control between its label and its hint, which the field draws itself, and its mistake underneath."""

    DEFAULT_CSS = """
    FormField { height: auto; }
    FormField > .mistake { color: $error; height: auto; }
    FormField > .note { color: $text-muted; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    FormField > .suggestion { color: $warning; height: auto; }
    """

    @dataclass
    class Applied(Message):
        """The button of a suggestion was pressed."""

        suggestion: Suggestion

    mistake: reactive[str] = reactive("", init=False)
    """The remedy for a wrong text; empty if the text is right."""

    def __init__(self, declared: Field, choices: Sequence[str] = ()) -> None:
        super().__init__(id=f"field-{declared.name.replace('_', '-')}")
        self.declared = declared
        self.control: Choice | Entry = Choice(choices) if choices else Entry()
        self._words: Static | None = None
        self._note: Static | None = None
        self._suggestion: Suggestion | None = None

    def compose(self) -> ComposeResult:
        """Lay out the control."""
        yield self.control

    def render(self) -> Content:
        """Draw the label and the hint."""
        left = self.control.region.x - self.content_region.x
        rest = self.content_size.width - left - self.control.region.width - 1
        style = "bold $error" if self.mistake else "bold $accent" if self.has_focus_within else "$secondary"
        label = Content.styled(f"{self.declared.label:>{max(0, left - 1)}}", style)
        hint = IMPORT if self.declared.name == "dataset" else Content.styled(self.declared.hint, "$text-quiet")
        if rest < hint.cell_length:
            return label
        return label + Content(" " * (self.control.region.width + 2)) + hint

    def on_descendant_focus(self) -> None:
        """Draw the label bright, or quiet again."""
        self.refresh()

    on_descendant_blur = on_descendant_focus

    def watch_mistake(self, words: str) -> None:
        """Show the mistake under the control."""
        if self._words is None:
            self._words = Static(classes="mistake", markup=False)
            self.mount(self._words)
        self._words.update(f"✗ {words}")
        self._words.display = bool(words)

    def say(self, words: str) -> None:
        """Show under the control what is being done with its text; nothing if the words are empty."""
        if self._note is None and words:
            self._note = Static(classes="note", markup=False)
            self.mount(self._note)
        if self._note is not None:
            self._note.update(words)
            self._note.display = bool(words)

    def suggest(self, suggestion: Suggestion | None) -> None:
        """Show why the field does not go with the data, and a button that sets what does; None removes them."""
        if suggestion == self._suggestion:
            return
        self._suggestion = suggestion
        self.query(".suggestion").remove()
        if suggestion is not None:
            words = Static(f"! {suggestion.remedy}", classes="suggestion", markup=False)
            self.mount(words, Button(f"use {suggestion.proposed}", compact=True, classes="suggestion"))

    @on(Button.Pressed)
    def _apply(self, event: Button.Pressed) -> None:
        event.stop()
        if self._suggestion is not None:
            self.post_message(self.Applied(self._suggestion))


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
    def on_descendant_focus(self, event: Event) -> None:
        """Draw the title bright, or quiet again."""
        self.border_title = f"[bold $accent]{self._title}[/]" if isinstance(event, DescendantFocus) else self._title

    on_descendant_blur = on_descendant_focus


class SetupForm(Vertical):
    """The fields of a run. Posts `Changed` when a person has changed any of them."""

    BINDING_GROUP_TITLE = "form"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "page(1)", "scroll the form down", show=False),
        Binding("pageup", "page(-1)", "scroll the form up", show=False),
    ]

    class Changed(Message):
        """A text or a choice has changed."""

        def can_replace(self, message: Message) -> bool:
            """Return True for another one: the form is read once for all changes so far."""
            return isinstance(message, SetupForm.Changed)

    def __init__(self, presets: Sequence[PresetEntry], backends: Iterable[str]) -> None:
        super().__init__(id="form")
        self._presets = presets
        self._choices = {"backend": tuple(backends), "shuffle": ("yes", "no")}
        self._choices["hidden_activation"] = (*FIELDS["hidden_activation"].choices, PER_LAYER)
        self._choices["dataset"] = (*DATASETS, FILE)
        self._fits_data = True
        """False from when a dataset is chosen until the other fields are fitted to it."""

    def compose(self) -> ComposeResult:
        """Lay out the sections and their fields."""
        with Section("presets"):
            yield PresetBar(self._presets)
        for group in dict.fromkeys(declared.group for declared in FIELDS.values()):
            with Section(group):
                for name, declared in FIELDS.items():
                    if declared.group == group:
                        yield FormField(declared, self._choices.get(name, declared.choices))
                        if name == "layers":
                            yield LayerEditor()
                        elif name == "dataset":
                            yield FormField(PATH)

    def on_mount(self) -> None:
        """Hide the fields that do not apply."""
        self._show_fields()

    def redraw(self) -> None:
        """Draw the fields again: a breakpoint may have moved the controls beside their labels."""
        for field in self.fields:
            field.refresh()

    def field(self, name: str) -> FormField:
        """Return the field of that name."""
        return self.query_one(f"#field-{name.replace('_', '-')}", FormField)

    @property
    def fields(self) -> list[FormField]:
        """All fields in their order."""
        return list(self.query(FormField))

    @property
    def values(self) -> Texts:
        """The text of every field of a run."""
        values = {field.declared.name: field.control.value for field in self.fields}
        if values["hidden_activation"] == PER_LAYER:
            hidden = self.query_one(LayerEditor).activations[:-1]
            values["hidden_activation"] = hidden[0] if len(set(hidden)) == 1 else ",".join(hidden) or "relu"
        path = values.pop("path")
        if values["dataset"] == FILE:
            # A bare file name would be read as the name of a dataset.
            values["dataset"] = path if not path or "/" in path or "." in path else f"./{path}"
        else:
            values.update({name: FIELDS[name].text(FIELDS[name].default) for name in TABLE_FIELDS})
        if values["dataset"] in SYNTHETIC:
            values["scaling"] = "auto"
        values.update(unused_fields(values["optimizer"]))
        return values

    def fill(self, values: Texts) -> None:
        """Show other texts in every field at once, without posting a change."""
        shown = dict(values)
        hidden = tuple(shown["hidden_activation"].split(","))
        if len(hidden) > 1:
            shown["hidden_activation"] = PER_LAYER
        shown["path"] = ""
        if shown["dataset"] not in DATASETS:
            shown |= {"path": shown["dataset"], "dataset": FILE}
        for field in self.fields:
            field.control.show(shown.get(field.declared.name, ""))
        self._fits_data = True
        self._show_layers(hidden)
        self._show_fields()

    def show_mistakes(self, mistakes: Iterable[Mistake], values: Texts) -> None:
        """Show each mistake at its field, and in empty fields the meaning of an empty text."""
        words = {mistake.field: mistake.remedy for mistake in mistakes}
        if values["dataset"] not in DATASETS and "dataset" in words:
            words["path"] = words.pop("dataset")
        for field in self.fields:
            field.mistake = words.get(field.declared.name, "")
            if isinstance(field.control, Entry):
                field.control.placeholder = _placeholder(field.declared, values)

    def show_suggestions(self, found: Iterable[Suggestion]) -> None:
        """Show each suggestion at its field, and none at the others."""
        by_field = {one.field: one for one in found}
        for name in ("layers", "loss", "output_activation"):
            self.field(name).suggest(by_field.get(name))

    @on(FormField.Applied)
    def _applied(self, event: FormField.Applied) -> None:
        event.stop()
        self._set({event.suggestion.field: event.suggestion.proposed})
        self.post_message(self.Changed())

    def fit_to_data(self) -> None:
        """Set what does not go with a dataset that was chosen: the ends of the layers, and loss and output activation to auto.

        A file that was not read yet is fitted to when this is called again after it was read.
        """
        if self._fits_data:
            return
        config = from_texts(self.values).countable
        if config is None or is_known(config):
            self._fits_data = True
            found = () if config is None else suggestions(config)
            self._set({one.field: one.proposed if one.field == "layers" else "auto" for one in found})

    def _set(self, texts: Texts) -> None:
        for name, text in texts.items():
            self.field(name).control.show(text)
        every = self.field("hidden_activation").control.value
        self._show_layers(self.query_one(LayerEditor).activations[:-1] if every == PER_LAYER else (every,))

    def _show_fields(self) -> None:
        from_file = self.field("dataset").control.value == FILE
        for name in ("path", *TABLE_FIELDS):
            self.field(name).display = from_file
        scaling, is_generated = self.field("scaling"), self.field("dataset").control.value in SYNTHETIC
        scaling.display = from_file or (scaling.control.value != "auto" and not is_generated)
        # What only a choice above it gives a meaning is shown with that choice, or where it was changed.
        stopping, patience = self.field("early_stopping"), self.field("patience")
        stopping.display = self.field("epochs").control.value == "auto" or stopping.control.value != "auto"
        patience.display = stopping.control.value == "yes" or patience.control.value != FIELDS["patience"].text(
            FIELDS["patience"].default
        )
        steps = self.field("schedule_steps")
        steps.display = self.field("schedule").control.value != "constant" or bool(steps.control.value)
        unused = unused_fields(self.field("optimizer").control.value)
        for name in OPTIMIZER_FIELDS:
            self.field(name).display = name not in unused

    def _show_layers(self, hidden: Sequence[str]) -> None:
        """Show the layers with one activation for all hidden layers, or with one for each."""
        layers, output = self.field("layers").control.value, self.field("output_activation").control.value
        inner = tuple(hidden) * (len(size_texts(layers)) - 1) if len(hidden) == 1 else hidden
        self.query_one(LayerEditor).show(layers, (*inner, output))

    @on(Choice.Changed)
    @on(Input.Changed)
    def _changed(self, event: Choice.Changed | Input.Changed) -> None:
        event.stop()
        field = event.control.parent
        name = field.declared.name if isinstance(field, FormField) else ""
        if name in ("layers", "hidden_activation", "output_activation"):
            every = self.field("hidden_activation").control.value
            self._show_layers(self.query_one(LayerEditor).activations[:-1] if every == PER_LAYER else (every,))
        elif name in ("dataset", "optimizer", "epochs", "early_stopping", "schedule"):
            self._show_fields()
        if name in ("dataset", "path"):
            self._fits_data = False
            self.fit_to_data()
        self.post_message(self.Changed())

    @on(LayerEditor.Edited)
    def _layers_edited(self, event: LayerEditor.Edited) -> None:
        event.stop()
        # One size alone is no network yet and has no activation.
        *hidden, output = event.activations or (self.field("output_activation").control.value,)
        self.field("layers").control.show("-".join(event.sizes))
        self.field("output_activation").control.show(output)
        if hidden:
            self.field("hidden_activation").control.show(hidden[0] if len(set(hidden)) == 1 else PER_LAYER)
        self.post_message(self.Changed())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    def action_page(self, by: int) -> None:
        """Scroll the form by a page."""
        self.scroll_relative(y=by * max(1, self.size.height - 1), animate=False)


def _placeholder(declared: Field, values: Texts) -> str:
    """Return the meaning of an empty text, given the other fields."""
    match declared.name:
        case "layers":
            return "such as 64-32-10"
        case "learning_rate" if values["optimizer"] in LEARNING_RATES:
            return f"{LEARNING_RATES[values['optimizer']]:g} for {values['optimizer']}"
        case "schedule_steps" if values["schedule"] == "constant":
            return ""
        case "threads":
            return f"{default_threads()}, by free cores"
    return declared.blank
