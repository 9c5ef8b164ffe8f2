"""The run page: four panels over a run in progress, and the keys that control it."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.engine.events import Ended, Event, Paused, RunFailed, Snapshot, SpeedLimitChanged, Started, State
from tuisim.engine.lease import MachineLease
from tuisim.errors import printable
from tuisim.features.run.compared import ComparedPrediction
from tuisim.features.run.curves import CurvesView
from tuisim.features.run.gradients import GradientsView
from tuisim.features.run.operations import OperationsView
from tuisim.features.run.speed_limits import next_rate, next_speed_limit
from tuisim.features.run.status import HeaderView, StatusView
from tuisim.features.run.throughput import ThroughputView
from tuisim.predict.prediction import Prediction
from tuisim.tui.key_line import KeyLine
from tuisim.tui.messages import RunLeft, StartRequested, Uncovered
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen
from tuisim.tui.run_worker import RunWorker

_SPEED, _RATE, _ZOOM = (Binding.Group(words, compact=True) for words in ("speed", "learning rate", "zoom"))

_WIDTHS = [(0, "-narrow"), (100, "-normal")]
LONG_SECONDS, ASK_SECONDS = 30.0, 5.0
"""A run that has trained for so many seconds is stopped by two presses of esc within so many."""
TICK = 0.1
"""Seconds between two looks at the snapshot."""
ROUND = 5
"""Ticks after which a panel's turn to draw its pictures comes again: twice a second."""


