"""The page Inspect, sub-page Diagram."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from tuisim.config import RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.diagram.diagram import look_at
from tuisim.features.inspect.diagram.view import diagram_lines
from tuisim.features.inspect.screen import InspectScreen
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel
from tuisim.tui.panels import row_bindings, zoom_bindings


class DiagramScreen(InspectScreen):
    """Units and connections for one example."""

    TITLE = "diagram"
    HELP = (
        "A column of units per layer, coloured by their output for one example: blue below zero, orange above. Lines are the "
        "strongest connections, output × weight. Of a wide layer those units are drawn that matter most: the largest output "
        "times the sum of its outgoing weights' magnitudes. ↑ and ↓ choose the example."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*row_bindings("diagram", "example"), *zoom_bindings("diagram", "diagram")]

    def __init__(self, context: PageContext) -> None:
        """Show the first example."""
        super().__init__(context, [Panel(1, "network", diagram_lines, id="inspect-diagram", tag=MEASURED)], 0)

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at the network for the example."""
        return look_at(self.chosen)

    def action_row(self, by: int) -> None:
        """Choose the example before or after."""
        rows = self.state.found.rows if self.state.found is not None else 1
        self.choose(min(max(self.chosen + by, 0), rows - 1))
