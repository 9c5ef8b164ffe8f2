"""The training loop: chunks of steps, and between them control, validation, gradient samples, events and snapshots.

It never waits for a screen; it waits only while paused or throttled, on a condition.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tuisim.engine import memory_check
from tuisim.engine.control import Control, ControlState, Seek
from tuisim.engine.early_stopping import EarlyStopping
from tuisim.engine.events import (
    Branched,
    Ended,
    Event,
    LearningRateChanged,
    Paused,
    Resumed,
    RunFailed,
    Snapshot,
    SpeedLimitChanged,
    Started,
    State,
    ThreadsChanged,
)  # fmt: skip
from tuisim.engine.gradient_sample import QUIET_SHARE, SAMPLE_ROWS, SHARE, GradientSampler
from tuisim.engine.health.monitor import HealthMonitor
from tuisim.engine.health.thread_watch import ThreadWatch
from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.engine.summary import Summary
from tuisim.engine.timeline import Timeline, can_keep
from tuisim.engine.validation import Validation
from tuisim.errors import OUT_OF_MEMORY, DeviceLost, MemoryNeeded, TuisimError
from tuisim.measure.peaks import Peaks, peaks_of
from tuisim.store.log import log_file
from tuisim.units import duration

log = logging.getLogger(__name__)

CHUNK_SECONDS = 0.010
"""Target duration of a chunk of steps; control is read between chunks."""
MAX_STEPS = 8_192
"""Maximum steps of a chunk."""
PUBLISH_SECONDS = 0.08
"""Minimum interval of snapshots at full speed: a view that polls ten times per second always finds a new one."""
VALIDATION_SECONDS = 1.0
"""In an epoch longer than this, validation does not wait for its end."""
MAX_WATCHED_SPEED = 20.0
"""Steps per second up to which each step is published with its gradient sample."""


class Loop:
    """One run of a session.

    `emit` gets its events and snapshots. An `instrumented` run is shown on a screen: it takes more gradient samples, keeps
    earlier states to return to, and measures the machine's peaks before it begins.
    """

    def __init__(
        self, session: Session, emit: Callable[[Event | Snapshot], None] | None, control: Control, instrumented: bool
    ) -> None:
        self.session, self.control = session, control
        self.state = State.STARTING
        self.message = ""
        self.speed_limit: float | None = None
        self.peaks: Peaks | None = None
        self.device = ""
        self._proof = ""
        """What a replay from the start has shown; a complete run stays paused while it is read."""
        self._ended_at: float | None = None
        self.validation = Validation(session.network, session.data)
        per_epoch, has_validation = -(-session.data.examples // session.batch), session.data.validation is not None
        self.early_stopping = EarlyStopping(session.network, session.config, per_epoch, has_validation)
        self._emit_to = emit
        self._instrumented = instrumented and emit is not None
        share = SHARE if self._instrumented else QUIET_SHARE
        self.gradients = GradientSampler(session.config, session.network, session.data.sample(SAMPLE_ROWS), share)
        self.health = HealthMonitor(session, self.validation, self.gradients)
        self.thread_watch = ThreadWatch(session.config, session.batch)
        self.look_at: Look | None = None
        """What a page reads of the run."""
        self.timeline: Timeline | None = None
        """None for a run that is not shown, and for a network too large to keep earlier states of."""
        self._thread_limit = ExitStack()
        self._full_speed_seconds, self._full_speed_steps = 0.0, 0
        self._chunk = 1
        self._due = 0.0
        self._publish_at = 0.0
        self._is_unpublished = False
        self._validated_at = 0.0

    def run(self) -> Summary:
        """Train until the run ends; return its summary."""
        session = self.session
        with self._thread_limit:
            self._thread_limit.enter_context(session.backend.threads(session.threads))
            self._emit(Started(session.config, session.notes))
            self.device = session.backend.device()
            if self._instrumented:
                self._publish()
                with session.stages.stage("peaks"):
                    self.peaks = peaks_of(session.backend, session.config.dtype, session.threads)
                if can_keep(session):
                    self.timeline = Timeline(session, self._limit_threads)
            self._due = session.clock()
            if not self._instrumented:
                self.gradients.delay(self._due)
            self.state = State.TRAINING
            self._go_on()
        return self.summary()

    def reopen(self, emit: Callable[[Event | Snapshot], None], control: Control) -> Summary:
        """Go on with a run that has ended, paused at first; return its summary when it ends again."""
        session = self.session
        assert self._ended_at is not None
        session.paused_seconds += session.clock() - self._ended_at
        self._emit_to, self.control, self._ended_at = emit, control, None
        self.state, self.message = State.PAUSED, ""
        with self._thread_limit:
            self._limit_threads(session.threads)
            self._go_on()
        return self.summary()

    def _go_on(self) -> None:
        """Train until the run ends, however it ends."""
        session = self.session
        self.thread_watch.watch(session.threads, session.tally.steps, session.tally.seconds)
        try:
            while not self.state.ended:
                self._iterate()
        except MemoryNeeded as error:
            self._fail(memory_check.explain(error, session.config, is_running=True))
        except MemoryError:
            self._fail(OUT_OF_MEMORY)
        except TuisimError as error:
            self._fail(str(error), device_lost=isinstance(error, DeviceLost))

    # ── control ──

    def _iterate(self) -> None:
        state = self.control.take()
        self._apply_control(state)
        self._look_at(state)
        if state.stop is not None:
            self._end(state.stop, state.stop_reason)
        elif state.seek is not None:
            self._seek(state.seek)
        elif state.prove:
            self._prove()
        elif self._is_complete and not (self._proof and state.is_paused and state.pause_reason == self._proof):
            self._end(State.COMPLETED, "")
        elif state.is_paused and not state.single_steps:
            self._wait_paused(state.pause_reason)
        elif state.is_paused:
            self._train(1, publish=True, sample=True)
            self.control.count_single_step()
        elif state.speed_limit:
            self._resume()
            self._train_throttled(state.speed_limit)
        else:
            self._resume()
            self._train(self._chunk, full_speed=True)
        if self.session.divergence is not None and not self.state.ended:
            self._end(State.DIVERGED, self.session.divergence)

    @property
    def _is_complete(self) -> bool:
        """True if no step is left to make: all epochs are done, or early stopping ends the run."""
        if self.is_past:
            return False
        return self.session.is_done or self.early_stopping.is_exhausted(self.session.tally.steps)

    def _apply_control(self, state: ControlState) -> None:
        step = self.session.tally.steps
        if state.learning_rate is not None:
            self._record_change(learning_rate=state.learning_rate)
            self.session.set_learning_rate(state.learning_rate)
            self._emit(LearningRateChanged(step, state.learning_rate))
            self._is_unpublished = True
        if state.threads is not None:
            self._set_threads(state.threads)
        if state.speed_limit != self.speed_limit:
            self.speed_limit = state.speed_limit
            self._due = self.session.clock()
            self._emit(SpeedLimitChanged(step, state.speed_limit))
            self._is_unpublished = True

    def _look_at(self, state: ControlState) -> None:
        """Take the look that was asked for, if it is due. One that needs a step waits for the next, or repeats one in a pause."""
        self.look_at = look = state.look
        if look is None or state.seek is not None or self.session.started is None:
            return
        is_still = state.is_paused and not state.single_steps
        now = None if is_still else self.session.clock()
        if (is_still or not look.needs_step) and look.is_due(self.session.tally.steps, now):
            self.take_look(look)

    def take_look(self, look: Look) -> None:
        """Take a look at the present state, while no step is being made; one that needs a step repeats the latest."""
        session, timeline = self.session, self.timeline
        start = session.clock()
        if not look.needs_step:
            look.take(session)
        elif timeline is not None and session.tally.steps > timeline.first:
            timeline.repeat_step(lambda: look.prepare(session), lambda: look.take(session))
        self.gradients.seconds += session.clock() - start

    def _set_threads(self, threads: int) -> None:
        session = self.session
        self._record_change(threads=threads)
        session.threads = threads
        self._limit_threads(threads)
        self.thread_watch.watch(threads, session.tally.steps, session.tally.seconds)
        self.health.thread_trial = None
        self.health.judge()
        self._emit(ThreadsChanged(session.tally.steps, threads))
        self._is_unpublished = True

    def _limit_threads(self, threads: int) -> None:
        self._thread_limit.enter_context(self.session.backend.threads(threads))  # the newest limit applies
        self.device = self.session.backend.device()

    def _record_change(self, *, learning_rate: float | None = None, threads: int | None = None) -> None:
        """Record a change for replays; in the past it begins a branch."""
        timeline = self.timeline
        if timeline is None:
            return
        head, is_past = timeline.head, timeline.is_past
        timeline.change(learning_rate=learning_rate, threads=threads)
        if is_past:
            self.early_stopping.forget_after(timeline.step)
            self._emit(Branched(timeline.step, head))

    def _pause(self, reason: str) -> None:
        if self.state is not State.PAUSED or reason != self.message:
            self.state, self.message = State.PAUSED, reason
            self._emit(Paused(self.session.tally.steps, reason))
            self._is_unpublished = True

    def _wait_paused(self, reason: str) -> None:
        self._pause(reason)
        if self._is_unpublished:
            self._publish()
        start = self.session.clock()
        with self.control.while_paused():
            self.control.wait()
        self.session.paused_seconds += self.session.clock() - start

    def _resume(self) -> None:
        if self.state is State.PAUSED:
            self.state, self.message = State.TRAINING, ""
            self._due = self.session.clock()
            self._emit(Resumed(self.session.tally.steps))

    def _train_throttled(self, speed_limit: float) -> None:
        wait = self._due - self.session.clock()
        if wait > 0:
            if self._is_unpublished and wait > PUBLISH_SECONDS / 4:
                self._publish()
            self.control.wait(wait)
            return
        self._due = max(self._due + 1 / speed_limit, self.session.clock() - 1 / speed_limit)
        is_watched = speed_limit <= MAX_WATCHED_SPEED
        self._train(1, publish=is_watched, sample=is_watched and self.gradients.is_cheap(1 / speed_limit))

    # ── earlier steps ──

    @property
    def is_past(self) -> bool:
        """True if the run stands at an earlier step than its latest."""
        return self.timeline is not None and self.timeline.is_past

    def _seek(self, seek: Seek) -> None:
        """Go to another step: replay those that were made, train those that were not; another request ends it early."""
        self._pause("")
        start = trained = self.session.clock()
        target = self._target(seek)
        if self.timeline is not None:
            first, head = self.timeline.first, self.timeline.head
            self.timeline.seek(max(first, min(target, head)), lambda: self.control.is_pending, self._report_replay)
            trained = self.session.clock()
            self._look()
        self.session.paused_seconds += trained - start
        while not self.is_past and self.session.tally.steps < target and not self.control.is_pending:
            if self._is_complete or self.session.divergence is not None:
                return
            self._resume()
            self._train(min(self._chunk, target - self.session.tally.steps))
        self._pause("")
        self._publish()

    def _prove(self) -> None:
        """Replay the run from its start, and say whether parameters and optimizer state have the same bytes."""
        self._pause("")
        if self.timeline is None:
            return
        start, step, first = self.session.clock(), self.session.tally.steps, self.timeline.first
        same = self.timeline.prove(lambda: self.control.is_pending, self._report_replay)
        seconds = self.session.clock() - start
        self.session.paused_seconds += seconds
        verdict = "the same bytes" if same else "the bytes differ"
        words = f"replayed {step - first:,} steps from step {first:,} in {duration(seconds)}: {verdict}"
        self._proof = "the replay was interrupted" if same is None else words
        self.control.pause(self._proof)

    def _target(self, seek: Seek) -> int:
        """Return the step that a request asks for, which may be outside the run."""
        session, step = self.session, self.session.tally.steps if seek.step is None else seek.step
        if seek.epochs:
            per_epoch = -(-session.data.examples // session.batch)
            # From within an epoch, one epoch back is its start, and one on is its end.
            step = (-(-step // per_epoch) + seek.epochs if seek.epochs < 0 else step // per_epoch + seek.epochs) * per_epoch
        step += seek.steps
        return step if session.total_steps is None else min(step, session.total_steps)

    def _report_replay(self, done: int, steps: int) -> None:
        """Publish the progress of a replay that takes its time."""
        self.message = f"replaying: {done:,} of {steps:,} steps"
        if self.session.clock() >= self._publish_at:
            self._publish()

    def _replay(self, steps: int, *, publish: bool, sample: bool) -> None:
        """Make steps of the past again."""
        assert self.timeline is not None
        self.timeline.seek(min(self.timeline.step + steps, self.timeline.head))
        if sample or self.gradients.is_due(self.session.clock()):
            self._look()
        self._is_unpublished = True
        if publish or self.session.clock() >= self._publish_at:
            self._publish()

    def _look(self) -> None:
        """Measure gradients and validation figures at the present step of the past, unless there is another request."""
        clock, step = self.session.clock, self.session.tally.steps
        start = clock()
        if step:
            self.gradients.sample_standing(step)
        end = clock()
        self.gradients.add_cost(end, end - start)
        if not self._measure(lambda: self.control.is_pending):
            self.validation.forget()

    # ── training and measuring ──

    def _train(self, steps: int, *, full_speed: bool = False, publish: bool = False, sample: bool = False) -> None:
        """Make some steps; with `publish` or `sample`, publish or take a gradient sample before it is due."""
        if self.is_past:
            self._replay(steps, publish=publish, sample=sample)
            return
        session = self.session
        epochs, begun, first = session.tally.epochs, session.clock(), session.tally.steps
        steps = self.early_stopping.limit(steps, first)
        look = self.look_at
        if look is not None and not (look.needs_step and look.is_due(first, begun)):
            look = None
        if sample or self.gradients.is_due(begun):
            self._step_with_sample(full_speed, look)
            steps -= 1
        elif look is not None:
            self._step_with_look(full_speed, look)
            steps -= 1
        left, ends = session.steps_left, False
        if left is not None and 0 < left <= steps:  # the last step is made by itself, with a sample
            steps, ends = left - 1, True
        if steps:
            before, start = session.tally.steps, session.clock()
            session.advance(steps, full_speed=full_speed)
            made, seconds = session.tally.steps - before, session.clock() - start
            if made == self._chunk and seconds > 0:  # at most doubled, so that one outlier has little effect
                self._chunk = max(1, min(MAX_STEPS, 2 * made, round(made * CHUNK_SECONDS / seconds)))
        if ends and session.divergence is None:
            self._step_with_sample(full_speed)
        trained = self.training_seconds
        is_time = session.tally.epochs > epochs or trained - self._validated_at >= VALIDATION_SECONDS
        if session.divergence is None and self.early_stopping.is_due(session.tally.steps):
            self._check()
        elif session.divergence is None and is_time and self.validation.is_due(trained):
            self._validate(lambda: self.control.is_pending)
        if self.timeline is not None:
            self.timeline.keep()
        if session.divergence is None and full_speed and self.thread_watch.is_due(begun - (session.started or begun)):
            self._watch_threads()
        self._is_unpublished = True
        if full_speed:
            self._full_speed_seconds += session.clock() - begun
            self._full_speed_steps += session.tally.steps - first
        if publish or session.clock() >= self._publish_at:
            self._publish()

    def _step_with_look(self, full_speed: bool, look: Look | None) -> None:
        """Make one step, and take a look around it."""
        if look is None:
            self.session.advance(1, full_speed=full_speed)
            return
        look.prepare(self.session)
        self.session.advance(1, full_speed=full_speed)
        look.take(self.session)
        self.gradients.seconds += look.cost

    def _step_with_sample(self, full_speed: bool, look: Look | None = None) -> None:
        """Make one step with a gradient sample, and judge the run by it; the time of the copies is the sample's cost."""
        session, clock = self.session, self.session.clock
        start = clock()
        before = self.gradients.read_parameters()
        copied = clock()
        self._step_with_look(full_speed, look)
        stepped = clock()
        if session.divergence is None:
            self.gradients.sample(before, session.tally.steps)
            self.health.judge()
        end = clock()
        self.gradients.add_cost(end, (copied - start) + (end - stepped))

    def _watch_threads(self) -> None:
        """Check the cores; a trial with fewer threads is judged and published at once."""
        session, start = self.session, self.session.clock()
        trial = self.thread_watch.check(self.wall_seconds, session.tally.steps, session.tally.seconds)
        if trial is not None:
            self.health.thread_trial = trial
            self.health.judge()
            self._publish_at = 0.0
        self.gradients.seconds += session.clock() - start

    def _validate(self, is_cancelled: Callable[[], bool] = lambda: False) -> None:
        """Measure the validation figures and keep them in the history, unless it was cancelled."""
        if self._measure(is_cancelled):
            self._validated_at = self.training_seconds
            figures, steps = self.validation.figures, self.session.tally.steps
            self.session.history.validation.append(steps, figures.loss, figures.accuracy, self.validation.training_accuracy)

    def _measure(self, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Measure the figures with the present parameters; False if it was cancelled."""
        start = self.session.clock()
        is_measured = self.validation.measure(self.session.tally.steps, is_cancelled)
        self.validation.add_cost(self.session.clock() - start)
        return is_measured

    def _check(self) -> None:
        """Measure the validation loss and pass it to early stopping."""
        self._validate()
        self.early_stopping.check(self.session.tally.steps, self.validation.figures.loss)

    # ── the end ──

    def _end(self, state: State, message: str) -> None:
        """Publish the end at once, then measure validation, which may take a while, and publish the final figures."""
        if self.timeline is not None:
            self.timeline.seek(self.timeline.head)
        session, steps = self.session, self.session.tally.steps
        self.state, self.message = state, message
        self._publish()
        if state is not State.DIVERGED and steps and self.validation.step != steps:
            self._validate()
        if state is State.COMPLETED:
            self.early_stopping.check(steps, self.validation.figures.loss)
            if self.timeline is not None:
                self.timeline.keep_trained()
            if self.early_stopping.restore(steps):
                self.message = self._words_on_best(steps)
                self._measure()
        if self.state is not State.DIVERGED and not self.validation.is_finite:
            # The last update made the parameters too large, and no step followed to show it.
            session.divergence = session.network.locate_divergence(session.network.full, steps + 1)
            self.state, self.message = State.DIVERGED, session.divergence
        if steps:
            self._read_health()
        self._ended_at = session.clock()
        self._publish()
        self._emit(Ended(self.state, steps, self.message))

    def _words_on_best(self, steps: int) -> str:
        """Return the message of a run that ended after `steps` steps with the weights of its best check."""
        kept = f"the weights of step {self.early_stopping.best_step:,} of {steps:,}, the best validation loss"
        if self.session.is_done:
            return f"with {kept}"
        return f"early: {self.session.config.patience} checks without improvement; has {kept}"

    def _read_health(self) -> None:
        """Sample the gradients of the last step, unless they were sampled, and judge the run at its end."""
        start = self.session.clock()
        self.gradients.sample_standing(self.session.tally.steps)
        self.health.judge()
        self.gradients.seconds += self.session.clock() - start

    def _fail(self, message: str, *, device_lost: bool = False) -> None:
        """End a run that cannot go on, with the figures so far."""
        steps = self.session.tally.steps
        # The traceback as text: its frames would keep device arrays alive.
        log.error("the run failed at step %d: %s\n%s", steps, message, traceback.format_exc())
        self.state, self.message, self._ended_at = State.FAILED, message, self.session.clock()
        self._publish()
        self._emit(RunFailed(steps, message, device_lost, log_file()))

    # ── publishing ──

    @property
    def wall_seconds(self) -> float:
        """Seconds since the first batch of the session, with pauses."""
        if self.session.started is None:
            return 0.0
        return (self.session.clock() if self._ended_at is None else self._ended_at) - self.session.started

    @property
    def training_seconds(self) -> float:
        """`wall_seconds` without pauses."""
        return self.wall_seconds - self.session.paused_seconds

    def _emit(self, event: Event | Snapshot) -> None:
        if self._emit_to is not None:
            self._emit_to(event)

    def _publish(self) -> None:
        if self._emit_to is not None:
            if not self.is_past:
                self.session.history.clock.append(self.session.tally.steps, self.training_seconds)
            self._emit_to(self.snapshot())
            self._publish_at = self.session.clock() + PUBLISH_SECONDS
            self._is_unpublished = False

    def _seconds_left(self) -> float | None:
        """Return the seconds that the remaining steps take at the mean wall time per step at full speed so far.

        It includes validation and gradient samples. None if the run has no end or is not at full speed.
        """
        total = self.session.total_steps
        if total is None or self.speed_limit is not None or self.state is not State.TRAINING or not self._full_speed_steps:
            return None
        return (total - self.session.tally.steps) * self._full_speed_seconds / self._full_speed_steps

    def _figures(self) -> dict[str, Any]:
        """Return the fields of RunFigures at this moment."""
        session, tally, validation = self.session, self.session.tally, self.validation
        return {
            "message": self.message,
            "config": session.config,
            "device": self.device,
            "notes": session.notes,
            "examples_seen": tally.examples,
            "seconds": tally.seconds,
            "wall_seconds": self.wall_seconds,
            "validation_seconds": validation.seconds,
            "instrumentation_seconds": self.gradients.seconds,
            "phase_seconds": tally.phase_seconds,
            "validation_loss": validation.figures.loss,
            "validation_accuracy": validation.figures.accuracy,
            "validation_baseline_accuracy": validation.figures.baseline,
            "validation_rmse": validation.figures.rmse,
            "validation_r2": validation.figures.r2,
            "confusion": validation.figures.confusion,
            "gradients": self.gradients.layers,
            "gradient_step": self.gradients.step,
            "hints": self.health.hints,
            "best_step": self.early_stopping.best_step,
            "stopped_early": self.state is State.COMPLETED and not session.is_done,
            "training_accuracy": validation.training_accuracy,
            "flushed": session.network.flushed,
        }

    def snapshot(self) -> Snapshot:
        """Return the state of the run at this moment."""
        session, tally, gradients = self.session, self.session.tally, self.gradients
        return Snapshot(
            **self._figures(),
            state=self.state,
            step=tally.steps,
            head=tally.steps if self.timeline is None else self.timeline.head,
            first=None if self.timeline is None else self.timeline.first,
            epoch=tally.epochs,
            examples_this_epoch=tally.examples_this_epoch,
            total_steps=session.total_steps,
            speed_limit=self.speed_limit,
            learning_rate=session.learning_rate,
            current_learning_rate=session.learning_rate * session.network.full.program.schedule.factor(tally.steps),
            loss=tally.chunk_loss,
            operations_done=tally.operations.total,
            training_seconds=self.training_seconds,
            phase_samples=tally.phase_samples,
            throughput=tally.throughput,
            throughput_history=tuple(tally.throughput_history),
            mean_examples_per_second=tally.mean_examples_per_second,
            seconds_left=self._seconds_left(),
            subnormal=gradients.subnormal,
            peaks=self.peaks,
            curves=session.history.curves() if self.timeline is None else self.timeline.curves,
            branches=() if self.timeline is None else tuple(self.timeline.branches),
        )

    def summary(self) -> Summary:
        """Return the summary of the run at this moment."""
        session, tally = self.session, self.session.tally
        return Summary(
            **self._figures(),
            data=session.data.name,
            parameters=session.config.parameter_count,
            steps=tally.steps,
            epochs=tally.epochs,
            paused_seconds=session.paused_seconds,
            loss=tally.loss,
            operations=tally.operations,
            subnormal=session.network.subnormal(),
            throttled=session.throttled,
            backend=session.backend.name,
            ended=self.state,
        )
