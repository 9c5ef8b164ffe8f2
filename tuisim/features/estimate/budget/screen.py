"""The page Budget: from a time or a memory to the largest network or volume that fits."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from tuisim import units
from tuisim.config import Field, RunConfig
from tuisim.engine import Control
from tuisim.engine.job import Job
from tuisim.errors import ConfigError, DataError, printable
from tuisim.features.estimate.budget import view
from tuisim.features.estimate.budget.budget import Answer, Limits, ask
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification, verify
from tuisim.features.estimate.budget.view import NAMES, BudgetState
from tuisim.features.estimate.volume.estimate import ASSUMED_EPOCHS
from tuisim.features.estimate.volume.screen import HEIGHTS, WIDTHS
from tuisim.predict import predictor as prices
from tuisim.predict.prediction import Prediction
from tuisim.tui.context import PageContext
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen, row_bindings, zoom_bindings

TICK = 0.05
"""Seconds between two looks at the jobs."""
FIRST = Limits(seconds=600)
INPUTS = (
    Field("", "", "The limit of the time.", name="time", type=float, none="no limit", above=0,
          parser=units.parse_duration, writer=lambda seconds: f"{seconds:g} s"),
    Field("", "", "The limit of the memory.", name="memory", type=int, none="no limit", minimum=1,
          parser=units.parse_size, writer=units.exact_size),
)  # fmt: skip
Answers = tuple[Answer, ...]


class BudgetScreen(PanelScreen):
    """The answers for the network of the context; each can be verified by a short run, and put into the form."""

    TITLE = "budget"
    HELP = (
        "Type a time limit, a memory limit or both: the widest and the deepest network of this shape, the most epochs and the "
        "most examples that fit, computed from the machine profile. Each answer can be verified by a short run, and used."
    )
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    _inputs: InputLine
    AUTO_FOCUS = ""  # the answers are read first; `e` edits
    CSS = """
    BudgetScreen { layout: grid; grid-size: 1 5; grid-rows: 1 auto 7 1fr 1; }
    #budget-header { background: $panel; }
    BudgetScreen KeyLine { dock: none; }
    BudgetScreen.-tall { grid-rows: 1 auto 11 1fr 1; }
    BudgetScreen.-zoomed { grid-size: 1 4; grid-rows: 1 auto 1fr 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", id="budget.edit", tooltip="Edit the time and the memory"),
        *row_bindings("budget", "answer"),
        Binding("enter", "use", "use it", id="budget.use", key_display="⏎", tooltip="Put the selected answer into the form"),
        Binding("v", "verify", "verify", id="budget.verify", tooltip="Verify the selected answer by a run of two seconds"),
        Binding("m", "pause_run", "pause the run", id="budget.pause_run", tooltip="Pause the run in progress and verify"),
        *zoom_bindings("budget", "answers", "details"),
    ]

    def __init__(self, context: PageContext, limits: Limits = FIRST) -> None:
        super().__init__()
        self.context = context
        # A run until stopped fits no time; its epochs are assumed.
        self._config = replace(context.config, epochs=context.config.known_epochs or ASSUMED_EPOCHS)
        self.job: Job[Answers, Answers] | None = None
        self.verification: Job[None, Verification] | None = None
        self._verified: Answer | None = None
        self._control = Control()
        self._known: object = None
        self.state = BudgetState(context.config, limits)
        self._line = ViewCanvas(view.header, id="budget-header")
        self._inputs = InputLine("", INPUTS, {"time": limits.seconds, "memory": limits.memory})
        self._panels = (
            Panel(1, "largest that fits", view.answer_lines, id="budget-answers", tag=view.ANSWERS_TAG, rows=view.answer_places),
            Panel(2, "details", view.detail_lines, id="budget-details", tag=view.DETAILS_TAG),
        )

    def on_mount(self) -> None:
        """Find the answers, and follow the jobs."""
        self.every(TICK, self.tick)
        self._solve(self.state.limits)

    def on_unmount(self) -> None:
        """Cancel the jobs."""
        self._control.stop("the page was left")
        for job in (self.job, self.verification):
            if job is not None:
                job.cancel()

    @property
    def copied_options(self) -> tuple[str, ...]:
        """The limits as flags."""
        found = self.state.limits
        limits = {} if found is None else {"--seconds": found.seconds, "--memory": found.memory}
        return tuple(word for flag, value in limits.items() if value is not None for word in (flag, f"{value:.12g}"))

    # ── solving ──

    def predict(self, config: RunConfig) -> Prediction:
        """Predict a run. Raises DataError while there is no machine profile."""
        predictor = self.context.predictor
        if predictor is None:
            return prices.own_predictor().predict(config)
        if predictor.current is None or predictor.state(self._config).prediction is None:
            raise DataError(predictor.state(self._config).why_not or prices.missing())
        return predictor.current.predict(config)

    def _make_job(self, limits: Limits) -> Job[Answers, Answers]:
        def work(job: Job[Answers, Answers]) -> Answers:
            def predict(config: RunConfig) -> Prediction:
                job.check()
                return self.predict(config)

            answers: Answers = ()
            for question in Question:
                try:
                    answer = ask(question, self._config, predict, limits)
                except ConfigError as error:  # epochs or examples are missing
                    answer = Answer(question, "; ".join(map(str, error.mistakes)))
                answers = (*answers, answer)
                job.report(answers)
            return answers

        return Job("budget", work)

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        limits, mistake = None, message.mistake
        if message.values is not None:
            try:
                limits = Limits(message.values["time"], message.values["memory"])
            except ConfigError as error:
                mistake = str(error).splitlines()[0]
                self._inputs.refuse(mistake)
        self._solve(limits, mistake)

    def _solve(self, limits: Limits | None, mistake: str = "") -> None:
        """Start again with these limits."""
        self._start_job(limits)
        self._update(BudgetState(self.context.config, limits, selected=self.state.selected, failure=mistake))

    def _start_job(self, limits: Limits | None) -> None:
        if self.job is not None:
            self.job.cancel()
        self._known = None if self.context.predictor is None else self.context.predictor.stamp
        self.job = None if limits is None else self._make_job(limits)
        if self.job is not None:
            self.job.start()

    def tick(self) -> None:
        """Show what the jobs have found since."""
        predictor, job, state = self.context.predictor, self.job, self.state
        if job is not None and job.failure is not None and predictor is not None and predictor.stamp != self._known:
            self._start_job(state.limits)
            return
        if job is not None:
            # A failure stays on screen until it is known whether the next try fails as well.
            before = "" if job.progress else state.failure
            state = replace(state, answers=job.progress or (), failure=job.failure.message if job.failure else before)
        state = self._with_verification(state)
        if state != self.state:
            self._update(state)

    def _with_verification(self, state: BudgetState) -> BudgetState:
        job, answer = self.verification, self._verified
        if job is None or answer is None:
            return state
        if job.result is None and job.failure is None:
            return replace(state, is_waiting=job.is_waiting)
        self.verification = None
        if not any(answer is one for one in state.answers):  # the limits have changed since
            return replace(state, verifying=None)
        failure = job.failure.message if job.failure else ""
        found = job.result or Verification(0, None, None, f"not verified: {failure}")
        return replace(state, verifying=None, checks=state.checks | {answer.question: found})

    def _update(self, state: BudgetState) -> None:
        self.state = state
        self.show(state)
        is_solving = self.job is not None and not state.failure and len(state.answers) < len(Question)
        self._inputs.say("computing …" if is_solving else "" if state.failure else "predicted from the machine profile")
        self.refresh_bindings()

    # ── keys, and the mouse ──

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return True for actions that apply now."""
        if action == "pause_run":
            return self.verification is not None and self.verification.is_waiting
        return super().check_action(action, parameters)

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._update(replace(self.state, selected=message.row))

    def action_edit(self) -> None:
        """Put the cursor into the time."""
        self._inputs.edit("time")

    def action_row(self, by: int) -> None:
        """Select the answer above or below."""
        self._update(replace(self.state, selected=min(max(self.state.selected + by, 0), len(Question) - 1)))

    def action_use(self) -> None:
        """Put the selected answer's configuration into the form, and leave."""
        answer = self.state.answer
        if answer is None or answer.config is None:
            self.notify(printable(answer.words if answer else "not computed yet", 200), title="nothing to use", markup=False)
            return
        self.dismiss(None)
        if self.context.config.known_epochs is None and answer.question is not Question.EPOCHS:
            self.notify(f"with {ASSUMED_EPOCHS} epochs, as assumed", title=NAMES[answer.question])
        self.context.use(answer.config)

    def action_verify(self) -> None:
        """Verify the selected answer once the machine is free."""
        answer = self.state.answer
        if answer is None or answer.prediction is None or self.verification is not None:
            return
        self._control = control = Control()
        self._verified = answer
        self.verification = Job("verification", lambda job: verify(answer, control=control), self.context.lease)
        self.verification.start()
        self._update(replace(self.state, verifying=answer.question, is_waiting=self.verification.is_waiting))

    def action_pause_run(self) -> None:
        """Pause the run in progress until the page is left."""
        self.context.pause_run()
        self.notify("the run is paused until this page is left")
