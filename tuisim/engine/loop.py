"""The loop: chunks of steps, between them a look at what is wanted, and now and then a look at how it goes.

It never waits for whoever watches, and it waits for nothing else but a pause or a pace, on a condition.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable

from tuisim.engine import divergence, report
from tuisim.engine import memory_check as room
from tuisim.engine.control import Control, Orders
from tuisim.engine.events import Ended, Event, PaceChanged, Paused, RateChanged, Resumed, RunFailed, Snapshot, Started, State
from tuisim.engine.gradient_sample import SAMPLE_ROWS, Probe
from tuisim.engine.session import Session
from tuisim.engine.summary import Summary
from tuisim.engine.validation import Validation
from tuisim.errors import DeviceLost, MemoryNeeded, TuisimError
from tuisim.measure.peaks import Peaks, peaks_of

CHUNK_SECONDS = 0.010
"""Steps are made in chunks of about so long; what is wanted is looked at between them."""
MOST_STEPS = 8_192
PUBLISH_SECONDS = 0.08
"""A snapshot at most so often at full speed: a view that polls ten times a second always finds a new one."""
VALIDATION_SECONDS = 1.0
"""In an epoch longer than this, validation does not wait for its end."""
WATCHED_PACE = 20.0
"""Up to so many steps a second each step is published and probed: a person is looking at that very one."""


class Loop:
    """One run of a session."""

    def __init__(
        self, session: Session, emit: Callable[[Event | Snapshot], None] | None, control: Control, probing: bool
    ) -> None:
        self.session = session
        self.control = control
        self.state = State.STARTING
        self.message = ""
        self.pace: float | None = None
        self.peaks: Peaks | None = None
        self.device = ""
        self.ended: float | None = None
        self.full_speed_seconds = 0.0
        self.full_speed_steps = 0
        """Wall time and steps of the chunks made at full speed: what is projected from."""
        self.validation = Validation(session.network, session.data)
        self.probe = Probe(session.config, session.network, session.data.sample(SAMPLE_ROWS))
        self._emit = emit
        self._probing = probing and emit is not None
        self._chunk = 1
        self._due = 0.0
        self._publish_at = 0.0
        self._unpublished = False
        self._validated_at = 0.0

    def run(self) -> Summary:
        session = self.session
        with session.backend.threads(session.threads):
            self._tell(Started(session.config, session.notes))
            self.device = session.backend.device()
            if self._probing:
                self._publish()
                self.peaks = peaks_of(session.backend, session.config.dtype, session.threads)
            self._due = session.clock()
            self.state = State.TRAINING
            try:
                while not self.state.ended:
                    self._turn()
            except MemoryNeeded as error:
                self._fail(room.explained(error, session.config, running=True))
            except MemoryError:
                self._fail("out of memory: a smaller network or batch would fit")
            except TuisimError as error:
                self._fail(str(error), lost=isinstance(error, DeviceLost))
        return report.summary(self)

    # ── what is wanted ──

    def _turn(self) -> None:
        orders = self.control.take()
        self._obey(orders)
        if orders.stop is not None:
            self._end(orders.stop, orders.stop_reason)
        elif self.session.done:
            self._end(State.COMPLETED, "")
        elif orders.paused and not orders.single_steps:
            self._hold(orders.pause_reason)
        elif orders.paused:
            self._train(1, watched=True, probed=True)
            self.control.step_done()
        elif orders.pace:
            self._resume()
            self._keep_pace(orders.pace)
        else:
            self._resume()
            self._train(self._chunk, full_speed=True)
        if self.session.diverged is not None and not self.state.ended:
            self._end(State.DIVERGED, self.session.diverged)

    def _obey(self, orders: Orders) -> None:
        step = self.session.tally.steps
        if orders.learning_rate is not None:
            self.session.set_learning_rate(orders.learning_rate)
            self._tell(RateChanged(step, orders.learning_rate))
            self._unpublished = True
        if orders.pace != self.pace:
            self.pace = orders.pace
            self._due = self.session.clock()
            self._tell(PaceChanged(step, orders.pace))
            self._unpublished = True

    def _hold(self, reason: str) -> None:
        if self.state is not State.PAUSED or reason != self.message:
            self.state, self.message = State.PAUSED, reason
            self._tell(Paused(self.session.tally.steps, reason))
            self._unpublished = True
        self._publish_if(self._unpublished)
        start = self.session.clock()
        with self.control.while_paused():
            self.control.wait()
        self.session.paused_seconds += self.session.clock() - start

    def _resume(self) -> None:
        if self.state is State.PAUSED:
            self.state, self.message = State.TRAINING, ""
            self._due = self.session.clock()
            self._tell(Resumed(self.session.tally.steps))

    def _keep_pace(self, pace: float) -> None:
        wait = self._due - self.session.clock()
        if wait > 0:
            self._publish_if(self._unpublished and wait > PUBLISH_SECONDS / 4)
            self.control.wait(wait)
            return
        self._due = max(self._due + 1 / pace, self.session.clock() - 1 / pace)
        watched = pace <= WATCHED_PACE
        self._train(1, watched=watched, probed=watched and self.probe.cheap(1 / pace))

    # ── training and looking ──

    def _train(self, steps: int, *, full_speed: bool = False, watched: bool = False, probed: bool = False) -> None:
        """Some steps: `watched` has a snapshot made after them, `probed` the gradients looked at whatever the interval."""
        session = self.session
        epochs, begun, first = session.tally.epochs, session.clock(), session.tally.steps
        if self._probing and (probed or self.probe.due(begun)):
            self._probed_step(full_speed)
            steps -= 1
        if steps:
            before, start = session.tally.steps, session.clock()
            session.advance(steps, full_speed=full_speed)
            self._pick_chunk(session.tally.steps - before, session.clock() - start)
        if session.diverged is None:
            self._validate_if_due(epoch_ended=session.tally.epochs > epochs)
        self._unpublished = True
        if full_speed:
            self.full_speed_seconds += session.clock() - begun
            self.full_speed_steps += session.tally.steps - first
        self._publish_if(watched or session.clock() >= self._publish_at)

    def _pick_chunk(self, steps: int, seconds: float) -> None:
        """Towards CHUNK_SECONDS, at most doubling, so that one odd measurement does little."""
        if steps == self._chunk and seconds > 0:
            self._chunk = max(1, min(MOST_STEPS, 2 * self._chunk, round(steps * CHUNK_SECONDS / seconds)))

    def _probed_step(self, full_speed: bool) -> None:
        session, clock = self.session, self.session.clock
        start = clock()
        before = self.probe.before()
        copied = clock()
        session.advance(1, full_speed=full_speed)
        stepped = clock()
        if session.diverged is None:
            self.probe.look(before, session.tally.steps)
        end = clock()
        self.probe.paid(end, (copied - start) + (end - stepped))

    def _validate_if_due(self, epoch_ended: bool) -> None:
        trained = self.training_seconds
        waited = trained - self._validated_at >= VALIDATION_SECONDS
        if (epoch_ended or waited) and self.validation.due(trained):
            self._validate(lambda: self.control.pending)

    def _validate(self, give_way: Callable[[], bool] = lambda: False) -> None:
        clock = self.session.clock
        start = clock()
        measured = self.validation.measure(self.session.tally.steps, give_way)
        self.validation.paid(clock() - start)
        if not measured:
            return
        self._validated_at = self.training_seconds
        figures = self.validation
        self.session.history.validation.append(
            self.session.tally.steps, figures.loss, figures.accuracy, figures.training_accuracy
        )

    # ── telling ──

    @property
    def wall_seconds(self) -> float:
        """Since the first batch of the session, pauses too."""
        if self.session.started is None:
            return 0.0
        return (self.session.clock() if self.ended is None else self.ended) - self.session.started

    @property
    def training_seconds(self) -> float:
        return self.wall_seconds - self.session.paused_seconds

    def _end(self, state: State, message: str) -> None:
        """Said at once; then the last figures, which may take longer than anyone should wait to be told."""
        steps = self.session.tally.steps
        self.state, self.message = state, message
        self._publish_if(True)
        if state is not State.DIVERGED and steps and self.validation.step != steps:
            self._validate()
        self._notice_divergence()
        self.ended = self.session.clock()
        self._publish_if(True)
        self._tell(Ended(self.state, steps, self.message))

    def _notice_divergence(self) -> None:
        """The last update may have been the one too many, with no step after it to show."""
        loss = self.validation.loss
        if self.state is not State.DIVERGED and loss is not None and not math.isfinite(loss):
            self.state = State.DIVERGED
            self.message = divergence.locate(self.session.network.full, self.session.tally.steps + 1)

    def _fail(self, message: str, *, lost: bool = False) -> None:
        """A run that cannot go on keeps what it has and says why."""
        self.state, self.message, self.ended = State.FAILED, message, self.session.clock()
        self._publish_if(True)
        self._tell(RunFailed(self.session.tally.steps, message, traceback.format_exc(), lost))

    def _tell(self, event: Event) -> None:
        if self._emit is not None:
            self._emit(event)

    def _publish_if(self, wanted: bool) -> None:
        if wanted and self._emit is not None:
            self._publish()

    def _publish(self) -> None:
        assert self._emit is not None
        self._emit(report.snapshot(self))
        self._publish_at = self.session.clock() + PUBLISH_SECONDS
        self._unpublished = False
