"""The page Runs: past runs and the cost fit over them, updated when a run is added."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from tuisim.errors import DataError
from tuisim.features.runs import view
from tuisim.features.runs.cost_fit import cost_fits
from tuisim.features.runs.view import RunsState
from tuisim.store import runs as store
from tuisim.store.runs import StoredRuns
from tuisim.tui.context import PageContext
from tuisim.tui.panel import ChartPanel, Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen, row_bindings, zoom_bindings

TICK = 0.5
"""Seconds between two readings of the stored runs."""
_WIDTHS = [(0, "-tiny"), (80, "-narrow"), (100, "-normal"), (160, "-wide")]


class RunsScreen(PanelScreen):
    """Shows the runs that `read` returns; it is called twice a second and may raise DataError."""

    TITLE = "runs"
    HELP = (
        "Time of a step = a + b · operations + c · bytes, fitted over all past runs of one backend on one machine. The fit "
        "minimizes relative errors; coefficients are at least 0, and those that the runs do not determine are unknown. A run "
        "on the diagonal took the fitted time, a run above it took longer. A run that ends is added at once."
    )
    AUTO_FOCUS = "#runs-points"  # the arrow keys move the cursor
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    RunsScreen { layout: grid; grid-size: 2 4; grid-rows: 1 10 1fr 1; grid-columns: 44 1fr; }
    #runs-header { column-span: 2; background: $panel; }
    #runs-fit { column-span: 2; }
    RunsScreen KeyLine { dock: none; column-span: 2; }
    RunsScreen.-tiny, RunsScreen.-narrow { grid-rows: 1 8 1fr 1; grid-columns: 1fr 46; }
    RunsScreen.-tiny Panel { padding: 0; }
    RunsScreen.-tiny { grid-columns: 1fr 36; }
    RunsScreen.-wide { grid-columns: 2fr 3fr; }
    RunsScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; grid-columns: 1fr; }
    RunsScreen.-zoomed #runs-header, RunsScreen.-zoomed KeyLine { column-span: 1; }
    RunsScreen.-zoomed #runs-fit { column-span: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*row_bindings("runs"), *zoom_bindings("runs", "cost fit", "points", "runs")]

    def __init__(self, context: PageContext, read: Callable[[], StoredRuns] = store.read) -> None:
        super().__init__()
        self.context = context
        self._read = read
        self._kept: StoredRuns | None = None
        self._selected: tuple[str, str] | None = None
        """Machine and backend; None for those of the newest run that has been fitted, or else of the newest run."""
        self.state = RunsState()
        self._line = ViewCanvas(view.header, id="runs-header")
        self._panels = (
            Panel(1, "cost fit", view.fit_lines, id="runs-fit", tag=view.FIT_TAG, rows=view.fit_places),
            ChartPanel(2, "measured vs fit · log-log", view.scatter_lines, id="runs-points", tag=view.SCATTER_TAG),
            Panel(3, "runs, newest first", view.run_lines, id="runs-list", tag=view.RUNS_TAG),
        )

    def on_mount(self) -> None:
        """Follow the stored runs."""
        self.every(TICK, self.tick)
        self.call_after_refresh(self.tick)

    def tick(self) -> None:
        """Read the runs, and fit and show them if they have changed."""
        try:
            kept = self._read()
        except DataError as error:
            if self.state.failure != str(error):
                self._kept = None
                self._update(RunsState(failure=str(error)))
            return
        if kept != self._kept:
            self._kept = kept
            fits = cost_fits(kept.runs)
            newest = {(run.machine, run.name): when for when, run in enumerate(kept.runs)}
            names = [(fit.machine, fit.backend) for fit in fits]
            chosen = [names.index(self._selected)] if self._selected in names else range(len(fits))
            at = max(chosen, key=lambda i: (fits[i].unknowns > 0, newest[names[i]]), default=0)
            self._update(RunsState(fits, at, kept.skipped))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return True for actions that apply now."""
        return len(self.state.fits) > 1 if action == "row" else super().check_action(action, parameters)

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._select(message.row)

    def action_row(self, by: int) -> None:
        """Select the fit above or below."""
        self._select(self.state.selected + by)

    def _select(self, row: int) -> None:
        fits = self.state.fits
        at = min(max(row, 0), len(fits) - 1)
        self._selected = fits[at].machine, fits[at].backend
        self._update(RunsState(fits, at, self.state.skipped))

    def _update(self, state: RunsState) -> None:
        could_move = len(self.state.fits) > 1
        self.state = state
        self.show(state)
        if could_move != (len(state.fits) > 1):
            self.refresh_bindings()
