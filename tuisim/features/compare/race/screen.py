"""The race screen: the same run on several backends and thread counts, bars and losses live, and who won.

It lays out and passes heats on; it draws nothing and measures nothing. The worker is made by a factory, so a
scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType

from tuisim.backends import known, names
from tuisim.config import RunConfig, usable_cores
from tuisim.features.compare.entries import Entry
from tuisim.features.compare.race.race import Comparison, Standing
from tuisim.features.compare.race.view import Heat, LossRaceView, RaceHeader, SpeedView
from tuisim.features.compare.race.worker import RaceWorker
from tuisim.tui.measuring_page import StudyScreen
from tuisim.tui.panel import Panel, ViewCanvas

_WIDTHS = [(0, "-narrow"), (100, "-normal")]


class AnyRaceWorker(Protocol):
    """What the screen needs of whoever runs the race."""

    @property
    def standings(self) -> tuple[Standing, ...]: ...
    @property
    def comparison(self) -> Comparison | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def field(cores: int | None = None) -> tuple[Entry, ...]:
    """Everyone there is: each backend that is here, and NumPy on every core where there are several."""
    cores = usable_cores() if cores is None else cores
    here = [name for name in names() if (found := known(name)) is None or not found.absent]
    entered = [Entry(name, 1 if name == "numpy" else None) for name in here]
    return tuple([*entered, Entry("numpy", cores)] if cores > 1 else entered)


class RaceScreen(StudyScreen[AnyRaceWorker, Heat]):
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
        Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"race.zoom_{n}", tooltip=f"Only the {what}, or all")
        for n, what in enumerate(("speed", "loss"), 1)
    ]

    def __init__(
        self,
        config: RunConfig,
        busy: Callable[[], bool] = lambda: False,
        hush: Callable[[], None] = lambda: None,
        worker_factory: Callable[[RunConfig, Sequence[Entry]], AnyRaceWorker] = RaceWorker,
    ) -> None:
        super().__init__(busy, hush, lambda: worker_factory(config, field()), self._heat_of, self._hand)
        self._header = RaceHeader(config)
        self._line = ViewCanvas(self._header, id="race-header")
        self._views = (SpeedView(), LossRaceView())
        self._panels = (
            Panel(1, "steps a second", self._views[0], id="race-speed", numbers=True, turn=None),
            Panel(2, "loss over working time", self._views[1], id="race-loss", numbers=True, turn=None),
        )

    def _heat_of(self, worker: AnyRaceWorker | None) -> Heat:
        return Heat(waits=self._busy()) if worker is None else Heat(worker.standings, worker.comparison, worker.failure)

    def _hand(self, heat: Heat) -> None:
        for reader in (self._header, *self._views):
            reader.heat = heat
