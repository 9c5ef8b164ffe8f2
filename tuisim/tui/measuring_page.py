"""A screen of panels over a measurement that needs the machine to itself: it waits, begins, is asked again, and is left.

It does not know what is measured or drawn: a worker is made for it, and what there is to see is made of the worker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, Protocol, TypeVar

from textual.binding import Binding, BindingType

from tuisim.tui.panel import ViewCanvas
from tuisim.tui.panels import PanelScreen

TICK = 0.1
"""Seconds between two looks at the worker."""


class StudyWorker(Protocol):
    """What the screen needs of whoever measures."""

    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


Worker = TypeVar("Worker", bound=StudyWorker)
Seen = TypeVar("Seen")


class StudyScreen(PanelScreen, Generic[Worker, Seen]):
    """`busy` says whether a training would be disturbed; `hush` pauses it.

    `begin` makes a worker, `look` what there is to see of it (none: it waits), and `show` hands that to the views.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "again", id="study.again", tooltip="Measure once more"),
        Binding("m", "measure", "begin now", id="study.measure", tooltip="Begin; a training that runs is paused for it"),
        Binding("escape,b", "back", "back", id="study.back", key_display="esc", tooltip="Out of the zoom, or back"),
    ]
    _line: ViewCanvas

    def __init__(
        self,
        busy: Callable[[], bool],
        hush: Callable[[], None],
        begin: Callable[[], Worker],
        look: Callable[[Worker | None], Seen],
        show: Callable[[Seen], None],
    ) -> None:
        super().__init__()
        self._busy, self._hush = busy, hush
        self._begin, self._look, self._show = begin, look, show
        self._worker: Worker | None = None
        self._leaving: Worker | None = None
        self._seen: Seen | None = None

    def on_mount(self) -> None:
        self.every(TICK, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def tick(self) -> None:
        """Begin when the machine is free, and show what is new."""
        # One that was asked to end is still at a step, and would disturb the next.
        if self._worker is None and not self._busy() and not (self._leaving and self._leaving.alive):
            self._worker = self._begin()
            self._worker.start()
            self.refresh_bindings()
        seen = self._look(self._worker)
        if seen != self._seen or not self._panels[0].canvas.lines:
            self._seen = seen
            self._show(seen)
            self.draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._worker is None if action == "measure" else True

    def action_again(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._leaving, self._worker = self._worker, None
        self.tick()

    def action_measure(self) -> None:
        self._hush()
        self.notify("the training is paused, and goes on once this page is left")
