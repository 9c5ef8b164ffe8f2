"""The page Inspect, sub-page Weights."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.config import RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.screen import InspectScreen
from tuisim.features.inspect.weights.view import weights_lines
from tuisim.features.inspect.weights.weights import KINDS, Chosen, look_at
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel
from tuisim.tui.panels import row_bindings, zoom_bindings


class WeightsScreen(InspectScreen):
    """A layer's weights, gradients or updates as a picture."""

    TITLE = "weights"
    HELP = (
        "Each pixel is one weight: blue below zero, orange above, brighter for a larger magnitude. The first layer's weights of "
        "image data are drawn as images, one per unit. ↑ and ↓ choose the layer; V shows its gradients or its updates."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *row_bindings("weights", "layer"),
        Binding("V", "values", "values", id="weights.values", tooltip="Show weights, gradients, or updates"),
        *zoom_bindings("weights", "picture"),
    ]

    def __init__(self, context: PageContext) -> None:
        """Show the first layer."""
        super().__init__(context, [Panel(1, "weights", weights_lines, id="inspect-weights", tag=MEASURED)], Chosen())

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at the layer."""
        return look_at(self.chosen)

    def action_row(self, by: int) -> None:
        """Choose the layer below or above."""
        layer = min(max(self.chosen.layer + by, 1), len(self.state.config.layers) - 1)
        self.choose(replace(self.chosen, layer=layer))

    def action_values(self) -> None:
        """Show the next of weights, gradients and updates."""
        self.choose(replace(self.chosen, kind=KINDS[(KINDS.index(self.chosen.kind) + 1) % len(KINDS)]))
