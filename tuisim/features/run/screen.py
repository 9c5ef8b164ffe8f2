"""The run screen: four panels over a run that trains meanwhile, and the keys that steer it.

It lays out, binds keys and passes snapshots on; it draws nothing and computes nothing. The worker is handed to it, so a
scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.engine.events import Ended, Event, PaceChanged, Paused, RunFailed, Snapshot, Started, State
from tuisim.errors import printable
from tuisim.features.run.compared import Foretold
from tuisim.features.run.curves import CurvesView
from tuisim.features.run.gradients import GradientsView
from tuisim.features.run.operations import OperationsView
from tuisim.features.run.speed_limits import next_pace, next_rate
from tuisim.features.run.status import HeaderView, StatusView
from tuisim.features.run.throughput import ThroughputView
from tuisim.predict.prediction import Prediction
from tuisim.tui.direct_writes import write
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen
from tuisim.tui.run_worker import RunWorker

_PACE, _RATE, _ZOOM = (Binding.Group(words, compact=True) for words in ("pace", "rate", "zoom"))

_WIDTHS = [(0, "-narrow"), (100, "-normal")]
_FOLDED = (
    (130, ("page.prove", "page.answer", "page.dial", "page.race", "page.crossover")),
    (110, ("run.marker", "run.restart")),
    (76, ("run.lower_rate", "run.higher_rate", *(f"run.zoom_{n}" for n in range(1, 5)))),
)
"""Below so many cells these keys are left out of the key line; they work all the same."""

LONG_SECONDS, ASK_SECONDS = 30.0, 5.0
"""A training of so many seconds is left by two presses within so many."""
TICK = 0.1
"""Seconds between two looks at the snapshot."""
ROUND = 5
"""Ticks after which a panel's turn to draw its pictures comes again: twice a second."""


