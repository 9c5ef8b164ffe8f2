"""The page Inspect, sub-page Map."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from tuisim.config import RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.map.decision_map import look_at
from tuisim.features.inspect.map.view import map_lines
from tuisim.features.inspect.screen import InspectScreen
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel
from tuisim.tui.panels import zoom_bindings


class MapScreen(InspectScreen):
    """The network's answers over its inputs."""

    TITLE = "map"
    HELP = (
        "The network evaluated at every point of the plane of its two inputs: each region is a class, each point a row of the "
        "training data. A point whose colour is not that of its region is classified wrong. With one input, the curve of the "
        "output beside the data."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*zoom_bindings("map", "map")]

    def __init__(self, context: PageContext) -> None:
        """Show the map."""
        super().__init__(context, [Panel(1, "decision map", map_lines, id="inspect-map", tag=MEASURED)])

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at the network over its inputs."""
        return look_at()

    def unfit(self, config: RunConfig) -> str:
        """Return why a network has no map."""
        if (inputs := config.layers[0]) > 2:
            return f"a map needs one or two inputs, this network has {inputs:,}: try the dataset moons, spirals or sine"
        return ""
