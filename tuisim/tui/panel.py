"""A canvas that draws a state, and the bordered panel around it with its number key, title and provenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message

from tuisim.provenance import Provenances, words
from tuisim.terminal.lines import ChartStyle, Frame, Line, Tone, wrap
from tuisim.tui.canvas import Canvas

Draw = Callable[[Any, Frame], list[Line]]
"""Draws a page's state as lines for a frame. Nothing is drawn before there is a state."""


class View(Protocol):
    """A drawing with a provenance tag of its own."""

    @property
    def kinds(self) -> Provenances:
        """The provenance of its numbers; one of another kind is `Tagged` and has the word beside it."""

    def lines(self, snapshot: Any, frame: Frame) -> list[Line]: ...


class Rowed:
    """A view whose lines are rows to choose from."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Sequence[int | None] = ()
        """The row of each line; None for a line that belongs to none."""


class ViewCanvas(Canvas):
    """A canvas that draws the latest state it was offered."""

    DEFAULT_CSS = "ViewCanvas { height: 100%; }"

    def __init__(
        self, view: View | Draw, *, rows: Callable[[Any, Frame], Sequence[int | None]] | None = None, id: str | None = None
    ) -> None:
        """`rows` returns, for each line that `view` draws, the row it belongs to."""
        super().__init__(id=id)
        self._view = view
        self._draw_lines: Draw = view if callable(view) else view.lines
        self._rows = rows
        self._snapshot: Any = None
        self._room = Size(0, 0)
        self._instead: str | None = None
        self._taller = False
        self.stale = True
        """True if a state was offered whose charts have not been drawn."""
        self.chart_style = ChartStyle.BRAILLE
        self.zoomed = False

    def offer(self, state: Any) -> None:
        """Take a state to be drawn when `draw` is called."""
        self._snapshot = state
        self.stale = True

    def say_instead(self, words: str) -> None:
        """Show words if no state ever came."""
        self._instead = words
        self.draw()

    def row_at(self, line: int) -> int | None:
        """Return the row of the view that is drawn on a line, or None."""
        if self._rows is not None and self._snapshot is not None:
            places = self._rows(self._snapshot, self._frame())
        else:
            places = self._view.places if isinstance(self._view, Rowed) else ()
        return places[line] if 0 <= line < len(places) else None

    def draw(self, pictures: bool = True) -> None:
        """Draw the latest state offered; without `pictures`, charts may stay as they are."""
        self.repaint(self._redraw(pictures))

    @property
    def scrolls(self) -> bool:
        """True if its lines are taller than its room."""
        return self._taller

    def _redraw(self, pictures: bool) -> list[int]:
        """Draw the latest state offered, and return the rows that have changed.

        A zoomed view may be taller than the room, and then scrolls.
        """
        width, height = self._room
        if width < 1 or height < 1:
            return []
        self.stale = self.stale and not pictures
        if self._snapshot is None and self._instead is not None:
            lines = wrap(self._instead, width, Tone.BAD)
        elif self._snapshot is None and callable(self._view):
            lines = []
        else:
            lines = self._draw_lines(self._snapshot, self._frame(pictures))
        taller = self.zoomed and len(lines) > height
        if taller or self._taller:
            self.styles.height = len(lines) if taller else "100%"
            self._taller = taller
        return self.take(lines if taller else lines[:height])

    def _frame(self, pictures: bool = True) -> Frame:
        return Frame(*self._room, self.chart_style, self.zoomed, pictures)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.fit()

    def fit(self) -> None:
        """Measure the room and draw in it."""
        parent = self.parent
        self._room = parent.scrollable_content_region.size if isinstance(parent, VerticalScroll) else self.size
        self.draw()


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
    class ZoomAsked(Message):
        """The panel's title was clicked."""

        panel: Panel

    @dataclass
    class RowClicked(Message):
        """One of the view's rows was clicked."""

        panel: Panel
        row: int

    def __init__(
        self,
        number: int,
        title: str,
        view: View | Draw,
        *,
        id: str,
        tag: Provenances | None = None,
        rows: Callable[[Any, Frame], Sequence[int | None]] | None = None,
        numbers: bool = True,
        turn: int | None = None,
    ) -> None:
        """`tag` is the provenance of the panel's numbers; by default the view's own."""
        super().__init__(id=id)
        self.number, self.title = number, title
        self.canvas = ViewCanvas(view, rows=rows)
        self.numbers = numbers
        """True if it is drawn for every snapshot."""
        self.turn = turn
        """The tick of the round in which its charts are drawn; None if it has no charts."""
        self.border_title = Content.from_markup("[bold $accent]$number[/] $title", number=str(number), title=title)
        self.border_subtitle = words(tag if tag is not None else () if callable(view) else view.kinds)

    def compose(self) -> ComposeResult:
        yield self.canvas

    def on_resize(self, _: events.Resize) -> None:
        self.canvas.fit()

    def on_click(self, event: events.Click) -> None:
        if event.screen_y == self.region.y:
            event.stop()
            self.post_message(self.ZoomAsked(self))
            return
        row = self.canvas.row_at(event.screen_y - self.content_region.y + round(self.scroll_y))
        if row is not None:
            self.post_message(self.RowClicked(self, row))
