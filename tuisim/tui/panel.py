"""A canvas that draws a state, and the bordered panel around it with its number key, title and provenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message

from tuisim.provenance import Provenances, words
from tuisim.terminal.chart import LABEL, plot_columns
from tuisim.terminal.lines import ChartStyle, Frame, Line
from tuisim.tui.canvas import Canvas

Draw = Callable[[Any, Frame], list[Line]]
"""Draws a page's state as lines for a frame. Nothing is drawn before there is a state."""

Rows = Callable[[Any, Frame], Sequence[int | None]]
"""Returns the row of a table that each drawn line belongs to; None for a line that belongs to none."""


class ViewCanvas(Canvas):
    """A canvas that draws the latest state it was offered."""

    DEFAULT_CSS = "ViewCanvas { height: 100%; }"

    def __init__(self, lines: Draw, *, rows: Rows | None = None, id: str | None = None) -> None:
        """`rows` returns, for each line that `lines` draws, the row it belongs to."""
        super().__init__(id=id)
        self._draw_lines, self._rows = lines, rows
        self._state: Any = None
        self._room = Size(0, 0)
        self._taller = False
        self.stale = True
        """True if a state was offered that has not been drawn."""
        self.chart_style = ChartStyle.BRAILLE
        self.zoomed = False
        self.cursor: int | None = None
        """The column of the cursor of the chart; None for no cursor."""

    def offer(self, state: Any) -> None:
        """Take a state to be drawn when `draw` is called."""
        self._state = state
        self.stale = True

    def row_at(self, line: int) -> int | None:
        """Return the row of the table that is drawn on a line, or None."""
        rows = self._rows(self._state, self._frame()) if self._rows is not None and self._state is not None else ()
        return rows[line] if 0 <= line < len(rows) else None

    @property
    def scrolls(self) -> bool:
        """True if there are more lines than fit."""
        return self._taller

    def draw(self) -> None:
        """Draw the latest state offered. A zoomed view that does not fit scrolls."""
        width, height = self._room
        if width < 1 or height < 1:
            return
        self.stale = False
        lines = [] if self._state is None else self._draw_lines(self._state, self._frame())
        taller = self.zoomed and len(lines) > height
        if taller or self._taller:
            self.styles.height = len(lines) if taller else "100%"
            self._taller = taller
        self.show(lines if taller else lines[:height])

    def _frame(self) -> Frame:
        return Frame(*self._room, self.chart_style, self.zoomed, self.cursor)

    def on_resize(self, event: events.Resize) -> None:
        """Draw in the new size."""
        super().on_resize(event)
        self.fit()

    def fit(self) -> None:
        """Measure the available size and draw in it."""
        parent = self.parent
        self._room = parent.scrollable_content_region.size if isinstance(parent, VerticalScroll) else self.size
        self.draw()


class FittedCanvas(ViewCanvas):
    """A canvas as tall as its lines, at most `max_lines`; without lines it takes no space."""

    DEFAULT_CSS = "FittedCanvas { height: auto; }"

    @dataclass
    class RowClicked(Message):
        """One of the view's rows was clicked."""

        row: int

    max_lines = 1

    def draw(self) -> None:
        """Draw the latest state offered, and take as many lines as that needs."""
        self.stale = False
        lines = [] if self._state is None else self._draw_lines(self._state, self._frame())
        is_resized = len(lines) != len(self.lines)
        self.show(lines)
        if is_resized:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines."""
        return len(self.lines)

    def _frame(self) -> Frame:
        return Frame(self.screen.size.width, self.max_lines, self.chart_style)

    def on_click(self, event: events.Click) -> None:
        """Report a click on a row."""
        row = self.row_at(event.y)
        if row is not None:
            self.post_message(self.RowClicked(row))


class Panel(VerticalScroll):
    """A view in a border with its key, its title and the provenance of its numbers."""

    DEFAULT_CSS = """
    Panel {
        height: 1fr;
        border: round $foreground 28%;
        border-title-color: $foreground;
        border-subtitle-color: $foreground 60%;
        padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    Panel:focus { border: round $accent; }
    """

    @dataclass
    class ZoomRequested(Message):
        """The panel's title was clicked."""

        panel: Panel

    @dataclass
    class RowClicked(Message):
        """One of the view's rows was clicked."""

        panel: Panel
        row: int

    def __init__(self, number: int, title: str, lines: Draw, *, id: str, tag: Provenances = (), rows: Rows | None = None) -> None:
        """`tag` is the provenance of the panel's numbers; a number of another provenance is `Tagged` and shows its own."""
        super().__init__(id=id)
        self.number, self.title = number, title
        self.canvas = ViewCanvas(lines, rows=rows)
        self.entitle(title)
        self.border_subtitle = words(tag)

    def compose(self) -> ComposeResult:
        """Yield the canvas."""
        yield self.canvas

    def entitle(self, words: str) -> None:
        """Show `words` as the title, which begin with `title`: what was chosen by key follows it."""
        self.border_title = Content.from_markup("[bold $accent]$number[/] $title", number=str(self.number), title=words)

    def on_resize(self, _: events.Resize) -> None:
        """Draw in the new size."""
        self.canvas.fit()

    def on_click(self, event: events.Click) -> None:
        """Zoom on a click on the title; report a click on a row."""
        if event.screen_y == self.region.y:
            event.stop()
            self.post_message(self.ZoomRequested(self))
            return
        row = self.canvas.row_at(event.screen_y - self.content_region.y + round(self.scroll_y))
        if row is not None:
            self.post_message(self.RowClicked(self, row))


class ChartPanel(Panel):
    """A panel with a chart. Its cursor follows the mouse and, while the panel has the focus, the arrow keys."""

    _CURSOR = Binding.Group("cursor", compact=True)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor(-1)", "cursor left", key_display="←", group=_CURSOR,
                tooltip="Move the cursor of the chart left; so does the mouse"),
        Binding("right", "cursor(1)", "cursor right", key_display="→", group=_CURSOR,
                tooltip="Move the cursor of the chart right; it ends at the right edge"),
    ]  # fmt: skip

    def action_cursor(self, by: int) -> None:
        """Move the cursor by a column; it comes from the right end and goes there."""
        columns = plot_columns(self.canvas.size.width)
        column = (columns if self.canvas.cursor is None else min(self.canvas.cursor, columns)) + by
        self._point(None if column >= columns else max(0, column))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Put the cursor under the mouse."""
        column = event.screen_x - self.content_region.x - LABEL - 1
        self._point(column if column >= 0 and self.content_region.contains(event.screen_x, event.screen_y) else None)

    def on_leave(self, _: events.Leave) -> None:
        """Remove the cursor with the mouse."""
        if not self.is_mouse_over:
            self._point(None)

    def _point(self, column: int | None) -> None:
        if column != self.canvas.cursor:
            self.canvas.cursor = column
            self.canvas.draw()