class RunScreen(PanelScreen):
    """A run in progress, or the last one."""

    CSS_PATH = "run.tcss"
    BLANK = True  # nothing of its own to paint between the panels
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    TITLE = "run"
    HELP = "Four panels over the run in progress. A number key, or a click on a title, shows one panel on the whole page."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "pause", id="run.pause", tooltip="Pause or resume"),
        Binding("full_stop", "single_step", "step", id="run.step", key_display=".", tooltip="Train one step; pauses first"),
        Binding("left_square_bracket", "speed(-1)", "slower", id="run.slower", key_display="[", group=_SPEED,
                tooltip="Slower: full speed, 100, 10, 1 steps/s, single steps"),
        Binding("right_square_bracket", "speed(1)", "faster", id="run.faster", key_display="]", group=_SPEED,
                tooltip="Faster: single steps, 1, 10, 100 steps/s, full speed"),
        Binding("minus", "rate(-1)", "lower rate", id="run.lower_rate", key_display="-", group=_RATE,
                tooltip="Lower the learning rate (1-2-5)"),
        Binding("plus,equals_sign", "rate(1)", "higher rate", id="run.higher_rate", key_display="+", group=_RATE,
                tooltip="Raise the learning rate (1-2-5)"),
        Binding("R", "restart", "run again", id="run.restart", tooltip="Run again with the same settings"),
        Binding("x", "stop", "stop", id="run.stop", tooltip="Stop the run; what it has shown stays"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"run.zoom_{n}", group=_ZOOM, tooltip=f"Only {what}, or all")
            for n, what in enumerate(("operations", "loss and accuracy", "gradients", "throughput"), 1)
        ),
        Binding("escape,b", "back", "stop, setup", id="run.back", key_display="esc", tooltip="Stop and go back to the setup"),
    ]  # fmt: skip

    def __init__(
        self, worker: RunWorker, config: RunConfig, ledger: Ledger, prediction: Prediction | None = None,
        lease: MachineLease | None = None,
    ) -> None:  # fmt: skip
        """`worker` has been started; `prediction` is what the run is compared with; `lease` says what the run waits for."""
        super().__init__()
        self._worker = worker
        self._config = config
        self._lease = lease
        self._throughput = ThroughputView(None if prediction is None else ComparedPrediction(prediction))
        self._header_view = HeaderView(config)
        self._header = ViewCanvas(self._header_view, id="run-header")
        self._status_view = StatusView()
        self._status = ViewCanvas(self._status_view, id="run-status")
        self._operations = OperationsView(ledger)
        self._panels = (
            Panel(1, "operations per example", self._operations, id="operations", numbers=True, turn=None),
            Panel(2, "loss and accuracy", CurvesView(), id="curves", numbers=False, turn=0),
            Panel(3, "gradients", GradientsView(), id="gradients", numbers=False, turn=2),
            Panel(4, "throughput", self._throughput, id="throughput", numbers=True, turn=3),
        )
        self._canvases = (self._header, self._status, *(panel.canvas for panel in self._panels))
        self._shown: Snapshot | None = None
        self._ticks = 0
        # Asked for and not yet seen: a second key press must not wait for the first one's snapshot.
        self._rate: float | None = None
        self._speed: tuple[float | None] | None = None
        self._asked_at = -ASK_SECONDS
        self._paused: bool | None = None
        self._failure: RunFailed | None = None

    def compose(self) -> ComposeResult:
        yield self._header
        yield from self._panels
        yield self._status
        yield KeyLine()

    def on_mount(self) -> None:
        self.every(TICK, self.tick)

    def on_screen_resume(self) -> None:
        self.post_message(Uncovered())

    def on_unmount(self) -> None:
        if self._worker.is_alive:
            self._worker.stop("the run screen was closed")

    def tick(self) -> None:
        """Look at the worker once: numbers at every new snapshot, one picture at a time."""
        if self._worker.snapshot is None and self._lease is not None:
            holder = self._lease.holder
            self._status_view.waits_for = "" if holder in ("", "training") else f"waiting for {holder} to end"
            self._status.draw()
        for event in self._worker.events():
            self._handle(event)
        snapshot = self._worker.snapshot
        first = self._shown is None
        fresh = snapshot is not None and snapshot is not self._shown
        self._ticks += 1
        due = [(panel, first or panel.turn == self._ticks % ROUND) for panel in self._panels if panel.display]
        if snapshot is not None and fresh:
            self._take(snapshot)
            self._header.draw()
            self._status.draw()
        for panel, pictures in due:
            if (fresh and panel.numbers) or (pictures and panel.canvas.stale):
                panel.canvas.draw(pictures)

    def _take(self, snapshot: Snapshot) -> None:
        self._shown = snapshot
        if self._rate == snapshot.learning_rate:
            self._rate = None
        if self._speed == (snapshot.speed_limit,):
            self._speed = None
        if self._paused is (snapshot.state is State.PAUSED):
            self._paused = None
        if self._failure is not None:
            snapshot = replace(snapshot, state=State.FAILED, message=self._failure.message)
        for canvas in self._canvases:
            canvas.offer(snapshot)

    def _handle(self, event: Event) -> None:
        """Show an event that must not be missed, once."""
        if isinstance(event, RunFailed):
            self._fail(event, printable(event.message, 500))
        elif isinstance(event, Started):
            # What is counted is what runs: the data may have turned out shorter than a batch.
            self._operations.recount(count(event.config))
            if event.notes:
                self.notify(printable("; ".join(event.notes), 500), title=event.config.dataset, markup=False)
        elif isinstance(event, Ended):
            self._compare_with_prediction()
            if event.message and event.state is not State.STOPPED:
                self.notify(printable(event.message, 500), title=event.state.value, markup=False)
        elif isinstance(event, Paused) and self._throughput.compared is not None:
            self._throughput.compared.interrupt()
        elif isinstance(event, SpeedLimitChanged) and event.speed_limit is not None:
            # What was predicted is a run at full speed.
            self._throughput.compared = None

    def _compare_with_prediction(self) -> None:
        """Compare the ended run with its prediction; the last snapshot is published before the end is."""
        last, compared = self._worker.snapshot, self._throughput.compared
        if last is not None and compared is not None:
            self._status_view.outcome = compared.outcome(last)

    def _fail(self, event: RunFailed, message: str) -> None:
        self._failure = event
        if event.device_lost:
            self.notify("ctrl+n restarts tuisim, with this network in its form", title="the GPU is lost", timeout=30)
        self._header_view.failed = self._status_view.failed = message
        if self._shown is not None:
            self._shown = None  # so that the last snapshot is drawn again, as a failed run's
            self.notify(message, title="the run failed", severity="error", timeout=10, markup=False)
            return
        for panel, words in zip(self._panels[1:], (message, "", ""), strict=True):
            panel.canvas.say_instead(words)
        self._header.draw()
        self._status.draw()

    def action_toggle_pause(self) -> None:
        paused = bool(self._shown and self._shown.state is State.PAUSED) if self._paused is None else self._paused
        self._paused = not paused
        if paused:
            self._worker.control.resume()
        else:
            self._worker.control.pause("paused: space resumes, . trains one step")

    def action_single_step(self) -> None:
        self._paused = True
        self._worker.control.step()

    def action_speed(self, direction: int) -> None:
        limit = self._speed[0] if self._speed else self._shown.speed_limit if self._shown else None
        self._speed = (next_speed_limit(limit, direction),)
        self._worker.control.set_speed_limit(self._speed[0])

    def action_rate(self, direction: int) -> None:
        rate = self._rate or (self._shown.learning_rate if self._shown else self._config.resolved().learning_rate)
        assert rate is not None
        self._rate = next_rate(rate, direction)
        self._worker.control.set_learning_rate(self._rate)

    def action_stop(self) -> None:
        self._worker.control.stop("stopped by user")

    def action_restart(self) -> None:
        self.post_message(StartRequested(self._config))

    def action_back(self) -> None:
        """Leave the zoom, or stop the run and leave it."""
        if self.zoomed:
            self.zoom(None)
            return
        if self._worker.is_alive and not (self._shown and self._shown.state.ended):
            if self._is_long and monotonic() - self._asked_at > ASK_SECONDS:
                self._asked_at = monotonic()
                self.notify("press esc again to stop training; F2 shows the setup and lets it train", timeout=ASK_SECONDS)
                return
            self._worker.stop("left for the setup screen")
            step = f" at step {self._shown.step:,}" if self._shown else ""
            self.notify(f"training stopped{step}")
        self.post_message(RunLeft())

    @property
    def _is_long(self) -> bool:
        """True if so much has been trained that one key press must not stop it."""
        return self._shown is not None and self._shown.training_seconds >= LONG_SECONDS
