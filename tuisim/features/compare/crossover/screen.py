"""The crossover screen: a map of who wins at which width and batch, live as it fills, and the rule it comes to.

It lays out, moves the cursor and passes sweeps on; it draws nothing and measures nothing. The worker is made by a factory, so a
scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from textual.binding import Binding, BindingType

from tuisim.config import RunConfig
from tuisim.features.compare.crossover.found import Crossover
from tuisim.features.compare.crossover.map import MapView
from tuisim.features.compare.crossover.pairs import Duel, duels, likely_works
from tuisim.features.compare.crossover.sweep import Size, Sweeping
from tuisim.features.compare.crossover.view import CellView, CrossoverHeader, RuleView, Survey
from tuisim.features.compare.crossover.worker import CrossoverWorker
from tuisim.features.compare.entries import BackendEntry
from tuisim.tui.measuring_page import StudyScreen
from tuisim.tui.panel import Panel, ViewCanvas

_WIDTHS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
_CELL = Binding.Group("cell", compact=True)


class AnyCrossoverWorker(Protocol):
    """What the screen needs of whoever makes the sweep."""

    @property
    def sweeping(self) -> Sweeping | None: ...
    @property
    def crossover(self) -> Crossover | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class CrossoverScreen(StudyScreen[AnyCrossoverWorker, Survey]):
    """One sweep over `config`'s network. `busy` says whether a training would be disturbed; `hush` pauses it."""

    TITLE = "crossover"
    HELP = (
        "Two backends or thread counts over widths and batches, every layer as wide as the row says: each cell names who is "
        "faster there and how many times, = where the spread includes no difference or there is 3 % at most. Where the winner "
        "changes the sizes in between are measured too, and the rule at the end says from which size on the other one wins."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    CrossoverScreen { layout: grid; grid-size: 2 4; grid-rows: 1 3fr 2fr 1; grid-columns: 2fr 3fr; }
    #crossover-header { column-span: 2; background: $panel; }
    #crossover-map { column-span: 2; }
    CrossoverScreen Canvas .canvas--good { color: $success; }
    CrossoverScreen KeyLine { dock: none; column-span: 2; }
    CrossoverScreen.-narrow { grid-rows: 1 12 1fr 1; grid-columns: 32 1fr; }
    CrossoverScreen.-narrow Panel { padding: 0; }
    CrossoverScreen.-wide { grid-rows: 1 12 1fr 1; grid-columns: 3fr 2fr; }
    CrossoverScreen.-wide #crossover-map { column-span: 1; row-span: 2; }
    CrossoverScreen.-zoomed { grid-size: 1 3; grid-rows: 1 1fr 1; grid-columns: 1fr; }
    CrossoverScreen.-zoomed #crossover-header, CrossoverScreen.-zoomed KeyLine { column-span: 1; }
    CrossoverScreen.-zoomed Panel { display: none; column-span: 1; row-span: 1; }
    CrossoverScreen.-zoomed Panel.-zoomed { display: block; column-span: 1; row-span: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"move({rows}, {columns})", f"cell {key}", id=f"crossover.{key}", key_display=arrow, group=_CELL,
                    priority=True, tooltip=f"The cell {words}")
            for key, arrow, rows, columns, words in (
                ("left", "←", 0, -1, "of the next smaller batch"), ("right", "→", 0, 1, "of the next larger batch"),
                ("up", "↑", -1, 0, "of the next smaller width"), ("down", "↓", 1, 0, "of the next larger width"),
            )
        ),
        Binding("p", "pair", "pair", id="crossover.pair", tooltip="Hold the next two against each other"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"crossover.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("map", "cell", "rule"), 1)
        ),
    ]  # fmt: skip

    def __init__(
        self,
        config: RunConfig,
        busy: Callable[[], bool] = lambda: False,
        hush: Callable[[], None] = lambda: None,
        worker_factory: Callable[[RunConfig, Sequence[BackendEntry]], AnyCrossoverWorker] = CrossoverWorker,
        pairs: Sequence[Duel] | None = None,
    ) -> None:
        super().__init__(busy, hush, lambda: worker_factory(config, self._pairs[0]), self._survey_of, self._hand)
        self._pairs = list(duels(likely_works) if pairs is None else pairs)
        self._chosen: Size | None = None
        self._survey = Survey()
        self._header = CrossoverHeader(config)
        self._line = ViewCanvas(self._header, id="crossover-header")
        self._views = (MapView(), CellView(), RuleView())
        self._panels = (
            Panel(1, "who is faster: width ↓ batch →", self._views[0], id="crossover-map", numbers=True, turn=None),
            Panel(2, "this cell, a step", self._views[1], id="crossover-cell", numbers=True, turn=None),
            Panel(3, "the rule", self._views[2], id="crossover-rule", numbers=True, turn=None),
        )

    def _survey_of(self, worker: AnyCrossoverWorker | None) -> Survey:
        pair = self._pairs[0]
        if worker is None:
            return Survey(pair, waits=self._busy(), chosen=self._chosen)
        return Survey(pair, worker.sweeping, worker.crossover, worker.failure, chosen=self._chosen)

    def _hand(self, survey: Survey) -> None:
        self._survey = survey
        for reader in (self._header, *self._views):
            reader.survey = survey

    def action_move(self, widths: int, batches: int) -> None:
        """Look at the next cell; where the rule has the screen there is none to be seen, and it scrolls."""
        if self._panels[2].canvas.zoomed:
            self._panels[2].scroll_relative(y=widths, animate=False)
            return
        self._chosen = self._survey.moved(widths, batches)
        self.tick()

    def action_pair(self) -> None:
        """The next pair, from the beginning."""
        self._pairs.append(self._pairs.pop(0))
        self.action_again()

    def action_again(self) -> None:
        self._chosen = None
        super().action_again()
