"""The race screen: the same run on several backends and thread counts, bars and losses live, and who won.

It lays out, binds keys and passes heats on; it draws nothing and measures nothing. The worker is made by a factory, so a
scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuisim.backends import names
from tuisim.config import RunConfig, usable_cores
from tuisim.study.compare import Comparison, Standing
from tuisim.study.contenders import Entry
from tuisim.study.race_worker import RaceWorker
from tuisim.tui.screens.panels import PanelScreen
from tuisim.tui.widgets.keys import KeyLine
from tuisim.tui.widgets.panel import Panel, ViewCanvas
from tuisim.tui.widgets.race_view import Heat, LossRaceView, RaceHeader, SpeedView

TICK = 0.1
"""Seconds between two looks at the worker."""
_WIDTHS = [(0, "-narrow"), (100, "-normal")]


class AnyRaceWorker(Protocol):
    """What the screen needs of whoever runs the race."""

    @property
    def standings(self) -> tuple[Standing, ...]: ...
    @property
    def comparison(self) -> Comparison | None: ...
    @property
    def failure(self) -> str | None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def field(cores: int | None = None) -> tuple[Entry, ...]:
    """Everyone there is: each backend, and NumPy on every core where there are several."""
    cores = usable_cores() if cores is None else cores
    entered = [Entry(name, 1 if name == "numpy" else None) for name in names()]
    return tuple([*entered, Entry("numpy", cores)] if cores > 1 else entered)


class RaceScreen(PanelScreen):
    """One race over `config`. `busy` says whether a training would be disturbed; `hush` pauses it."""

    TITLE = "race"
    HELP = (
        "The same network, start and batches on every backend here, in turn: the bars are steps a second, the curves the loss "
        "over each one's own working time. What it cost to begin and whether all computed the same stands there at the end."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    RaceScreen { layout: grid; grid-size: 2 3; grid-rows: 1 1fr 1; grid-columns: 1fr 1fr; }
    #race-header { column-span: 2; background: $panel; }
    RaceScreen Canvas .canvas--good { color: $success; }
    RaceScreen KeyLine { dock: none; column-span: 2; }
    RaceScreen.-narrow { grid-size: 1 4; grid-rows: 1 1fr 1fr 1; grid-columns: 1fr; }
    RaceScreen.-narrow #race-header, RaceScreen.-narrow KeyLine { column-span: 1; }
    RaceScreen.-narrow Panel { padding: 0; }
    RaceScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; grid-columns: 1fr; }
    RaceScreen.-zoomed #race-header, RaceScreen.-zoomed KeyLine { column-span: 1; }
    RaceScreen.-zoomed Panel { display: none; }
    RaceScreen.-zoomed Panel.-zoomed { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "again", id="race.again", tooltip="Race once more"),
        Binding("m", "measure", "begin now", id="race.measure", tooltip="Begin; a training that runs is paused for it"),
        Binding("escape,b", "back", "back", id="race.back", key_display="esc", tooltip="Out of the zoom, or back"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"race.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("speed", "loss"), 1)
        ),
    ]

    def __init__(
        self,
        config: RunConfig,
        busy: Callable[[], bool] = lambda: False,
        hush: Callable[[], None] = lambda: None,
        worker_factory: Callable[[RunConfig, Sequence[Entry]], AnyRaceWorker] = RaceWorker,
    ) -> None:
        super().__init__()
        self._config, self._busy, self._hush, self._make = config, busy, hush, worker_factory
        self._worker: AnyRaceWorker | None = None
        self._heat = Heat()
        self._header = RaceHeader(config)
        self._line = ViewCanvas(self._header, id="race-header")
        self._views = (SpeedView(), LossRaceView())
        self._panels = (
            Panel(1, "steps a second", self._views[0], id="race-speed", numbers=True, turn=None),
            Panel(2, "loss over working time", self._views[1], id="race-loss", numbers=True, turn=None),
        )

    def compose(self) -> ComposeResult:
        yield self._line
        yield from self._panels
        yield KeyLine()

    def on_mount(self) -> None:
        self.set_interval(TICK, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def tick(self) -> None:
        """Begin when the machine is free, and show what is new."""
        if self._worker is None and not self._busy():
            self._worker = self._make(self._config, field())
            self._worker.start()
        worker = self._worker
        heat = Heat(waits=True) if worker is None else Heat(worker.standings, worker.comparison, worker.failure)
        if heat != self._heat or not self._panels[0].canvas.lines:
            self._heat = heat
            self._header.heat = heat
            for view in self._views:
                view.heat = heat
            self._line.draw()
            for panel in self._panels:
                if panel.display:
                    panel.canvas.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._worker is None if action == "measure" else True

    def action_again(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._worker = None
        self.tick()

    def action_measure(self) -> None:
        self._hush()
        self.notify("the training is paused: space goes on with it on its own screen")

    def action_back(self) -> None:
        """Out of the zoom, or back to where it was asked for."""
        if self.zoomed:
            self.zoom(None)
        else:
            self.dismiss(None)
