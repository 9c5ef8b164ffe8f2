"""The crossover page: a map of which backend is faster at which width and batch, live as it fills, and the rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.engine.job import Job
from tuisim.features.compare.crossover import view
from tuisim.features.compare.crossover.cell import Size
from tuisim.features.compare.crossover.result import Crossover
from tuisim.features.compare.crossover.sweep import Sweep, SweepProgress
from tuisim.features.compare.crossover.view import CrossoverState
from tuisim.features.compare.entries import BackendPair, may_be_available, pairs
from tuisim.provenance import MEASURED, Provenance
from tuisim.tui.context import PageContext
from tuisim.tui.job_page import JobPage
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import zoom_bindings

_CELL = Binding.Group("cell", compact=True)


class MapPanel(Panel):
    """The map; the arrows move its cursor while it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"screen.move({rows}, {columns})", f"cell {key}", id=f"crossover.{key}", key_display=arrow, group=_CELL,
                tooltip=f"The cell {words}")
        for key, arrow, rows, columns, words in (
            ("left", "←", 0, -1, "of the next smaller batch"), ("right", "→", 0, 1, "of the next larger batch"),
            ("up", "↑", -1, 0, "of the next smaller width"), ("down", "↓", 1, 0, "of the next larger width"),
        )
    ]  # fmt: skip


class CrossoverScreen(JobPage[SweepProgress, Crossover]):
    """One sweep over networks like that of the context."""

    TITLE = "crossover"
    HELP = (
        "Two backends or thread counts over widths and batches; every layer is as wide as the row says. Each cell names the "
        "faster one and how many times as fast it is, = for a tie (the spread includes 1, or 3 % at most). Where the winner "
        "changes the sizes in between are measured too. The rule at the end says at which size the faster one changes."
    )
    DEFAULT_CSS = """
    CrossoverScreen { layout: grid; grid-size: 2 3; grid-rows: 1 3fr 2fr; grid-columns: 2fr 3fr; }
    CrossoverScreen #crossover-map { column-span: 2; }
    CrossoverScreen.-narrow { grid-rows: 1 12 1fr; grid-columns: 32 1fr; }
    CrossoverScreen.-wide { grid-rows: 1 12 1fr; grid-columns: 3fr 2fr; }
    CrossoverScreen.-wide #crossover-map { column-span: 1; row-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pair", "next pair", id="crossover.pair", tooltip="Compare the next two backends or thread counts"),
        *zoom_bindings("crossover", "map", "cell", "rule"),
    ]

    def __init__(self, context: PageContext, choices: Sequence[BackendPair] | None = None) -> None:
        """`choices` are the pairs that `p` goes through."""
        super().__init__(context)
        self._pairs = list(pairs(may_be_available) if choices is None else choices)
        self._selected: Size | None = None
        self._line = ViewCanvas(view.header, id="crossover-header")
        self._panels = (
            MapPanel(1, "faster backend: width ↓ batch →", view.map_lines, id="crossover-map", tag=MEASURED),
            Panel(2, "this cell", view.cell_lines, id="crossover-cell", tag=(*MEASURED, ("ops", Provenance.COUNTED))),
            Panel(3, "rule", view.rule_lines, id="crossover-rule", tag=MEASURED),
        )

    def make_job(self) -> Job[SweepProgress, Crossover]:
        """Return a job under the machine lease."""
        config, pair = self.context.config, self._pairs[0]
        return Job("crossover", lambda job: Sweep(config, pair, wanted=job.is_wanted).run(job.report), self.context.lease)

    def state(self, job: Job[SweepProgress, Crossover]) -> CrossoverState:
        """Return what there is to see of the job."""
        failure = job.failure.message if job.failure else ""
        return CrossoverState(
            self.context.config, self._pairs[0], job.progress, job.result, failure, job.is_waiting, self._selected
        )  # fmt: skip

    def action_move(self, widths: int, batches: int) -> None:
        """Select the next cell."""
        if self.job is not None:
            self._selected = self.state(self.job).moved(widths, batches)
            self.tick()

    def action_pair(self) -> None:
        """Compare the next pair."""
        self._pairs.append(self._pairs.pop(0))
        self.action_again()

    def action_again(self) -> None:
        """Measure again."""
        self._selected = None
        super().action_again()
