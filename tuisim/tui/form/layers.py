"""The layer editor: a list of layers to add to, remove from, reorder and give activations. It edits texts, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from tuisim.config import FIELDS
from tuisim.config.choices import ACTIVATIONS
from tuisim.errors import printable
from tuisim.terminal.text import number
from tuisim.tui.form.controls import Choice, Entry
from tuisim.units import MAX_COUNT, layers_text

NEW_SIZE = "32"
"""Units of an added layer if there is no hidden layer to copy."""


class LayerList(OptionList):
    """The layers, one per row; beyond its ends up and down move through the form."""

    def action_cursor_up(self) -> None:
        """Move up, or to the field before."""
        if self.highlighted:
            super().action_cursor_up()
        else:
            self.screen.focus_previous()

    def action_cursor_down(self) -> None:
        """Move down, or to the next field."""
        if self.highlighted is not None and self.highlighted < self.option_count - 1:
            super().action_cursor_down()
        else:
            self.screen.focus_next()


class LayerEditor(Vertical):
    """A list of layers and, beneath it, the size and the activation of the highlighted one, and buttons to change the list."""

    BINDING_GROUP_TITLE = "layers"
    HELP = "One row per layer, with the number of its parameters. The line below edits the highlighted layer."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a,plus,insert", "add", "add layer", key_display="a"),
        Binding("d,minus,delete", "remove", "remove", key_display="d"),
        Binding("shift+up,ctrl+up", "move(-1)", "move up", key_display="⇧↑"),
        Binding("shift+down,ctrl+down", "move(1)", "move down", key_display="⇧↓"),
        Binding("right", "step(1)", "next activation", show=False),
        Binding("left", "step(-1)", "previous activation", show=False),
    ]
    DEFAULT_CSS = """
    LayerEditor {
        height: auto;
        & > LayerList { height: auto; border: none; padding: 0; background: $background; }
        & > Horizontal { height: 1; }
        & .label { color: $text-muted; text-align: right; margin-right: 1; }
        & Entry { width: 9; margin-right: 1; }
        & Choice { width: 13; margin-right: 1; }
        & Button { min-width: 3; width: 3; margin-right: 1; }
    }
    """

    @dataclass
    class Edited(Message):
        """The layers were changed: sizes as typed, and the activation after each layer but the first."""

        sizes: tuple[str, ...]
        activations: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__(id="layer-editor")
        self.sizes: list[str] = ["1", "1"]
        self.activations: list[str] = ["identity"]

    def compose(self) -> ComposeResult:
        """Lay out the list and the line beneath it."""
        yield LayerList(compact=True, markup=False)
        with Horizontal():
            yield Label(classes="label", markup=False)
            yield Entry(id="layer-size")
            yield Choice(ACTIVATIONS, id="layer-activation")
            for name, sign, words in (
                ("add", "+", "Add a layer after the highlighted one"),
                ("remove", "−", "Remove the highlighted layer"),
                ("up", "↑", "Move the highlighted layer towards the inputs"),
                ("down", "↓", "Move the highlighted layer towards the outputs"),
            ):
                yield Button(sign, id=f"layer-{name}", tooltip=words, compact=True)

    @property
    def at(self) -> int:
        """The highlighted layer, 0 for the inputs."""
        highlighted = self.query_one(LayerList).highlighted
        return min(highlighted or 0, len(self.sizes) - 1)

    def show(self, layers: str, activations: tuple[str, ...]) -> None:
        """Show `64-32-10` and its activations, the output's last; a missing one is that of the last hidden layer."""
        self.sizes = size_texts(layers)
        wanted = max(0, len(self.sizes) - 1)
        *hidden, output = activations or ("identity",)
        hidden = (hidden + [hidden[-1] if hidden else "relu"] * wanted)[: max(0, wanted - 1)]
        self.activations = [*hidden, output][:wanted]
        self._fill(self.at)

    def _fill(self, at: int) -> None:
        listed = self.query_one(LayerList)
        rows = [Option(self._row(index)) for index in range(len(self.sizes))]
        if len(rows) == listed.option_count:
            for index, row in enumerate(rows):
                if listed.get_option_at_index(index).prompt != row.prompt:
                    listed.replace_option_prompt_at_index(index, row.prompt)
        else:
            with self.prevent(OptionList.OptionHighlighted):
                listed.set_options(rows)
        with self.prevent(OptionList.OptionHighlighted):
            listed.highlighted = min(at, len(rows) - 1)
        self._show_highlighted()

    def _row(self, index: int) -> str:
        here = self.sizes[index]
        size = number(int(here), 8).replace(",", "") if _whole(here) else printable(here, 8) or "?"
        row = f"{self._role(index):<10}{size:>8}"
        if not index:
            return row
        row += f"  {self.activations[index - 1]:<10}"
        if _whole(before := self.sizes[index - 1]) and _whole(here):
            row += f"{number((int(before) + 1) * int(here), 9):>10} params"
        return row

    def _role(self, index: int) -> str:
        if not index:
            return "inputs"
        return "outputs" if index == len(self.sizes) - 1 else f"hidden {index}"

    def _show_highlighted(self) -> None:
        at = self.at
        self.query_one(".label", Label).update(self._role(at))
        self.query_one("#layer-size", Entry).show(self.sizes[at])
        activation = self.query_one("#layer-activation", Choice)
        activation.visible = at > 0  # inputs have no activation function
        if at:
            activation.show(self.activations[at - 1])
        self.query_one("#layer-remove", Button).disabled = len(self.sizes) <= 2
        self.query_one("#layer-up", Button).disabled = not self._can_move(at, at - 1)
        self.query_one("#layer-down", Button).disabled = not self._can_move(at, at + 1)

    def _edited(self, at: int) -> None:
        self._fill(at)
        self.post_message(self.Edited(tuple(self.sizes), tuple(self.activations)))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._show_highlighted()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.query_one("#layer-size", Entry).focus()

    @on(Input.Changed)
    def _size_typed(self, event: Input.Changed) -> None:
        event.stop()
        self.sizes[self.at] = event.value.strip()
        self._edited(self.at)

    @on(Choice.Changed)
    def _activation_chosen(self, event: Choice.Changed) -> None:
        event.stop()
        if self.at and self.activations[self.at - 1] != event.value:
            self.activations[self.at - 1] = event.value
            self._edited(self.at)

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        does = {"layer-add": "add", "layer-remove": "remove", "layer-up": "move(-1)", "layer-down": "move(1)"}
        await self.run_action(does[event.button.id or ""])

    def action_add(self) -> None:
        """Add a hidden layer after the highlighted one, or before the outputs."""
        at = min(self.at + 1, len(self.sizes) - 1)
        inner = self.sizes[1:-1]
        like = min(max(self.at - 1, 0), len(inner) - 1)
        self.sizes.insert(at, inner[like] if inner else NEW_SIZE)
        self.activations.insert(at - 1, self.activations[like] if inner else "relu")
        self._edited(at)

    def action_remove(self) -> None:
        """Remove the highlighted layer if more than two are left."""
        at = self.at
        if len(self.sizes) > 2:
            del self.sizes[at]
            del self.activations[max(0, at - 1)]
            self._edited(min(at, len(self.sizes) - 1))

    def action_move(self, by: int) -> None:
        """Swap the highlighted layer with its neighbour; hidden layers keep their activations."""
        at, to, last = self.at, self.at + by, len(self.sizes) - 1
        if self._can_move(at, to):
            self.sizes[at], self.sizes[to] = self.sizes[to], self.sizes[at]
            if 0 < at < last and 0 < to < last:
                swapped = self.activations
                swapped[at - 1], swapped[to - 1] = swapped[to - 1], swapped[at - 1]
            self._edited(to)

    def _can_move(self, at: int, to: int) -> bool:
        """Return True unless there is no such layer, or the data decide the size of one of them, which must stay an end."""
        return 0 <= to < len(self.sizes) and "auto" not in (self.sizes[at], self.sizes[to])

    def action_step(self, by: int) -> None:
        """Choose the next or the previous activation of the highlighted layer."""
        if self.at:
            self.query_one("#layer-activation", Choice).action_step(by)


def size_texts(layers: str) -> list[str]:
    """Return the size of each layer as a text, right or wrong."""
    try:
        return layers_text(FIELDS["layers"].parse(layers.strip() or FIELDS["layers"].default_text)).split("-")
    except ValueError:
        return [part.strip() for part in layers.split("-")]


def _whole(text: str) -> bool:
    """Return True for a size that can be counted with; the field `layers` explains what is wrong with a longer one."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_COUNT))
