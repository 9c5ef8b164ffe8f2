"""The convention dial: the same network as one public counter after another would report it.

It turns and lays out; numbers, words and what is in them come from the accounting.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tuisim.accounting import count
from tuisim.accounting.conventions import CONVENTIONS, Convention
from tuisim.config import RunConfig
from tuisim.features.explain.conventions.view import dial
from tuisim.tui.canvas import Canvas
from tuisim.tui.key_line import KeyLine
from tuisim.tui.page import PageScreen
from tuisim.units import layers_text

MOST_LAYERS = 40
"""Cells of layer sizes that the title has room for."""


class DialScreen(PageScreen[None]):
    """How others would count `config`, one turn of the dial at a time."""

    TITLE = "conventions"
    HELP = "One network, many numbers: each tool counts another part of the step. What it has in its number is bright."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "next", key_display="→", tooltip="Turn the dial to the next tool"),
        Binding("left,backspace", "turn(-1)", "previous", key_display="←", tooltip="Turn it back"),
        Binding("home", "go(0)", "first", show=False, tooltip="The first tool"),
        Binding("end", "go(-1)", "full ledger", tooltip="The full ledger"),
        Binding("escape,b", "back", "back", key_display="esc", tooltip="Back to where this page was opened"),
    ]
    DEFAULT_CSS = """
    DialScreen {
        #dial-title { height: 1; padding: 0 1; background: $footer-background; color: $text-muted; }
        #dial-scroll { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
        #dial-scroll > Canvas { height: auto; }
    }
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config, self._ledger = config, count(config)
        self.at = 0
        """The place of the dial."""

    @property
    def convention(self) -> Convention:
        return CONVENTIONS[self.at]

    def compose(self) -> ComposeResult:
        yield Static(id="dial-title")
        with VerticalScroll(id="dial-scroll", can_focus=False):
            yield Canvas()
        yield KeyLine()

    def on_mount(self) -> None:
        sizes = layers_text(self._config.layers)
        if len(sizes) > MOST_LAYERS:
            sizes = f"{self._config.layers[0]} … {self._config.layers[-1]}"
        names = " ".join(dict.fromkeys(self._config.activations))
        self.query_one("#dial-title", Static).update(
            f"[b $accent]how others count[/]   {sizes} · {names} · batch {self._config.batch_size:,} · all counted"
        )

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        room = self.query_one("#dial-scroll").scrollable_content_region
        if room.width < 1 or room.height < 1:
            return
        lines = dial(self._ledger, self.at, room.width, room.height)
        canvas = self.query_one(Canvas)
        canvas.styles.height = len(lines)
        canvas.show(lines)

    def action_turn(self, by: int) -> None:
        self.at = (self.at + by) % len(CONVENTIONS)
        self._draw()

    def action_go(self, to: int) -> None:
        self.at = to % len(CONVENTIONS)
        self._draw()

    def action_back(self) -> None:
        self.dismiss(None)
