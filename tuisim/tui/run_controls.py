"""The keys that control a run: the same on every page that shows one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from tuisim.engine import Control, Worker
from tuisim.engine.events import Snapshot, State
from tuisim.engine.speed_limits import next_rate, next_speed_limit
from tuisim.tui.messages import Reopened
from tuisim.tui.panels import PanelScreen

_STEP, _EPOCH, _SPEED, _RATE = (Binding.Group(words, compact=True) for words in ("step", "epoch", "speed", "learning rate"))


ACTIONS = ("prove", "move", "move_epoch", "toggle_pause", "single_step", "speed", "rate", "stop")


class RunControls(PanelScreen):
    """A page over a run in progress, or the last one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_pause", "pause", id="run.pause", tooltip="Pause or resume"),
        Binding("comma", "move(-1)", "step back", id="run.step_back", key_display=",", group=_STEP,
                tooltip="Pause and go back one step"),
        Binding("full_stop", "single_step", "step", id="run.step", key_display=".", group=_STEP,
                tooltip="Pause and make one step: in the past again, at the latest step a new one"),
        Binding("left_square_bracket", "speed(-1)", "slower", id="run.slower", key_display="[", group=_SPEED,
                tooltip="Slower: full speed, 100, 10, 1 steps/s, single steps"),
        Binding("right_square_bracket", "speed(1)", "faster", id="run.faster", key_display="]", group=_SPEED,
                tooltip="Faster: single steps, 1, 10, 100 steps/s, full speed"),
        Binding("minus", "rate(-1)", "lower rate", id="run.lower_rate", key_display="-", group=_RATE,
                tooltip="Lower the learning rate (1-2-5)"),
        Binding("plus,equals_sign", "rate(1)", "higher rate", id="run.higher_rate", key_display="+", group=_RATE,
                tooltip="Raise the learning rate (1-2-5)"),
        Binding("less_than_sign", "move_epoch(-1)", "epoch back", id="run.epoch_back", key_display="<", group=_EPOCH,
                tooltip="Pause and go back to the start of the epoch"),
        Binding("greater_than_sign", "move_epoch(1)", "epoch", id="run.epoch", key_display=">", group=_EPOCH,
                tooltip="Pause and go on to the end of the epoch"),
        Binding("P", "prove", "prove", id="run.prove", show=False,
                tooltip="Pause, replay the run from its start, and compare parameters and optimizer state byte by byte"),
        Binding("x", "stop", "stop", id="run.stop", tooltip="Stop the run; its results stay on the page"),
    ]  # fmt: skip
    _worker: Worker
    has_run = True
    """False if there is no run to control."""
    _rate: float | None = None
    """Requested and not yet seen: a second key press must not wait for the first one's snapshot."""
    _speed: tuple[float | None] | None = None
    _paused: bool | None = None
    _reopened: Worker | None = None
    """The run that was reopened last."""

    @property
    def run_status(self) -> State:
        """The state of the run."""
        snapshot = self._worker.snapshot
        return State.STARTING if snapshot is None else snapshot.state

    def follow_requests(self, snapshot: Snapshot) -> None:
        """Forget the requests that a snapshot shows as done."""
        if self._rate == snapshot.learning_rate:
            self._rate = None
        if self._speed == (snapshot.speed_limit,):
            self._speed = None
        if self._paused is (snapshot.state is State.PAUSED):
            self._paused = None

    def action_toggle_pause(self) -> None:
        """Pause or resume the run."""
        paused = self.run_status is State.PAUSED if self._paused is None else self._paused
        self._paused = not paused
        if paused:
            self._worker.control.resume()
        else:
            self._worker.control.pause("paused: space resumes, . trains one step")

    def action_single_step(self) -> None:
        """Train one step and pause."""
        self._paused = True
        self._worker.control.step()

    def action_move(self, steps: int) -> None:
        """Pause and go to an earlier step, also of a run that has ended."""
        self._move(steps=steps)

    def action_move_epoch(self, epochs: int) -> None:
        """Pause and go to an end of an epoch, back also in a run that has ended."""
        self._move(epochs=epochs)

    def action_prove(self) -> None:
        """Replay the run from its start and compare, also after its end."""
        self._go(Control.prove)

    def _move(self, *, epochs: int = 0, steps: int = 0) -> None:
        self._go(lambda control: control.move(epochs=epochs, steps=steps))

    def _go(self, request: Callable[[Control], None]) -> None:
        """Make a request that pauses; a run that has ended is reopened for it."""
        # A run that was just reopened still shows its end.
        if self.run_status.ended and not (self._worker is self._reopened and self._worker.is_alive):
            worker = None if self._worker.is_alive else self._worker.reopened()
            if worker is None:  # its last figures are still being measured, or it has kept no states
                return
            self._worker = self._reopened = worker
            request(worker.control)
            worker.start()
            self.post_message(Reopened(worker))
        else:
            request(self._worker.control)
        self._paused = True

    def action_speed(self, direction: int) -> None:
        """Set the next faster (+1) or slower (-1) speed limit."""
        snapshot = self._worker.snapshot
        limit = self._speed[0] if self._speed else snapshot.speed_limit if snapshot else None
        self._speed = (next_speed_limit(limit, direction),)
        self._worker.control.set_speed_limit(self._speed[0])

    def action_rate(self, direction: int) -> None:
        """Set the next higher (+1) or lower (-1) learning rate."""
        rate = self._rate or (self._worker.snapshot or self._worker.config.resolved()).learning_rate
        assert rate is not None
        self._rate = next_rate(rate, direction)
        self._worker.control.set_learning_rate(self._rate)

    def action_stop(self) -> None:
        """Stop the run."""
        self._worker.control.stop("stopped by user")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to control the run only until it has ended, and to go back only in one that keeps earlier states."""
        if action in ACTIONS and not self.has_run:
            return False
        if action in ("move", "prove") or (action == "move_epoch" and parameters == (-1,)):
            snapshot = self._worker.snapshot
            return snapshot is not None and snapshot.first is not None and self.run_status is not State.FAILED
        if action in ACTIONS:
            return not self.run_status.ended
        return super().check_action(action, parameters)
