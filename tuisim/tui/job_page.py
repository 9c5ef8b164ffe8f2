"""A page over one measurement: its job waits for the machine, can be repeated, and is cancelled when the page is left."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType

from tuisim.engine.job import Job
from tuisim.tui.context import PageContext
from tuisim.tui.panels import PanelScreen

TICK = 0.1
"""Seconds between two looks at the job."""

Progress = TypeVar("Progress")
Result = TypeVar("Result")


class JobPage(PanelScreen, Generic[Progress, Result]):
    """A subclass makes the job with `make_job` and what there is to see with `state`, which the panels draw.

    The job takes the machine lease of the context, so it never begins while anything else trains or measures.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012
    DEFAULT_CSS = """
    JobPage > ViewCanvas { column-span: 2; background: $panel; }
    JobPage Canvas .canvas--good { color: $success; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "again", "measure again", id="job.again", tooltip="Measure again"),
        Binding("m", "pause_run", "pause the run", id="job.pause_run", tooltip="Pause the run in progress and start measuring"),
    ]

    def __init__(self, context: PageContext) -> None:
        """Keep what the app gives to a page."""
        super().__init__()
        self.context = context
        self.job: Job[Progress, Result] | None = None
        self._state: Any = None

    def make_job(self) -> Job[Progress, Result]:
        """Return a job that has not been started."""
        raise NotImplementedError

    def state(self, job: Job[Progress, Result]) -> Any:
        """Return what there is to see of `job`, a value that can be compared."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Start the job."""
        self.every(TICK, self.tick)
        self.call_after_refresh(self.start)

    def on_unmount(self) -> None:
        """Cancel the job."""
        if self.job is not None:
            self.job.cancel()

    def start(self) -> None:
        """Start a new job and cancel the one before, whose thread still holds the lease until it ends."""
        if self.job is not None:
            self.job.cancel()
        self.job = self.make_job()
        self.job.start()
        self.tick()

    def tick(self) -> None:
        """Show the job's state if it has changed."""
        if self.job is None:
            return
        state = self.state(self.job)
        if state != self._state:
            self._state = state
            self.show(state)
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to pause the run only while the job waits for it."""
        if action == "pause_run":
            return self.job is not None and self.job.is_waiting
        return super().check_action(action, parameters)

    def action_again(self) -> None:
        """Measure again."""
        self.start()

    def action_pause_run(self) -> None:
        """Pause the run in progress until the page is left."""
        self.context.pause_run()
        self.notify("the run is paused until this page is left")
