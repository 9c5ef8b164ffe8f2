"""The race page: the same run on every backend, with live bars and losses."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.engine.job import Job
from tuisim.features.compare.entries import all_entries
from tuisim.features.compare.race import view
from tuisim.features.compare.race.race import Comparison, Standing, compare
from tuisim.features.compare.race.view import RaceState
from tuisim.provenance import MEASURED
from tuisim.tui.context import PageContext
from tuisim.tui.job_page import JobPage
from tuisim.tui.panel import ChartPanel, Panel, ViewCanvas
from tuisim.tui.panels import zoom_bindings


class RaceScreen(JobPage[tuple[Standing, ...], Comparison]):
    """One race of all backends on the network of the context."""

    TITLE = "race"
    HELP = (
        "The same network, initial parameters and batches on every backend, in turn. The bars show steps per second, the curves "
        "the loss over each backend's compute time. A click on the curves, or 2, lets ← and → move their cursor. At the end: "
        "setup times, and whether all results agree. numpy@2 is NumPy on two threads."
    )
    DEFAULT_CSS = """
    RaceScreen { layout: grid; grid-size: 2 2; grid-rows: 1 1fr; grid-columns: 1fr 1fr; }
    RaceScreen.-narrow { grid-size: 1 3; grid-rows: 1 1fr 1fr; grid-columns: 1fr; }
    RaceScreen.-narrow #race-header { column-span: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *zoom_bindings("race", "speed", "loss"),
        Binding("l", "log_scale", "log or linear", id="race.log_scale",
                tooltip="Switch the loss axis between logarithmic and linear"),
    ]  # fmt: skip

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._log_scale: bool | None = None
        self._line = ViewCanvas(view.header, id="race-header")
        self._panels = (
            Panel(1, "steps per second", view.speed, id="race-speed", tag=MEASURED),
            ChartPanel(2, "loss vs compute time", view.losses, id="race-loss", tag=MEASURED),
        )

    def make_job(self) -> Job[tuple[Standing, ...], Comparison]:
        """Return a job under the machine lease."""
        return Job("race", lambda job: compare(self.context.config, all_entries(), tell=job.report), self.context.lease)

    def state(self, job: Job[tuple[Standing, ...], Comparison]) -> RaceState:
        """Return what there is to see of the job."""
        failure = job.failure.message if job.failure else ""
        return RaceState(self.context.config, job.progress or (), job.result, failure, job.is_waiting, self._log_scale)

    def show(self, state: RaceState) -> None:
        """Show `state`, and its scale in the title of the losses."""
        self._panels[1].entitle(view.losses_title(state))
        super().show(state)

    def action_log_scale(self) -> None:
        """Switch the loss axis between logarithmic and linear."""
        if self.job is not None:
            self._log_scale = not view.is_log(self.state(self.job))
            self.tick()
