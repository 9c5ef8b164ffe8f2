"""The time machine: states of a run kept in memory, and the replay of the steps between them."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from operator import attrgetter

from tuisim.engine.events import Branch, Change, Curves
from tuisim.engine.run_state import RunState
from tuisim.engine.session import Session
from tuisim.errors import RunError

MAX_BYTES = 256 << 20
"""Memory of the kept states; a network that needs half of it for one state keeps none."""
MAX_STATES = 256
REPLAY_SECONDS = 0.05
"""Time of the steps between two states at the start of a run; it doubles whenever the states are thinned out."""
CAPTURE_SHARE = 0.01
"""Maximum share of the training time that capturing states takes."""
CHUNK_SECONDS = 0.02
"""Target duration of a chunk of replayed steps, between which a replay can be cancelled."""


def can_keep(session: Session, max_bytes: int = MAX_BYTES) -> bool:
    """Return True if the network is small enough that two of its states may be kept."""
    return 2 * session.network.state_bytes <= max_bytes


class Timeline:
    """The past of a session. The head is the latest step made; the session may stand at any step up to it.

    States are kept at intervals of the step time, thinned out when there are too many, so that they stay evenly spaced: the
    longest replay is about the step time of the run over MAX_STATES / 2.
    """

    def __init__(
        self, session: Session, set_threads: Callable[[int], None] = lambda _: None, *, max_bytes: int = MAX_BYTES
    ) -> None:
        """`set_threads` limits BLAS as a change in the past did."""
        self._session, self._set_threads = session, set_threads
        self._interval = REPLAY_SECONDS
        self._states: list[RunState] = []
        self._head: RunState | None = None
        self._max_bytes = max_bytes
        self._captures = 0
        self.capture_seconds = 0.0
        """Time spent on capturing states."""
        self.changes: list[Change] = []
        """In the order of their steps."""
        self.branches: list[Branch] = []
        """Futures that were left, oldest first."""
        self._states.append(self._capture())
        self._trained: RunState | None = None
        """The state at the end as trained, if the run then took the parameters of its best check."""

    @property
    def step(self) -> int:
        """The step at which the session stands."""
        return self._session.tally.steps

    @property
    def first(self) -> int:
        """The earliest step to go to."""
        return self._states[0].step

    @property
    def head(self) -> int:
        """The latest step made."""
        return self.step if self._head is None else self._head.step

    @property
    def is_past(self) -> bool:
        """True if the session stands before the head."""
        return self._head is not None

    @property
    def nbytes(self) -> int:
        """The memory of the kept states in bytes."""
        return sum(state.nbytes for state in self._states)

    @property
    def curves(self) -> Curves:
        """The history up to the head."""
        return (self._session if self._head is None else self._head).history.curves()

    def keep(self) -> None:
        """Keep the state at the head if enough was trained since the latest one; to be called between chunks of steps."""
        seconds, latest = self._session.tally.seconds, self._states[-1]
        trained = seconds - latest.tally.seconds
        cost = self.capture_seconds / self._captures
        if self._head is not None or self.step == latest.step or trained < max(self._interval, cost / CAPTURE_SHARE):
            return
        if self._session.divergence is not None:
            return
        self._states.append(self._capture())
        while len(self._states) > MAX_STATES or (len(self._states) > 1 and self.nbytes > self._max_bytes):
            self._states = self._states[::2]
            self._interval *= 2

    def change(self, *, learning_rate: float | None = None, threads: int | None = None) -> None:
        """Record a change that applies from the present step on; in the past it begins a branch."""
        if self._head is not None:
            self._branch()
        self.changes.append(Change(self.step, learning_rate, threads))

    def seek(
        self, step: int, is_cancelled: Callable[[], bool] = lambda: False, report: Callable[[int, int], None] = lambda *_: None
    ) -> bool:
        """Go to `step`, from the first state to the head, which restores it bit for bit.

        Returns False if cancelled on the way, at an earlier step. `report` is called with the steps replayed so far and all
        that are to be replayed. Raises ValueError for a step outside the run.
        """
        if not self.first <= step <= self.head:
            raise ValueError(f"step {step:,} of a run of {self.head:,}")
        if self._head is not None and step == self._head.step:
            self._restore(self._head)
            self._head = None
            return True
        if step == self.step:
            return True
        if self._head is None:
            self._head = self._capture(gradients=True)
        # From a state before the step, not at it: the last step replayed leaves its gradients and activations.
        nearest = self._states[max(0, bisect.bisect_left(self._states, step, key=attrgetter("step")) - 1)]
        if not nearest.step <= self.step < step:
            self._restore(nearest)
        return self._replay(step, is_cancelled, report)

    def repeat_step(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        """Make the latest step again, and call `before` and `after` at the states around it. Raises ValueError at the first."""
        step = self.step
        self.seek(step - 1)
        before()
        self._replay(step, lambda: False, lambda *_: None)
        after()
        self.seek(step)

    def keep_trained(self) -> None:
        """Keep the state as trained, before the run takes the parameters of its best check."""
        self._trained = self._capture()

    def prove(
        self, is_cancelled: Callable[[], bool] = lambda: False, report: Callable[[int, int], None] = lambda *_: None
    ) -> bool | None:
        """Replay all steps from the first state to the present one, where the session stands afterwards.

        Returns True if parameters and optimizer state have the same bytes as before; None if cancelled.
        """
        step, now = self.step, self._capture(gradients=True)
        trained = self._trained if self._trained is not None and self._trained.step == step else now
        self._restore(self._states[0])
        is_whole = self._replay(step, is_cancelled, report)
        found = self._session.capture().arrays if is_whole else {}
        self._restore(now)
        if not is_whole:
            return None
        return all(array.tobytes() == trained.arrays[name].tobytes() for name, array in found.items())

    def _replay(self, step: int, is_cancelled: Callable[[], bool], report: Callable[[int, int], None]) -> bool:
        session, first, chunk = self._session, self.step, 1
        ahead = [change for change in self.changes if change.step >= first]
        while self.step < step:
            while ahead and ahead[0].step == self.step:
                self._apply(ahead.pop(0))
            before, start = self.step, session.clock()
            end = min(step, before + chunk, ahead[0].step if ahead else step)
            session.advance(end - before, past_the_end=True)
            seconds = session.clock() - start
            if self.step != end:
                raise RunError(f"the replay differs from the run after step {self.step:,}: {session.divergence}")
            if seconds > 0:
                chunk = max(1, min(2 * chunk, round((self.step - before) * CHUNK_SECONDS / seconds)))
            report(self.step - first, step - first)
            if self.step < step and is_cancelled():
                return False
        return True

    def _apply(self, change: Change) -> None:
        if change.learning_rate not in (None, self._session.learning_rate):
            self._session.set_learning_rate(change.learning_rate)
        if change.threads not in (None, self._session.threads):
            self._session.threads = change.threads
            self._set_threads(change.threads)

    def _restore(self, state: RunState) -> None:
        if state.threads != self._session.threads:
            self._set_threads(state.threads)
        self._session.restore(state)

    def _branch(self) -> None:
        """Leave the future: the session's step becomes the head."""
        assert self._head is not None
        self.branches.append(Branch(self.step, self._head.history.curves(), tuple(self.changes)))
        self._session.history.take_samples(self._head.history, self.step)
        self._states = [state for state in self._states if state.step <= self.step]
        self.changes = [change for change in self.changes if change.step < self.step]
        self._head = None

    def _capture(self, *, gradients: bool = False) -> RunState:
        start = self._session.clock()
        state = self._session.capture(gradients=gradients)
        self._captures += 1
        self.capture_seconds += self._session.clock() - start
        return state
