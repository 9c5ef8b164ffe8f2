"""The page Profile: the operations of a step under this machine's roofs, and the waterfall of its time."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tuisim.engine.job import Job
from tuisim.features.profile import view
from tuisim.features.profile.step_profile import StepProfile, profile_step
from tuisim.features.profile.view import ProfileState
from tuisim.features.profile.waterfall import TimeBreakdown
from tuisim.provenance import MEASURED, Provenance
from tuisim.tui.context import PageContext
from tuisim.tui.job_page import JobPage
from tuisim.tui.panel import ChartPanel, Panel, ViewCanvas
from tuisim.tui.panels import row_bindings, zoom_bindings


class ProfileScreen(JobPage[float, StepProfile]):
    """Profiles one step; the waterfall is of the run in progress if it has this configuration."""

    TITLE = "profile"
    HELP = (
        "Each letter is an operation of the step, under the measured roofs of this machine: a slanted roof for each memory level "
        "and a flat one for matrix products. The solid roof is that of the level that holds the buffers of the selected "
        "operation; the advice says why it stays below that roof. ← and → move a cursor that names the operations and the roofs "
        "at it. ▲ marks a rate above its roof. The waterfall splits the time of one step, or of the run in progress, into parts: "
        "from matrix products at peak rate to overhead."
    )
    DEFAULT_CSS = """
    ProfileScreen { layout: grid; grid-size: 2 3; grid-rows: 1 1fr 1fr; grid-columns: 1fr 1fr; }
    ProfileScreen #profile-roofline { column-span: 2; }
    ProfileScreen.-narrow { grid-rows: 1 11 1fr; }
    ProfileScreen.-wide { grid-columns: 5fr 4fr; }
    ProfileScreen.-wide #profile-roofline { column-span: 1; row-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *row_bindings("profile", "operation"),
        Binding("w", "run_or_step", "step or run", id="profile.run_or_step", tooltip="Show one step or the run"),
        *zoom_bindings("profile", "roofline", "operations", "waterfall"),
    ]

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._selected: int | None = None
        self._shows_run = True
        self._line = ViewCanvas(view.header, id="profile-header")
        self._panels = (
            ChartPanel(1, "roofline · log-log", view.roofline_lines, id="profile-roofline",
                       tag=(*MEASURED, ("FLOP/byte", Provenance.COUNTED))),
            Panel(2, "operations of a step", view.operation_lines, id="profile-operations",
                  tag=(*MEASURED, ("layers", Provenance.COUNTED)), rows=view.operation_places),
            Panel(3, "waterfall", view.waterfall_lines, id="profile-waterfall", tag=MEASURED),
        )  # fmt: skip

    def make_job(self) -> Job[float, StepProfile]:
        """Return a job that profiles a step under the machine lease."""
        return Job("profile", lambda job: profile_step(self.context.config, job.report), self.context.lease)

    def state(self, job: Job[float, StepProfile]) -> ProfileState:
        """Return what there is to see of the job."""
        run = self._run_breakdown() if self._shows_run and job.result else None
        failure = job.failure.message if job.failure else ""
        return ProfileState(
            self.context.config, job.result, run, self._selected, job.progress or 0.0, failure, job.is_waiting
        )  # fmt: skip

    def _run_breakdown(self) -> TimeBreakdown | None:
        """Return the time breakdown of the run of this configuration; None before its first step."""
        run = self.context.run
        if run is None or run.snapshot is None or self.context.run_config != self.context.config:
            return None
        found = TimeBreakdown.of_snapshot(run.snapshot)
        return found if found.wall_seconds > 0 and found.steps > 0 else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return True for actions that apply now."""
        if action == "run_or_step":
            return self._run_breakdown() is not None
        return super().check_action(action, parameters)

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._select(message.row)

    def action_row(self, by: int) -> None:
        """Select the next operation; if the waterfall fills the screen it scrolls."""
        if self._panels[2].canvas.zoomed:
            self._panels[2].scroll_relative(y=by, animate=False)
        elif self.job is not None:
            self._select(self.state(self.job).cursor + by)

    def action_run_or_step(self) -> None:
        """Switch the waterfall between one step and the run in progress."""
        self._shows_run = not self._shows_run
        self.tick()

    def action_again(self) -> None:
        """Profile again, with no operation selected."""
        self._selected = None
        super().action_again()

    def _select(self, operation: int) -> None:
        if self.job is not None and self.job.result is not None:
            self._selected = max(0, min(len(self.job.result.operations) - 1, operation))
            self.tick()
