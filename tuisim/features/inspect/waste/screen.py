"""The page Inspect, sub-page Waste."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from tuisim.config import RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.screen import InspectScreen
from tuisim.features.inspect.waste.view import products_lines, updates_lines
from tuisim.features.inspect.waste.waste import look_at
from tuisim.provenance import MEASURED, Provenance
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel
from tuisim.tui.panels import zoom_bindings

_TAG = (("multiplications", Provenance.COUNTED), ("", Provenance.MEASURED))


class WasteScreen(InspectScreen):
    """The work of a step that changes nothing."""

    TITLE = "waste"
    CSS = """
    WasteScreen { grid-size: 1 4; grid-rows: 1 4fr 3fr 1; }
    WasteScreen.-zoomed { grid-size: 1 3 !important; grid-rows: 1 1fr 1 !important; }
    """
    HELP = (
        "Counted in one step of the run: multiplications with a factor of exactly zero, parameters that the update left as they "
        "were, examples whose loss is already small, and subnormal numbers. Dense kernels spend the same time on all of them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*zoom_bindings("waste", "products", "updates")]

    def __init__(self, context: PageContext) -> None:
        """Count the latest step."""
        panels = (
            Panel(1, "multiplications with a factor of zero", products_lines, id="waste-products", tag=_TAG),
            Panel(2, "updates without effect", updates_lines, id="waste-updates", tag=MEASURED),
        )
        super().__init__(context, panels)

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at a step."""
        return look_at()
