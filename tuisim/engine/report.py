"""From a loop at one moment to what others may hold: a snapshot while it goes, a summary at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuisim.engine.events import Snapshot, State
from tuisim.engine.summary import Summary

if TYPE_CHECKING:
    from tuisim.engine.loop import Loop


def snapshot(loop: Loop) -> Snapshot:
    """One moment, whole: plain numbers, strings, tuples and read-only arrays."""
    session, tally = loop.session, loop.session.tally
    validation, probe = loop.validation, loop.probe
    return Snapshot(
        state=loop.state,
        message=loop.message,
        config=session.config,
        device=loop.device,
        notes=session.notes,
        step=tally.steps,
        epoch=tally.epochs,
        examples_seen=tally.examples,
        examples_this_epoch=tally.examples_this_epoch,
        total_steps=session.total_steps,
        pace=loop.pace,
        learning_rate=session.learning_rate,
        rate_now=session.learning_rate * session.network.full.program.schedule.factor(tally.steps),
        loss=tally.chunk_loss,
        epoch_loss=tally.epoch_loss,
        validation_loss=validation.loss,
        validation_accuracy=validation.accuracy,
        training_accuracy=validation.training_accuracy,
        validation_step=validation.step,
        operations_done=tally.operations.total,
        seconds=tally.seconds,
        wall_seconds=loop.wall_seconds,
        training_seconds=loop.training_seconds,
        validation_seconds=validation.seconds,
        probe_seconds=probe.seconds,
        phase_seconds=tally.phase_seconds,
        phase_samples=tally.phase_samples,
        rates=tally.rates,
        rate_history=tuple(tally.rate_history),
        mean_examples_per_second=tally.mean_examples_per_second,
        seconds_left=_seconds_left(loop),
        gradients=probe.layers,
        gradient_step=probe.step,
        flushed=session.network.flushed,
        subnormal=probe.subnormal,
        peaks=loop.peaks,
        curves=session.history.curves(),
    )


def _seconds_left(loop: Loop) -> float | None:
    """The steps to come at the wall time of those made at full speed, all that happens between them included."""
    total = loop.session.total_steps
    if total is None or loop.pace is not None or loop.state is not State.TRAINING or not loop.full_speed_steps:
        return None
    return (total - loop.session.tally.steps) * loop.full_speed_seconds / loop.full_speed_steps


def summary(loop: Loop) -> Summary:
    session, tally, validation = loop.session, loop.session.tally, loop.validation
    return Summary(
        config=session.config,
        data=session.data.name,
        parameters=session.config.parameter_count,
        steps=tally.steps,
        epochs=tally.epochs,
        examples_seen=tally.examples,
        seconds=tally.seconds,
        wall_seconds=loop.wall_seconds,
        validation_seconds=validation.seconds,
        probe_seconds=loop.probe.seconds,
        paused_seconds=session.paused_seconds,
        phase_seconds=tally.phase_seconds,
        loss=tally.loss,
        validation_loss=validation.loss,
        validation_accuracy=validation.accuracy,
        training_accuracy=validation.training_accuracy,
        operations=tally.operations,
        flushed=session.network.flushed,
        subnormal=session.network.subnormal(),
        paced=session.paced,
        backend=session.backend.name,
        device=loop.device,
        ended=loop.state,
        message=loop.message,
        notes=session.notes,
    )
