"""The page Known networks: a lower bound of the time to train published networks on this machine."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from tuisim.config import Field
from tuisim.features.estimate.known import view
from tuisim.features.estimate.known.projection import KnownState, project_known
from tuisim.features.estimate.volume.screen import TimesScreen
from tuisim.predict import predictor as prices
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import zoom_bindings

INPUTS = (
    Field("", "", "Training examples per epoch.", name="examples", type=int, minimum=1, none="as published"),
    Field("", "", "Passes over the training examples.", name="epochs", type=int, minimum=1, none="as published"),
)


class KnownNetworksScreen(TimesScreen):
    """The known networks at the best rate that was measured on this machine."""

    TITLE = "known networks"
    HELP = (
        "Ten published networks, at the best rate of a step measured on this machine: a lower bound of their training time, "
        "for the published number of examples and epochs or for those that you type."
    )
    CSS = """
    KnownNetworksScreen { layout: grid; grid-size: 1 5; grid-rows: 1 auto 1fr 7 1; }
    #known-header { background: $panel; }
    KnownNetworksScreen KeyLine { dock: none; }
    KnownNetworksScreen.-tall { grid-rows: 1 auto 1fr 14 1; }
    KnownNetworksScreen.-zoomed { grid-size: 1 4; grid-rows: 1 auto 1fr 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = zoom_bindings("known", "times", "computation")
    is_optional = True

    def __init__(self, context: PageContext) -> None:
        super().__init__(context, INPUTS, {"examples": None, "epochs": None}, KnownState())
        self._line = ViewCanvas(view.header, id="known-header")
        self._panels = (
            Panel(1, "time by network", view.times, id="known-times", tag=view.TIMES_TAG, rows=view.time_row_places),
            Panel(2, "how it is computed", view.how, id="known-how", tag=view.HOW_TAG),
        )

    def make_state(self) -> KnownState:
        """Return the projections for the published volumes or those in the inputs."""
        return project_known(prices.best_entry(), self.values["examples"], self.values["epochs"], self.selected)
