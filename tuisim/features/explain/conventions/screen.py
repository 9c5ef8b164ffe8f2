"""The conventions page: the same network as other tools count it, one after the other."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.accounting import count
from tuisim.accounting.conventions import CONVENTIONS
from tuisim.features.explain.conventions.view import ConventionsState, convention_lines, header
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen


class ConventionsScreen(PanelScreen):
    """The count of the context's network by the conventions of other tools."""

    TITLE = "conventions"
    HELP = "Each tool counts other operations of the same step. The operations that the selected tool counts are highlighted."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "select(1)", "next tool", key_display="↓", tooltip="The next tool"),
        Binding("up", "select(-1)", "previous tool", key_display="↑", tooltip="The previous tool"),
        Binding("home", "go(0)", "first tool", show=False, tooltip="The first tool"),
        Binding("end", "go(-1)", "last: tuisim", tooltip="The last tool: tuisim itself"),
        Binding("escape,b", "back", "back", key_display="esc", tooltip="Leave the page"),
    ]
    CSS = """
    #conventions-header { height: 1; background: $panel; }
    #conventions { border: none; padding: 1 1 0 1; }
    """

    def __init__(self, context: PageContext) -> None:
        super().__init__()
        self.state = ConventionsState(count(context.config))
        self._line = ViewCanvas(header, id="conventions-header")
        self._panels = (Panel(1, "conventions", convention_lines, id="conventions"),)
        self._panels[0].can_focus = False

    def on_mount(self) -> None:
        """Show the first state."""
        self.action_go(0)

    def action_select(self, by: int) -> None:
        """Select the next or the previous tool."""
        self.action_go(self.state.at + by)

    def action_go(self, to: int) -> None:
        """Select a tool."""
        self.state = ConventionsState(self.state.ledger, to % len(CONVENTIONS))
        self.show(self.state)
