"""A page of numbered panels, any of which can be shown on the whole page."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from tuisim.terminal.lines import ChartStyle
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.key_line import KeyLine
from tuisim.tui.messages import ChartStyleChosen
from tuisim.tui.page import PageScreen
from tuisim.tui.panel import Panel, ViewCanvas


def zoom_bindings(page: str, *panels: str) -> list[BindingType]:
    """Return the number keys that show one of a page's panels on the whole page."""
    group = Binding.Group("zoom", compact=True)
    return [
        Binding(str(n), f"zoom({n})", f"zoom {panel}", id=f"{page}.zoom_{n}", group=group,
                tooltip=f"Zoom the {panel}, or show all panels")
        for n, panel in enumerate(panels, 1)
    ]  # fmt: skip


def row_bindings(page: str, row: str = "row") -> list[BindingType]:
    """Return the keys that select the row above and the row below, by `action_row`."""
    group = Binding.Group(row, compact=True)
    return [
        Binding(key, f"row({by})", f"{row} {key}", id=f"{page}.{key}", key_display=arrow, group=group, priority=True,
                tooltip=f"Select the {row} {'above' if by < 0 else 'below'}")
        for key, arrow, by in (("up", "↑", -1), ("down", "↓", 1))
    ]  # fmt: skip


class PanelScreen(PageScreen[None]):
    """Zooms a panel by its number key or a click on its title."""

    DEFAULT_CSS = """
    PanelScreen.-narrow Panel { padding: 0; }
    PanelScreen.-zoomed { grid-size: 1 2 !important; grid-rows: 1 1fr !important; grid-columns: 1fr !important; }
    PanelScreen.-zoomed > * { column-span: 1 !important; row-span: 1 !important; }
    PanelScreen.-zoomed Panel { display: none; }
    PanelScreen.-zoomed Panel.-zoomed { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b", "back", "back", id="panels.back", key_display="esc", tooltip="Leave the input, the zoom or the page"),
        Binding("c", "chart_style", "chart style", show=False,
                tooltip="Switch the characters: braille, blocks, or ASCII alone on every page"),
    ]  # fmt: skip
    _line: ViewCanvas
    """The header above the panels."""
    _inputs: InputLine | None = None
    """The inputs between header and panels; None for a page without any."""
    _panels: tuple[Panel, ...] = ()
    _focused_before: Widget | None = None
    """The widget that had the focus before a panel was zoomed."""

    def compose(self) -> ComposeResult:
        """Yield the header, the inputs, the panels and the keys."""
        yield self._line
        if self._inputs is not None:
            yield self._inputs
        yield from self._panels
        yield KeyLine()

    def show(self, state: Any) -> None:
        """Show `state` in the header and in every panel."""
        for canvas in (self._line, *(panel.canvas for panel in self._panels)):
            canvas.offer(state)
        self.draw()

    def draw(self) -> None:
        """Draw the header and every visible panel."""
        self._line.draw()
        for panel in self._panels:
            if panel.display:
                panel.canvas.draw()

    @property
    def zoomed(self) -> bool:
        """True if one panel is shown on the whole page."""
        return any(panel.canvas.zoomed for panel in self._panels)

    def action_zoom(self, number: int) -> None:
        """Show this panel on the whole page, or all panels again."""
        chosen = self._panels[number - 1]
        self.zoom(None if chosen.canvas.zoomed else chosen)

    def zoom(self, chosen: Panel | None) -> None:
        """Show one panel on the whole page, with the focus, or all of them, with the focus where it was before."""
        if chosen is not None and not self.zoomed:
            self._focused_before = self.focused
        self.set_class(chosen is not None, "-zoomed")
        for panel in self._panels:
            panel.canvas.zoomed = panel is chosen
            panel.set_class(panel is chosen, "-zoomed")
            panel.scroll_home(animate=False)
        focused = self._focused_before if chosen is None else chosen
        if isinstance(focused, Panel):
            focused.focus()
        self.call_after_refresh(self.fit_panels)

    def action_back(self) -> None:
        """Leave the input, the zoom, or the page."""
        if isinstance(self.focused, Input):
            self.set_focus(None)
        elif self.zoomed:
            self.zoom(None)
        else:
            self.dismiss(None)

    @on(Panel.ZoomRequested)
    def _title_clicked(self, message: Panel.ZoomRequested) -> None:
        self.action_zoom(message.panel.number)

    def fit_panels(self) -> None:
        """Draw every panel in the room that it has."""
        for panel in self._panels:
            if panel.display:
                panel.canvas.fit()

    def action_chart_style(self) -> None:
        """Draw charts in the next style, on every page."""
        self._use_chart_style(self._panels[0].canvas.chart_style.following)
        self.post_message(ChartStyleChosen(self._panels[0].canvas.chart_style))

    @on(events.ScreenResume)
    def follow_chart_style(self) -> None:
        """Draw charts in the style that was chosen on another page."""
        if self._panels:
            self._use_chart_style(getattr(self.app, "chart_style", self._panels[0].canvas.chart_style))

    def _use_chart_style(self, style: ChartStyle) -> None:
        if self._panels[0].canvas.chart_style is not style:
            for panel in self._panels:
                panel.canvas.chart_style = style
            self.fit_panels()
