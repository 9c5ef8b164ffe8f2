"""The answer to the question as one page: seven claims, counted at once and measured as soon as the machine is free.

It routes between the inputs, the measurement's thread and the page; it counts, times and draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from tuisim.config import FIELDS, RunConfig
from tuisim.features.explain.answer.answer import Measured, claims, measure
from tuisim.features.explain.answer.view import page
from tuisim.features.explain.answer.worker import Measuring, Method
from tuisim.tui.canvas import Canvas
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.key_line import KeyLine
from tuisim.tui.page import PageScreen

TICK = 0.1
"""Seconds between two looks at the measurement."""
_WIDTHS = [(0, "-narrow"), (76, "-normal")]
PATIENCE = 0.5
"""Seconds after the last edit before the new network is timed."""


class AnswerScreen(PageScreen[None]):
    """S1 to S7 for one configuration. `busy` says whether a training would be disturbed; `hush` pauses it."""

    TITLE = "answer"
    HELP = "The answer to the question, claim by claim: what is counted for this network, and what is measured on this machine."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b", "back", "back", key_display="esc", tooltip="Back to where this page was opened"),
        Binding("e", "edit", "edit layers, batch", tooltip="Edit the layers and the batch"),
        Binding("m", "measure", "measure again", tooltip="Measure again; a training that runs is paused for it"),
        Binding("down", "scroll(1)", "scroll down", show=False),
        Binding("up", "scroll(-1)", "scroll up", show=False),
        Binding("pagedown,space", "leap(1)", "page", show=False, tooltip="A page down"),
        Binding("pageup", "leap(-1)", "page up", show=False),
    ]
    AUTO_FOCUS = ""  # the page is read first; `e` edits
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    DEFAULT_CSS = """
    AnswerScreen {
        &.-narrow InputLine .title { display: none; }
        #answer-scroll { height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1; }
        #answer-scroll > Canvas { height: auto; }
    }
    """

    def __init__(
        self,
        config: RunConfig,
        busy: Callable[[], bool] = lambda: False,
        hush: Callable[[], None] = lambda: None,
        method: Method = measure,
    ) -> None:
        super().__init__()
        self._config, self._busy, self._hush, self._method = config, busy, hush, method
        self._shown: Measured | None = None
        self._known = Measured()
        self._measuring: Measuring | None = None
        self._due: float | None = 0.0
        """When to measure; none once that was begun."""

    def compose(self) -> ComposeResult:
        yield InputLine("the answer", [FIELDS["layers"], FIELDS["batch_size"]], vars(self._config))
        with VerticalScroll(id="answer-scroll", can_focus=False):
            yield Canvas()
        yield KeyLine()

    def on_mount(self) -> None:
        self.every(TICK, self.look)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def on_unmount(self) -> None:
        if self._measuring is not None:
            self._measuring.stop()

    def look(self) -> None:
        """Begin what is due, and show what was found."""
        if self._due is not None and monotonic() >= self._due and not self._busy():
            self._due = None
            self._measuring = Measuring(self._config, self._known, self._measuring, self._method)
            self._measuring.start()
        if self._due is None and self._measuring is not None:
            self._known = self._measuring.found
        if self._known is not self._shown:
            self._draw()
        self.query_one(InputLine).say(self._state())

    def _state(self) -> str:
        if self._due is not None:
            return "training: m pauses it" if self._busy() else "counted"
        assert self._measuring is not None
        if self._measuring.alive:
            return "timing activations …" if self._known.steps else "timing the step …"
        return self._measuring.failure or "counted and measured"

    def _draw(self) -> None:
        scroll = self.query_one("#answer-scroll", VerticalScroll)
        width = scroll.scrollable_content_region.width
        if width < 2:
            return
        self._shown = self._known
        lines = page(claims(self._config, self._known), width - 1)  # a cell off the scrollbar
        canvas = self.query_one(Canvas)
        canvas.styles.height = len(lines)
        canvas.show(lines)

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        config = self._config.with_network(**message.values) if message.values else self._config
        if config != self._config:
            self._config = config
            self._again(Measured(functions=self._known.functions), PATIENCE)

    def action_measure(self) -> None:
        if self._busy():
            self._hush()
            self.notify("the training is paused, and goes on once this page is left")
        self._again(Measured(), 0.0)

    def _again(self, known: Measured, after: float) -> None:
        if self._measuring is not None:
            self._measuring.stop()
        self._known, self._due = replace(known), monotonic() + after
        self._draw()

    def action_edit(self) -> None:
        self.query_one(InputLine).edit("layers")

    def action_scroll(self, by: int) -> None:
        self.query_one("#answer-scroll").scroll_relative(y=by, animate=False)

    def action_leap(self, pages: int) -> None:
        scroll = self.query_one("#answer-scroll")
        scroll.scroll_relative(y=pages * max(1, scroll.size.height - 2), animate=False)

    def action_back(self) -> None:
        if self.focused is not None:
            self.set_focus(None)
        else:
            self.dismiss(None)