class RunScreen(PanelScreen):
    """A run, live. What has ended stays to be read."""

    CSS_PATH = "run.tcss"
    BLANK = True  # nothing of its own to paint between the panels
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    TITLE = "run"
    HELP = "Four panels over a run that trains meanwhile. A number key, or a click on a title, gives one panel the screen."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "pause", id="run.pause", tooltip="Pause or go on"),
        Binding("full_stop", "single_step", "step", id="run.step", key_display=".", tooltip="One step; pauses first"),
        Binding("left_square_bracket", "pace(-1)", "slower", id="run.slower", key_display="[", group=_PACE,
                tooltip="Slower: full, 100, 10, 1 steps/s, a step at a time"),
        Binding("right_square_bracket", "pace(1)", "faster", id="run.faster", key_display="]", group=_PACE,
                tooltip="Faster: a step at a time, 1, 10, 100 steps/s, full"),
        Binding("minus", "rate(-1)", "lower rate", id="run.lower_rate", key_display="-", group=_RATE,
                tooltip="Lower the learning rate (1-2-5)"),
        Binding("plus,equals_sign", "rate(1)", "higher rate", id="run.higher_rate", key_display="+", group=_RATE,
                tooltip="Raise the learning rate (1-2-5)"),
        Binding("r", "restart", "restart", id="run.restart", tooltip="Start again with the same settings"),
        Binding("x", "stop", "stop", id="run.stop", tooltip="End the run; what it showed stays"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"run.zoom_{n}", group=_ZOOM, tooltip=f"Only {what}, or all")
            for n, what in enumerate(("operations", "loss and accuracy", "gradients", "throughput"), 1)
        ),
        Binding("m", "marker", "marks", id="run.marker", tooltip="Draw with braille, blocks or ASCII"),
        Binding("escape,b", "back", "setup", id="run.back", key_display="esc", tooltip="Stop and go back to the setup"),
    ]  # fmt: skip

    @dataclass
    class RestartRequested(Message):
        """The same run again, from the start; the app makes the worker."""

        config: RunConfig

    class Uncovered(Message):
        """It is in front again: what lay over it has been left."""

    class Begun(Message):
        """The worker has been started."""

    def __init__(
        self,
        worker: RunWorker,
        config: RunConfig,
        ledger: Ledger,
        prediction: Prediction | None = None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`prediction` is what the run is held against; it is begun once the machine is `ready` for it."""
        super().__init__()
        self._worker = worker
        self._config = config
        self._ready = ready
        self._begun = False
        self._throughput = ThroughputView(None if prediction is None else Foretold(prediction))
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
        self._pace: tuple[float | None] | None = None
        self._asked_at = -ASK_SECONDS
        self._paused: bool | None = None
        self._failure: RunFailed | None = None
        self._above: list[Widget] = []

    def compose(self) -> ComposeResult:
        yield self._header
        yield from self._panels
        yield self._status
        yield KeyLine()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What can be pressed; a narrow key line shows the keys needed most, the help screen has them all."""
        found = super().active_bindings
        folded = {name for width, names in _FOLDED if self.app.size.width < width for name in names}
        return {
            key: active._replace(binding=replace(active.binding, show=False)) if active.binding.id in folded else active
            for key, active in found.items()
        }

    def on_resize(self, event: events.Resize) -> None:
        self.refresh_bindings()

    def on_mount(self) -> None:
        # What Textual adds of its own, notices and tooltips, lies above the panels.
        own = {self._header, self._status, *self._panels}
        self._above = [widget for widget in self.children if widget not in own and not isinstance(widget, KeyLine)]
        self._begin()
        self.every(TICK, self.tick)

    def on_unmount(self) -> None:
        if self._worker.alive:
            self._worker.stop("the run screen was closed")

    def _begin(self) -> None:
        """Start the worker, unless something else is still at work on the machine."""
        self._begun = self._ready()
        self._status_view.waits_for = "" if self._begun else "waiting for a measurement of this machine to end"
        if self._begun:
            self._worker.start()
            self.post_message(self.Begun())

    def tick(self) -> None:
        """Look at the worker once: numbers at every new snapshot, one picture at a time."""
        if not self._begun:
            self._begin()
            self._status.draw()
        for event in self._worker.events():
            self._tell(event)
        snapshot = self._worker.snapshot
        first = self._shown is None
        fresh = snapshot is not None and snapshot is not self._shown
        self._ticks += 1
        due = [(panel, first or panel.turn == self._ticks % ROUND) for panel in self._panels if panel.display]
        changed: list[tuple[ViewCanvas, list[int]]] = []
        if snapshot is not None and fresh:
            self._take(snapshot)
            changed += [(canvas, canvas.redraw()) for canvas in (self._header, self._status)]
        for panel, pictures in due:
            if (fresh and panel.numbers) or (pictures and panel.canvas.stale):
                changed.append((panel.canvas, panel.canvas.redraw(pictures)))
        self._paint(changed)

    def _paint(self, changed: Sequence[tuple[ViewCanvas, Sequence[int]]]) -> None:
        """Bring changed rows to the terminal, by the short way where nothing lies over them."""
        direct = self.is_active and not any(w.display and (w.region or w.children) for w in self._above)
        if direct and not any(canvas.scrolls for canvas, _ in changed):
            strips = [
                (region.offset + Offset(0, row), canvas.strip_at(row))
                for canvas, rows in changed
                if rows and (region := canvas.region)
                for row in rows
            ]
            if not strips or write(self.app, strips):
                return
        for canvas, rows in changed:
            canvas.repaint(rows)

    def on_screen_resume(self) -> None:
        self.post_message(self.Uncovered())

    def _take(self, snapshot: Snapshot) -> None:
        self._shown = snapshot
        if self._rate == snapshot.learning_rate:
            self._rate = None
        if self._pace == (snapshot.pace,):
            self._pace = None
        if self._paused is (snapshot.state is State.PAUSED):
            self._paused = None
        if self._failure is not None:
            snapshot = replace(snapshot, state=State.FAILED, message=self._failure.message)
        for canvas in self._canvases:
            canvas.offer(snapshot)

    def _tell(self, event: Event) -> None:
        """What a person must not miss, once."""
        if isinstance(event, RunFailed):
            self._fail(event, printable(event.message, 500))
        elif isinstance(event, Started):
            # What is counted is what runs: the data may have turned out shorter than a batch.
            self._operations.recount(count(event.config))
            if event.notes:
                self.notify(printable("; ".join(event.notes), 500), title=event.config.dataset, markup=False)
        elif isinstance(event, Ended):
            self._weigh()
            if event.message and event.state is not State.STOPPED:
                self.notify(printable(event.message, 500), title=event.state.value, markup=False)
        elif isinstance(event, Paused) and self._throughput.foretold is not None:
            self._throughput.foretold.interrupt()
        elif isinstance(event, PaceChanged) and event.pace is not None:
            # What was predicted is a run at full speed.
            self._throughput.foretold = None

    def _weigh(self) -> None:
        """The ended run against what was predicted; its last snapshot is published before its end is told."""
        last, foretold = self._worker.snapshot, self._throughput.foretold
        if last is not None and foretold is not None:
            self._status_view.outcome = foretold.outcome(last)

    def _fail(self, event: RunFailed, message: str) -> None:
        self._failure = event
        if event.lost:
            self.notify("ctrl+n starts tuisim anew, with this network in its form", title="the GPU is lost", timeout=30)
        self._header_view.failed = self._status_view.failed = message
        if self._shown is not None:
            self._shown = None  # so that the last snapshot is shown anew, as a failed run's
            self.notify(message, title="the run failed", severity="error", timeout=10, markup=False)
            return
        for panel, words in zip(self._panels[1:], (message, "", ""), strict=True):
            panel.canvas.say_instead(words)
        self._header.draw()
        self._status.draw()

    def action_toggle_pause(self) -> None:
        held = bool(self._shown and self._shown.state is State.PAUSED) if self._paused is None else self._paused
        self._paused = not held
        if held:
            self._worker.control.resume()
        else:
            self._worker.control.pause("paused by hand: space goes on, . makes one step")

    def action_single_step(self) -> None:
        self._paused = True
        self._worker.control.step()

    def action_pace(self, direction: int) -> None:
        pace = self._pace[0] if self._pace else self._shown.pace if self._shown else None
        self._pace = (next_pace(pace, direction),)
        self._worker.control.set_pace(self._pace[0])

    def action_rate(self, direction: int) -> None:
        rate = self._rate or (self._shown.learning_rate if self._shown else self._config.resolved().learning_rate)
        assert rate is not None
        self._rate = next_rate(rate, direction)
        self._worker.control.set_learning_rate(self._rate)

    def action_stop(self) -> None:
        self._worker.control.stop("stopped by hand")

    def action_restart(self) -> None:
        self.post_message(self.RestartRequested(self._config))

    def action_back(self) -> None:
        """Out of the zoom, or out of the run."""
        if self.zoomed:
            self.zoom(None)
            return
        if self._worker.alive and not (self._shown and self._shown.state.ended):
            if self._is_long and monotonic() - self._asked_at > ASK_SECONDS:
                self._asked_at = monotonic()
                self.notify("esc once more ends it", title="training goes on", timeout=ASK_SECONDS)
                return
            self._worker.stop("left for the setup screen")
            step = f" at step {self._shown.step:,}" if self._shown else ""
            self.notify(f"training stopped{step}")
        self.dismiss(None)

    @property
    def _is_long(self) -> bool:
        """Whether so much has been trained that a slip of a finger must not end it."""
        return self._shown is not None and self._shown.training_seconds >= LONG_SECONDS

    def action_marker(self) -> None:
        chart_style = self._header.chart_style.following
        for canvas in self._canvases:
            canvas.chart_style = chart_style
        self.fit_panels()
