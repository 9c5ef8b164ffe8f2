"""The screen that the pages of Inspect share: it looks at the run in progress, or at the last one, and controls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic, thread_time
from typing import Any

from tuisim.config import RunConfig
from tuisim.engine import Control
from tuisim.engine.events import Snapshot, State
from tuisim.engine.look import MIN_INTERVAL, Look
from tuisim.features.inspect.state import Inspected, header
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.run_controls import RunControls

TICK = 0.1
"""Seconds between two looks for something new to show."""
SHARE = 0.03
"""Maximum share of a core for drawing what is read of a run in progress."""
NO_RUN = "no run yet: F5 starts the run in the form, F4 shows it here"
NEEDS_STEP = "this page shows a step while it is made: . makes one"
NOT_KEPT = "nothing is kept of a network this large after its run: inspect it during a run"


class InspectScreen(RunControls):
    """A subclass makes the look for what was chosen with `make_look`, and says with `unfit` which runs it cannot show."""

    DEFAULT_CSS = """
    InspectScreen { layout: grid; grid-size: 1 3; grid-rows: 1 1fr 1; }
    InspectScreen > ViewCanvas { background: $panel; }
    InspectScreen KeyLine { dock: none; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012
    AUTO_FOCUS = ""

    def __init__(self, context: PageContext, panels: Sequence[Panel], chosen: Any = None) -> None:
        """`chosen` is what is looked at first."""
        super().__init__()
        self.context = context
        self.has_run = context.run is not None
        if context.run is not None:
            self._worker = context.run
        self._look: Look | None = None
        self._line = ViewCanvas(header)
        self._panels = tuple(panels)
        self.chosen = chosen
        self.state = Inspected(type(self).TITLE or "", (context.run_config or context.config).resolved())
        self._has_controls: object = None
        self._has_drawn, self._spent = False, thread_time()
        self._draw_at, self._interval = 0.0, MIN_INTERVAL

    def make_look(self, config: RunConfig) -> Look:
        """Return a look for what is chosen now; `config` is the run's, with what the data have decided."""
        raise NotImplementedError

    def unfit(self, config: RunConfig) -> str:
        """Return why such a run cannot be shown; empty if it can."""
        return ""

    @property
    def run_status(self) -> State:
        """The state of the run; stopped if there is none."""
        return super().run_status if self.has_run else State.STOPPED

    def on_mount(self) -> None:
        """Begin to look."""
        self.every(TICK, self.tick)
        self.call_after_refresh(self.tick)

    def on_unmount(self) -> None:
        """Look no more."""
        if self.has_run and self._look is not None:
            self._worker.control.stop_looking(self._look)

    def choose(self, chosen: Any) -> None:
        """Look at something else."""
        self.chosen, self._look = chosen, None
        self.tick()

    def tick(self) -> None:
        """Ask for a look, and show what it has found."""
        state, before = self._now(), self.state
        spent, self._spent = thread_time() - self._spent, thread_time()
        if self._has_drawn:  # what was drawn has reached the terminal since
            self._interval = max(MIN_INTERVAL, spent / SHARE)
            self._draw_at = monotonic() + self._interval - TICK
            self._has_drawn = False
        is_asked = (state.words, state.chosen) != (before.words, before.chosen) or before.snapshot is None
        is_early = self.run_status is State.TRAINING and monotonic() < self._draw_at
        if is_early and not is_asked:
            state = replace(state, found=before.found, step=before.step)
        self.state = state
        if is_asked or state.found is not before.found:
            self.show(state)
            self._has_drawn = True
        elif state != before:  # the panels show what was read, the header also how the run goes on
            self._line.offer(state)
            self._line.draw()
        controls = (self.run_status, state.snapshot is None)
        if controls != self._has_controls:
            self._has_controls = controls
            self.refresh_bindings()

    def _now(self) -> Inspected:
        state = replace(self.state, chosen=self.chosen, words="")
        if not self.has_run:
            return replace(state, words=NO_RUN)
        snapshot = self._worker.snapshot
        if snapshot is None or snapshot.state is State.STARTING:
            return replace(state, words="the run is starting")
        self.follow_requests(snapshot)
        state = replace(state, config=snapshot.config, snapshot=snapshot)
        if why := self.unfit(snapshot.config):
            return replace(state, words=why)
        return self._looked(state, snapshot)

    def _looked(self, state: Inspected, snapshot: Snapshot) -> Inspected:
        """Return the state with the latest reading; what was read before stays until there is a new one."""
        look = self._look
        if look is None:
            look = self._look = self.make_look(snapshot.config)
            self._worker.look(look)
        elif look.seen is None and not self._worker.is_alive:
            self._worker.look(look)
        seen = look.seen
        if seen is None:
            ended = snapshot.state.ended and not self._worker.can_look and not self._worker.is_alive
            if ended:
                return replace(state, found=None, words=NOT_KEPT)
            if look.needs_step and snapshot.state is State.PAUSED and snapshot.first in (None, snapshot.step):
                return replace(state, found=None, words=NEEDS_STEP)
            return replace(state, words="" if state.found else "reading")
        return replace(state, found=seen.found, step=seen.step, words=seen.failure, interval=max(look.interval, self._interval))

    def _go(self, request: Callable[[Control], None]) -> None:
        """Make a request that pauses, and look at the run if it was reopened for it."""
        super()._go(request)
        self._look_again()

    def _look_again(self) -> None:
        """Look at the run that was reopened."""
        if self._look is not None:
            self._worker.look(self._look)
