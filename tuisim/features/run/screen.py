"""The run page: four panels over a run in progress, and the keys that control it."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuisim.accounting import Ledger, count
from tuisim.config import FIELDS, RunConfig
from tuisim.engine import Worker
from tuisim.engine.events import Event, Paused, RunFailed, Snapshot, SpeedLimitChanged, Started, State
from tuisim.engine.health.hint import Hint
from tuisim.engine.lease import MachineLease
from tuisim.errors import ConfigError, printable
from tuisim.features.run.confusion import confusion_lines
from tuisim.features.run.curves import SMOOTHINGS, X_AXES, curves_lines, curves_title, is_log
from tuisim.features.run.gradients import gradients_lines
from tuisim.features.run.hints import LINES, SHORT, SHORT_LINES, applicable, edit_of, hint_lines, hint_rows
from tuisim.features.run.operations import operations_lines
from tuisim.features.run.prediction import PredictedRun
from tuisim.features.run.state import RunState
from tuisim.features.run.status import header_lines, status_lines
from tuisim.features.run.throughput import throughput_lines
from tuisim.predict.prediction import Prediction
from tuisim.provenance import Provenance
from tuisim.tui.key_line import KeyLine
from tuisim.tui.long_run import ASK_SECONDS, is_long
from tuisim.tui.messages import EditRequested, RunLeft, StartRequested, Uncovered
from tuisim.tui.panel import ChartPanel, FittedCanvas, Panel, ViewCanvas
from tuisim.tui.run_controls import RunControls

_ZOOM, _CHART = (Binding.Group(words, compact=True) for words in ("zoom", "chart"))

_WIDTHS = [(0, "-narrow"), (100, "-normal")]
HINT_SECONDS = 2.0
"""Minimum seconds for which hints are shown during a run, unless there is a new one."""
TICK = 0.1
"""Seconds between two looks at the snapshot."""
ROUND = 5
"""Ticks after which a panel is drawn again: twice a second. In each tick at most one of them is drawn."""


class RunScreen(RunControls):
    """A run in progress, or the last one."""

    CSS_PATH = "run.tcss"
    AUTO_FOCUS = "#curves"  # the arrow keys move the cursor
    BLANK = True  # nothing of its own to paint between the panels
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    TITLE = "run"
    PAGE = "run"
    HELP = (
        "Four panels over the run in progress. A number key, or a click on a title, shows one panel on the whole page; "
        "5 shows the validation figures with the confusion matrix."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "apply_hint", "apply hint", id="run.apply_hint",
                tooltip="Make the first hint's edit: in the form and the next run; a rate, or threads, in this run as well"),
        Binding("R", "restart", "run again", id="run.restart", tooltip="Run again with the same settings and the applied hints"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"run.zoom_{n}", group=_ZOOM, tooltip=f"Only {what}, or all")
            for n, what in enumerate(("operations", "loss and accuracy", "gradients", "throughput", "validation"), 1)
        ),
        Binding("l", "log_scale", "log or linear", id="run.log_scale", group=_CHART,
                tooltip="Switch the loss axis between logarithmic and linear"),
        Binding("S", "smoothing", "smoothing", id="run.smoothing", group=_CHART,
                tooltip="Smooth the curves: off, 0.6, 0.9, 0.98 of the moving average"),
        Binding("A", "x_axis", "x axis", id="run.x_axis", group=_CHART, tooltip="Draw the curves over steps, epochs or seconds"),
        Binding("escape,b", "back", "stop and edit", id="run.back", key_display="esc", tooltip="Stop and go back to the setup"),
    ]  # fmt: skip

    def __init__(
        self, worker: Worker, config: RunConfig, ledger: Ledger, prediction: Prediction | None = None,
        lease: MachineLease | None = None,
    ) -> None:  # fmt: skip
        """`worker` has been started; `prediction` is what the run is compared with; `lease` says what the run waits for."""
        super().__init__()
        self._worker, self._config, self._lease = worker, config, lease
        predicted = None if prediction is None else PredictedRun(prediction)
        self._state = RunState(config.resolved(), ledger, predicted=predicted)
        measured = (("", Provenance.MEASURED),)
        predictions = () if prediction is None else (("predictions", Provenance.PROJECTED),)
        self._line = ViewCanvas(header_lines, id="run-header")
        self._status = ViewCanvas(status_lines, id="run-status")
        self._hints = FittedCanvas(hint_lines, rows=hint_rows, id="run-hints")
        self._hints_at = -HINT_SECONDS
        self._panels = (
            Panel(1, "operations per example", operations_lines, id="operations", tag=(("", Provenance.COUNTED),)),
            ChartPanel(2, "loss and accuracy", curves_lines, id="curves", tag=measured),
            Panel(3, "gradients", gradients_lines, id="gradients", tag=measured),
            Panel(4, "throughput", throughput_lines, id="throughput", tag=(*measured, *predictions)),
            Panel(5, "validation", confusion_lines, id="validation", tag=measured),
        )
        self._offered: RunState | None = None
        self._title = ""
        self._ticks = 0
        self._asked_at = -ASK_SECONDS
        self._state_of_hints: object = None

    def compose(self) -> ComposeResult:
        """Yield the header, the panels, the status line and the keys."""
        yield self._line
        yield from self._panels
        yield self._hints
        yield self._status
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the state and begin to look at the worker."""
        self._offer(self._state)
        self.every(TICK, self.tick)

    @property
    def run_status(self) -> State:
        """The state of the run as it is shown."""
        return self._state.status

    def follow(self, worker: Worker) -> None:
        """Show a run that goes on after its end, reopened on another page."""
        self._worker = worker

    def on_screen_resume(self) -> None:
        """Tell the app that no page lies over the run any more."""
        self.post_message(Uncovered())

    def on_unmount(self) -> None:
        """Stop the run with its screen."""
        if self._worker.is_alive:
            self._worker.stop("the run screen was closed")

    def tick(self) -> None:
        """Look at the worker once: header and status line follow every snapshot, the panels are drawn in turn."""
        self._ticks += 1
        self._follow()
        if self.app.screen is not self:  # beneath another page nothing of it is seen
            return
        state, before = self._state, self._offered
        if state is not before:
            self._offer(state)
            self._line.draw()
            self._status.draw()
            if self._hints.stale:
                self._hints.draw()
        snapshot = state.snapshot
        # Only at full speed are there more snapshots than a person could follow.
        is_slow = snapshot is None or snapshot.speed_limit is not None or state.status is not State.TRAINING
        at_once = is_slow or before is None or before.snapshot is None
        for panel in self._panels:
            if panel.display and panel.canvas.stale and (at_once or panel.number % ROUND == self._ticks % ROUND):
                panel.canvas.draw()

    def _offer(self, state: RunState) -> None:
        self._offered = state
        before = self._state_of_hints
        self._state_of_hints = (self._state.hints, self._state.applied, self._state.status)
        if self._state_of_hints != before:
            self._hints.offer(state)
            self.refresh_bindings()
        if (title := curves_title(state)) != self._title:
            self._title = title
            self._panels[1].entitle(title)
        for canvas in (self._line, self._status, *(panel.canvas for panel in self._panels)):
            canvas.offer(state)

    def _follow(self) -> None:
        """Bring the state up to date with the worker."""
        snapshot = self._worker.snapshot
        if snapshot is None or snapshot.state is State.STARTING:
            stages = self._worker.stages
            holder = "" if self._lease is None or stages else self._lease.holder
            self._change(stages=stages, waits_for="the run before" if holder == "training" else holder)
        for event in self._worker.events():
            self._handle(event)
        if snapshot is None:
            return
        self._change(snapshot=snapshot)
        self._follow_hints(snapshot)
        self.follow_requests(snapshot)

    def _follow_hints(self, snapshot: Snapshot) -> None:
        """Show a new hint at once; what leaves or only has another figure waits, since each change moves the panels."""
        shown = {hint.name for hint in self._state.hints}
        is_new = any(hint.name not in shown for hint in snapshot.hints)
        if snapshot.hints != self._state.hints and (
            is_new or snapshot.state.ended or monotonic() - self._hints_at >= HINT_SECONDS
        ):
            self._hints_at = monotonic()
            self._change(hints=snapshot.hints)

    def _change(self, **values: Any) -> None:
        """Replace fields of the state; one in which nothing changes stays the same object."""
        if any(getattr(self._state, name) is not value for name, value in values.items()):
            self._state = replace(self._state, **values)

    def _handle(self, event: Event) -> None:
        """Show an event that must not be missed, once."""
        predicted = self._state.predicted
        if isinstance(event, RunFailed):
            self._change(failure=event)
            if event.device_lost:
                self.notify("ctrl+n restarts tuisim, with this network in its form", title="the GPU is lost", timeout=30)
        elif isinstance(event, Started):
            # What is counted is what runs: the data may have turned out shorter than a batch.
            self._change(ledger=count(event.config))
        elif isinstance(event, Paused) and predicted is not None:
            self._change(predicted=replace(predicted, was_paused=True))
        elif isinstance(event, SpeedLimitChanged) and event.speed_limit is not None:
            self._change(predicted=None)  # what was predicted is a run at full speed

    def action_log_scale(self) -> None:
        """Switch the loss axis between logarithmic and linear."""
        self._redraw_curves(log_scale=not is_log(self._state))

    def action_smoothing(self) -> None:
        """Smooth the curves more, or not at all."""
        self._redraw_curves(smoothing=SMOOTHINGS[(SMOOTHINGS.index(self._state.smoothing) + 1) % len(SMOOTHINGS)])

    def action_x_axis(self) -> None:
        """Draw the curves over the next of steps, epochs and seconds."""
        known = [name for name in X_AXES if name != "epochs" or self._state.ledger.steps_per_epoch]
        at = known.index(self._state.x_axis) if self._state.x_axis in known else 0
        self._redraw_curves(x_axis=known[(at + 1) % len(known)])

    def _redraw_curves(self, **changes: Any) -> None:
        self._change(**changes)
        self._offer(self._state)
        self._panels[1].canvas.draw()

    def on_resize(self) -> None:
        """Leave the hints as many lines as the page has room for."""
        self._hints.max_lines = SHORT_LINES if self.size.height < SHORT else LINES
        self._hints.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to apply a hint only if there is one to apply."""
        if action == "apply_hint":
            return bool(applicable(self._state))
        return super().check_action(action, parameters)

    def action_apply_hint(self) -> None:
        """Make the edit of the first hint that was not applied yet."""
        self._apply(applicable(self._state)[0])

    def on_fitted_canvas_row_clicked(self, message: FittedCanvas.RowClicked) -> None:
        """Make the edit of the hint that was clicked."""
        hint = self._state.hints[message.row]
        if hint in applicable(self._state):
            self._apply(hint)

    def _apply(self, hint: Hint) -> None:
        """Set the field in the form and for the next run; a learning rate and threads also in the run in progress."""
        assert hint.field is not None
        try:
            self._config = replace(self._config, **{hint.field: hint.value})
        except ConfigError as error:
            self.notify(printable(error, 500), title=hint.remedy, severity="warning", markup=False)
            return
        self.post_message(EditRequested(hint.field, FIELDS[hint.field].text(hint.value)))
        if not self._state.status.ended and hint.field == "learning_rate":
            self._rate = hint.value
            self._worker.control.set_learning_rate(hint.value)
        elif not self._state.status.ended and hint.field == "threads":
            self._worker.control.set_threads(hint.value)
        self._change(applied=self._state.applied | {edit_of(hint)})
        self._offer(self._state)
        self._hints.draw()

    def action_restart(self) -> None:
        """Start another run of the same configuration."""
        self.post_message(StartRequested(self._config))

    def action_back(self) -> None:
        """Leave the zoom, or stop the run and leave it."""
        if self.zoomed:
            self.zoom(None)
            return
        snapshot = self._state.snapshot
        if self._worker.is_alive and not (snapshot and snapshot.state.ended):
            if is_long(self._worker) and monotonic() - self._asked_at > ASK_SECONDS:
                self._asked_at = monotonic()
                self.notify("press esc again to stop training; F2 shows the setup and lets it train", timeout=ASK_SECONDS)
                return
            self._worker.stop("left for the setup screen")
            self.notify(f"training stopped at step {snapshot.step:,}" if snapshot else "training stopped")
        self.post_message(RunLeft())
