"""The law's screen: what a step, an operation and a byte take, fitted anew whenever a run is added.

It lays out, chooses and passes laws on; it draws nothing, and the runs come from whoever made it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.errors import DataError
from tuisim.features.runs.cost_fit import laws
from tuisim.features.runs.fit_view import FormulaView, LawHeader, Reading, ScatterView
from tuisim.features.runs.list_view import RunsView
from tuisim.store.runs import Kept, runs
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen

TICK = 0.5
"""Seconds between two looks at the runs."""
_WIDTHS = [(0, "-tiny"), (80, "-narrow"), (100, "-normal"), (160, "-wide")]
_OTHER = Binding.Group("other backend", compact=True)


class LawScreen(PanelScreen):
    """The laws of the runs that `kept` returns; it is asked twice a second and may raise DataError."""

    TITLE = "cost law"
    HELP = (
        "Time of a step = a + b · operations + c · bytes, fitted over all runs so far of one backend on one machine: each run "
        "counts by its ratio to the law, none of the three is below 0, and what the runs cannot tell apart is left blank. A run "
        "on the diagonal takes what the law says; above it, longer. Each run that ends is added while you look."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    LawScreen { layout: grid; grid-size: 2 4; grid-rows: 1 10 1fr 1; grid-columns: 44 1fr; }
    #law-header { column-span: 2; background: $panel; }
    #law-formula { column-span: 2; }
    LawScreen KeyLine { dock: none; column-span: 2; }
    LawScreen.-tiny, LawScreen.-narrow { grid-rows: 1 6 1fr 1; grid-columns: 1fr 46; }
    LawScreen.-tiny Panel, LawScreen.-narrow Panel { padding: 0; }
    LawScreen.-tiny { grid-columns: 1fr 36; }
    LawScreen.-wide { grid-columns: 2fr 3fr; }
    LawScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; grid-columns: 1fr; }
    LawScreen.-zoomed #law-header, LawScreen.-zoomed KeyLine { column-span: 1; }
    LawScreen.-zoomed Panel { display: none; column-span: 1; }
    LawScreen.-zoomed Panel.-zoomed { display: block; column-span: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "other(-1)", "other backend", id="law.left", key_display="←", group=_OTHER, priority=True,
                tooltip="The law of the backend before"),
        Binding("right", "other(1)", "other backend", id="law.right", key_display="→", group=_OTHER, priority=True,
                tooltip="The law of the next backend"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"law.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("law", "points", "runs"), 1)
        ),
        Binding("escape,b", "back", "back", id="law.back", key_display="esc", tooltip="Out of the zoom, or back"),
    ]  # fmt: skip

    def __init__(self, kept: Callable[[], Kept] = runs) -> None:
        super().__init__()
        self._read = kept
        self._kept: Kept | None = None
        self._reading = Reading()
        self._chosen: tuple[str, str] | None = None
        """Machine and backend; none: those of the newest run."""
        self._header = LawHeader()
        self._line = ViewCanvas(self._header, id="law-header")
        self._views = (FormulaView(), ScatterView(), RunsView())
        self._panels = (
            Panel(1, "what a step takes", self._views[0], id="law-formula", numbers=True, turn=None),
            Panel(2, "runs: law →, measured ↑", self._views[1], id="law-points", numbers=True, turn=None),
            Panel(3, "runs, newest first", self._views[2], id="law-runs", numbers=True, turn=None),
        )

    def on_mount(self) -> None:
        self.every(TICK, self.tick)
        self.call_after_refresh(self.tick)

    def tick(self) -> None:
        """Look at the runs, and fit and show what is new."""
        try:
            kept = self._read()
        except DataError as error:
            if self._reading.failure != str(error):
                self._kept = None
                self._show(Reading(failure=str(error)))
            return
        if kept != self._kept:
            self._kept = kept
            found = laws(kept.runs)
            newest = (kept.runs[-1].machine, kept.runs[-1].name) if kept.runs else None
            subjects = [(law.machine, law.backend) for law in found]
            at = next((subjects.index(one) for one in (self._chosen, newest) if one in subjects), 0)
            self._show(Reading(found, at, kept.skipped))

    def action_other(self, by: int) -> None:
        """Another backend's law, round again after the last."""
        found = self._reading.laws
        if len(found) > 1:
            at = (self._reading.at + by) % len(found)
            self._chosen = found[at].machine, found[at].backend
            self._show(Reading(found, at, self._reading.skipped))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return len(self._reading.laws) > 1 if action == "other" else True

    def _show(self, reading: Reading) -> None:
        several = len(self._reading.laws) > 1
        self._reading = reading
        for view in (self._header, *self._views):
            view.reading = reading
        self.draw()
        if several != (len(reading.laws) > 1):
            self.refresh_bindings()
