"""The page Inspect, sub-page Microscope."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tuisim.config import Field, RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.microscope.reading import Place, look_at, parse
from tuisim.features.inspect.microscope.view import chain_lines
from tuisim.features.inspect.screen import InspectScreen
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.panel import Panel
from tuisim.tui.panels import row_bindings, zoom_bindings

_LAYER, _INPUT = (Binding.Group(words, compact=True) for words in ("layer", "input"))
FIELD = Field(
    "", "", "The weight that is followed.", parser=parse, writer=str, check=lambda _: "", name="weight", type=Place,
    default=Place(),
)  # fmt: skip


class MicroscopeScreen(InspectScreen):
    """One weight of one unit through a step."""

    TITLE = "microscope"
    CSS = """
    MicroscopeScreen { grid-size: 1 4; grid-rows: 1 auto 1fr 1; }
    MicroscopeScreen.-zoomed InputLine { display: none; }
    """
    HELP = (
        "A weight through one step of the run, with the numbers in the backend's buffers: the unit's sum, its activation, the "
        "gradient by the chain rule, and the update. Each value is computed again in double precision and compared with the "
        "buffer's, in units in the last place (ulp). ↑ and ↓ choose the unit, page up and page down the layer, i and I the "
        "input; / takes a weight such as 2:W[3,7]. During a run the step changes; space pauses."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *row_bindings("microscope", "unit"),
        Binding("pageup", "layer(-1)", "layer up", id="microscope.layer_up", key_display="PgUp", group=_LAYER, priority=True,
                tooltip="Choose the layer before"),
        Binding("pagedown", "layer(1)", "layer down", id="microscope.layer_down", key_display="PgDn", group=_LAYER, priority=True,
                tooltip="Choose the next layer"),
        Binding("i", "input(1)", "next input", id="microscope.next_input", group=_INPUT, tooltip="Choose the next input"),
        Binding("I", "input(-1)", "input before", id="microscope.input_before", group=_INPUT, tooltip="Choose the input before"),
        Binding("slash,e", "edit", "weight", id="microscope.edit", key_display="/", tooltip="Type a weight: 2:W[3,7]"),
        *zoom_bindings("microscope", "chain"),
    ]  # fmt: skip

    def __init__(self, context: PageContext) -> None:
        """Follow the first weight."""
        super().__init__(context, [Panel(1, "microscope", chain_lines, id="inspect-chain", tag=MEASURED)], Place())
        self._inputs = InputLine("", (FIELD,), {"weight": Place()})
        self._is_first = True

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at the weight."""
        if self._is_first:  # of an image, the middle: the first pixel is often 0
            self._is_first, self.chosen = False, replace(self.chosen, input=config.layers[0] // 2)
            self.query_one("#input-weight", Input).value = str(self.chosen)
        self.chosen = self.chosen.within(config.layers)
        return look_at(self.chosen, 0)

    def _show_place(self, place: Place) -> None:
        """Follow another weight, and show it in the input."""
        place = place.within(self.state.config.layers)
        if place != self.chosen:
            self.choose(place)
            self.query_one("#input-weight", Input).value = str(place)

    def action_row(self, by: int) -> None:
        """Choose the unit before or after."""
        self._show_place(replace(self.chosen, unit=self.chosen.unit + by))

    def action_layer(self, by: int) -> None:
        """Choose the layer before or after."""
        self._show_place(replace(self.chosen, layer=self.chosen.layer + by))

    def action_input(self, by: int) -> None:
        """Choose the input before or after."""
        if self.chosen.input is not None:
            self._show_place(replace(self.chosen, input=self.chosen.input + by))

    def action_edit(self) -> None:
        """Put the cursor into the input."""
        assert self._inputs is not None
        self._inputs.edit("weight")

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        if message.values is None:
            return
        place: Place = message.values["weight"] or Place()
        within = place.within(self.state.config.layers)
        if within != place:
            assert self._inputs is not None
            self._inputs.refuse(f"weight: the network has the layers {'-'.join(map(str, self.state.config.layers))}")
        elif place != self.chosen:
            self.choose(place)
