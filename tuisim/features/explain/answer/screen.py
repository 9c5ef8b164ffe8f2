"""The answer page: seven claims, counted at once and measured as soon as the machine is free."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input

from tuisim.config import FIELDS, RunConfig
from tuisim.data import fitted
from tuisim.engine.job import Job
from tuisim.errors import DataError
from tuisim.features.explain.answer.answer import measure
from tuisim.features.explain.answer.claims import Measured
from tuisim.features.explain.answer.view import AnswerState, answer_lines
from tuisim.tui.context import PageContext
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.job_page import JobPage
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas

EDIT_DELAY = 0.5
"""Seconds after the last edit before the new network is measured."""


class AnswerScreen(JobPage[Measured, Measured]):
    """S1 to S7 for a network whose layers and batch can be edited."""

    TITLE = "answer"
    HELP = "Seven claims about the cost of training, each checked: counted for this network, or measured on this machine."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit layers, batch", tooltip="Edit the layers and the batch"),
    ]
    AUTO_FOCUS = "#answer-claims"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal")]  # noqa: RUF012
    CSS = """
    AnswerScreen.-narrow InputLine .title { display: none; }
    #answer-claims, #answer-claims:focus { border: none; padding: 1 1 0 1; }
    """

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._config, self._known = context.config, Measured()
        self._timer: Timer | None = None
        self._line = ViewCanvas(lambda state, frame: [])
        self._panels = (Panel(1, "claims", answer_lines, id="answer-claims"),)
        self._panels[0].canvas.zoomed = True

    def compose(self) -> ComposeResult:
        """Lay out the widgets."""
        layers = replace(FIELDS["layers"], default=None)  # an empty input is a mistake, not the default network
        yield InputLine("answer", [layers, FIELDS["batch_size"]], vars(self._config))
        yield from self._panels
        yield KeyLine()

    def make_job(self) -> Job[Measured, Measured]:
        """Return a job under the machine lease."""
        config, known = self._config, self._known

        def work(job: Job[Measured, Measured]) -> Measured:
            found = known
            for found in measure(config, known, job.is_wanted):
                job.report(found)
            return found

        return Job("answer", work, self.context.lease)

    def state(self, job: Job[Measured, Measured]) -> AnswerState:
        """Return what there is to see of the job."""
        return AnswerState(self._config, job.progress or self._known)

    def tick(self) -> None:
        """Show the job's state."""
        super().tick()
        if self.job is None:
            words = "counted"
        elif self.job.failure is not None:
            words = self.job.failure.message
        elif self.job.result is not None:
            words = "measured"
        elif self.job.is_waiting:
            words = "m pauses the run"
        else:
            words = "timing activations …" if (self.job.progress or self._known).steps else "timing the step …"
        self.query_one(InputLine).say(words)

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        """Count the new network at once, and measure it after the last edit."""
        config = self._config.with_network(**message.values) if message.values else self._config
        if config == self._config:
            return
        try:
            config = fitted(config)  # an end of the layers may be auto
        except DataError as error:
            self.query_one(InputLine).refuse(str(error))
            return
        functions = () if self.job is None or self.job.progress is None else self.job.progress.functions
        self._measure(config, Measured(functions=functions or self._known.functions), EDIT_DELAY)

    def action_again(self) -> None:
        """Measure again."""
        self._measure(self._config, Measured(), 0.0)

    @property
    def copied_config(self) -> RunConfig:
        """The configuration as edited."""
        return self._config

    def _measure(self, config: RunConfig, known: Measured, delay: float) -> None:
        if self.job is not None:
            self.job.cancel()
            self.job = None
        if self._timer is not None:
            self._timer.stop()
        self._config, self._known = config, known
        self.show(AnswerState(config, known))
        if delay:
            self._timer = self.after(delay, self.start)
        else:
            self.start()

    def action_edit(self) -> None:
        """Edit the layers."""
        self.query_one(InputLine).edit("layers")

    def action_back(self) -> None:
        """Leave the input, or the page."""
        if isinstance(self.focused, Input):
            self._panels[0].focus()
        else:
            self.dismiss(None)
