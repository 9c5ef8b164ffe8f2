"""The proof screen: three panels over a proof that is made meanwhile, each check beside what it is checked against.

It lays out, binds keys and passes moments on; it draws nothing and checks nothing. The worker is made by a factory, so a
scripted one serves as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.features.explain.proof.checks_view import BackendProofView, GradientProofView
from tuisim.features.explain.proof.count_view import CountView
from tuisim.features.explain.proof.proof import Progress, Proof
from tuisim.features.explain.proof.view import Moment, ProofHeader, ProofStatus
from tuisim.features.explain.proof.worker import ProofWorker
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen

TICK = 0.1
"""Seconds between two looks at the worker."""


_WIDTHS = [(0, "-narrow"), (100, "-normal")]


class AnyProofWorker(Protocol):
    """What the screen needs of whoever makes the proof."""

    @property
    def progress(self) -> Progress | None: ...
    @property
    def proof(self) -> Proof | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def refused(self) -> bool: ...
    @property
    def seconds(self) -> float: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class ProveScreen(PanelScreen):
    """A proof of one configuration. What has ended stays to be read."""

    TITLE = "proof"
    HELP = (
        "Three proofs: the ledger's counts against what plain Python tallies, the gradient against central differences, the "
        "backend beside plain Python. A number key gives one panel the screen; the first then shows every operation."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    CSS = """
    ProveScreen { layout: grid; grid-size: 2 5; grid-rows: 1 1fr 1fr 1 1; grid-columns: 1fr 1fr; }
    #proof-header, #proof-status { column-span: 2; background: $panel; }
    #proof-status { background: $surface; }
    #proof-count { column-span: 2; }
    ProveScreen Canvas .canvas--good { color: $success; }
    ProveScreen KeyLine { dock: none; column-span: 2; }
    ProveScreen.-narrow { grid-rows: 1 10fr 11fr 1 1; }
    ProveScreen.-narrow Panel { padding: 0; }
    ProveScreen.-zoomed { grid-size: 2 4; grid-rows: 1 1fr 1 1; }
    ProveScreen.-zoomed Panel { display: none; }
    ProveScreen.-zoomed Panel.-zoomed { display: block; column-span: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "again", id="prove.again", tooltip="Prove it once more"),
        Binding("f", "force", "go on", id="prove.force", tooltip="Prove it however long plain Python takes"),
        Binding("escape,b", "back", "back", id="prove.back", key_display="esc", tooltip="Out of the zoom, or back"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"prove.zoom_{n}", tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("count", "gradient", "backend"), 1)
        ),
    ]

    def __init__(self, config: RunConfig, worker_factory: Callable[[RunConfig, bool], AnyProofWorker] = ProofWorker) -> None:
        super().__init__()
        self._config, self._make = config, worker_factory
        self._worker: AnyProofWorker | None = None
        self._moment = Moment()
        self._header, self._status = ProofHeader(config), ProofStatus(config)
        self._views = (CountView(count(config)), GradientProofView(), BackendProofView())
        self._lines = (ViewCanvas(self._header, id="proof-header"), ViewCanvas(self._status, id="proof-status"))
        count_view, gradient_view, backend_view = self._views
        self._panels = (
            Panel(1, "ledger = tally", count_view, id="proof-count", numbers=True, turn=None),
            Panel(2, "gradient", gradient_view, id="proof-gradient", numbers=True, turn=None),
            Panel(3, "backend", backend_view, id="proof-backend", numbers=True, turn=None),
        )

    def compose(self) -> ComposeResult:
        yield self._lines[0]
        yield from self._panels
        yield self._lines[1]
        yield KeyLine()

    def on_mount(self) -> None:
        self._start(force=False)
        self.every(TICK, self.tick)

    def on_unmount(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def _start(self, force: bool) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._worker = self._make(self._config, force)
        self._worker.start()
        self.tick()

    def tick(self) -> None:
        """Look at the worker once: the clock at every look, the panels when something is new."""
        worker, before = self._worker, self._moment
        if worker is None:
            return
        self._moment = Moment(worker.progress, worker.proof, worker.failure, worker.refused, worker.seconds)
        for line in (self._header, self._status):
            line.moment = self._moment
        for canvas in self._lines:
            canvas.draw()
        now = self._moment
        if now.progress is not before.progress or now.proof is not before.proof or now.failure != before.failure:
            for view in self._views:
                view.moment = now
            self._redraw()
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._moment.refused if action == "force" else True

    def action_again(self) -> None:
        self._start(force=False)

    def action_force(self) -> None:
        self._start(force=True)

    def _redraw(self) -> None:
        for panel in self._panels:
            if panel.display:
                panel.canvas.draw()
