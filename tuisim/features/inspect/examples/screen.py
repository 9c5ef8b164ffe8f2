"""The page Inspect, sub-page Examples."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tuisim.config import RunConfig
from tuisim.engine.look import Look
from tuisim.features.inspect.examples.examples import ALL, WRONG, Chosen, look_at
from tuisim.features.inspect.examples.view import confusion_lines, confusion_rows, example_lines, list_lines, list_rows
from tuisim.features.inspect.screen import InspectScreen
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel
from tuisim.tui.panels import row_bindings, zoom_bindings


class ExamplesScreen(InspectScreen):
    """Rows of the data with the network's answers, the worst first."""

    TITLE = "examples"
    CSS = """
    ExamplesScreen { grid-size: 2 4; grid-rows: 1 2fr 1fr 1; grid-columns: 1fr 1fr; }
    ExamplesScreen > ViewCanvas, ExamplesScreen KeyLine { column-span: 2; }
    ExamplesScreen #inspect-example { row-span: 2; }
    ExamplesScreen.-zoomed { grid-size: 1 3 !important; grid-rows: 1 1fr 1 !important; }
    """
    HELP = (
        "The rows of validation, or of training if there are none, with the network's answer and the loss of each row. ↑ and ↓ "
        "select one; F lists all rows, the wrong ones, or those of one confusion, as does a click on a confusion."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *row_bindings("examples", "example"),
        Binding("F", "filter", "filter", id="examples.filter", tooltip="List all rows, wrong answers, or one confusion"),
        *zoom_bindings("examples", "list", "example", "confusions"),
    ]

    def __init__(self, context: PageContext) -> None:
        """List all rows."""
        panels = (
            Panel(1, "rows", list_lines, id="inspect-rows", tag=MEASURED, rows=list_rows),
            Panel(2, "example", example_lines, id="inspect-example", tag=MEASURED),
            Panel(3, "confusions", confusion_lines, id="inspect-confusions", tag=MEASURED, rows=confusion_rows),
        )
        super().__init__(context, panels, Chosen())

    def make_look(self, config: RunConfig) -> Look:
        """Return a look at the rows that are listed."""
        return look_at(self.chosen.listed)

    def action_row(self, by: int) -> None:
        """Select the example above or below."""
        self._select(self.chosen.place + by)

    def _select(self, place: int) -> None:
        count = len(self.state.found.listed) if self.state.found is not None else 1
        self.chosen = replace(self.chosen, place=min(max(place, 0), max(0, count - 1)))
        self.tick()

    def action_filter(self) -> None:
        """List the next of all rows, wrong answers, and the confusions in the order of their frequency."""
        confusions = self.state.found.confusions if self.state.found is not None else ()
        named: list[str | tuple[str, str]] = [(target, answer) for target, answer, _ in confusions]
        kinds = [ALL, *([WRONG] if named else []), *named]
        at = kinds.index(self.chosen.listed) if self.chosen.listed in kinds else -1
        self.choose(Chosen(0, kinds[(at + 1) % len(kinds)]))

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        if message.panel.number == 1:
            self._select(message.row)
        else:
            target, answer, _ = self.state.found.confusions[message.row]
            self.choose(Chosen(0, (target, answer)))
