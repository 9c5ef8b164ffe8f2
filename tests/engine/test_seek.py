"""Going to earlier steps of a run in progress: by control, with its snapshots, its events, and how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic, sleep
from typing import Any

import pytest

from tuisim import RunConfig, Trainer
from tuisim.engine import Control, Snapshot, State, Summary, Worker
from tuisim.engine import timeline as timeline_module
from tuisim.engine.events import Branched, Event
from tuisim.errors import RunError

CONFIG = RunConfig(layers=(5, 4, 3), dataset="teacher", examples=50, batch_size=8, epochs=30, learning_rate=0.1)
PER_EPOCH = 7
Act = Callable[[Control], object]


def bytes_of(trainer: Trainer) -> list[bytes]:
    return [array.tobytes() for pair in trainer.parameters() for array in pair]


def after(step: int, config: RunConfig = CONFIG) -> list[bytes]:
    """The parameters of a run without jumps after `step` steps."""
    trainer = Trainer(config)
    for _ in range(step):
        trainer.step()
    return bytes_of(trainer)


def drive(acts: list[Act], config: RunConfig = CONFIG, start: int = 40) -> tuple[Trainer, Summary, list[Snapshot], list[Event]]:
    """Pause a run at step `start`, then make each of `acts` whenever the run is paused; return it with the paused snapshots."""
    trainer, control = Trainer(config), Control()
    control.pause()
    control.move(steps=start)
    paused: list[Snapshot] = []
    events: list[Event] = []
    states: list[list[bytes]] = []
    left: Iterator[Act] = iter(acts)

    def emit(item: Event | Snapshot) -> None:
        if not isinstance(item, Snapshot):
            events.append(item)
        elif item.state is State.PAUSED and not control.is_pending and not item.message:
            paused.append(item)
            states.append(bytes_of(trainer))
            next(left, Control.resume)(control)

    summary = trainer.run(emit, control)
    for snapshot, state in zip(paused, states, strict=True):
        if not snapshot.branches:
            assert state == after(snapshot.step, config)
    return trainer, summary, paused, events


def test_going_back_and_forward_shows_the_steps_as_they_were() -> None:
    acts: list[Act] = [
        lambda control: control.seek(10),
        lambda control: control.move(steps=-1),
        lambda control: control.move(steps=1),
        lambda control: control.move(epochs=-1),
        lambda control: control.move(epochs=1),
        lambda control: control.move(epochs=-1),
        lambda control: control.seek(38),
        lambda control: control.move(epochs=1),
        lambda control: control.seek(0),
        lambda control: control.move(epochs=-3, steps=-5),
        lambda control: control.seek(10_000),
    ]
    trainer, summary, paused, _ = drive(acts)
    first = next(number for number, snapshot in enumerate(paused) if snapshot.step == 40)
    steps = [snapshot.step for snapshot in paused[first:]]
    assert steps[:10] == [40, 10, 9, 10, 7, 14, 7, 38, 42, 0]
    assert steps[10] == 0
    assert {snapshot.head for snapshot in paused[first : first + 8]} == {40}
    shown = paused[first + 1]
    assert (shown.step, shown.gradient_step, shown.epoch, shown.examples_seen) == (10, 10, 1, 74)
    assert shown.validation_loss is not None
    assert shown.curves.steps[-1] == 40
    assert summary.ended is State.COMPLETED
    assert summary.steps == 30 * PER_EPOCH
    assert bytes_of(trainer) == after(30 * PER_EPOCH)


def test_a_run_resumed_in_the_past_replays_and_goes_on() -> None:
    trainer, summary, paused, events = drive([lambda control: control.seek(3)])
    assert paused[-1].step == 3
    assert not any(isinstance(event, Branched) for event in events)
    assert (summary.ended, summary.steps) == (State.COMPLETED, 30 * PER_EPOCH)
    assert bytes_of(trainer) == after(30 * PER_EPOCH)
    assert summary.loss == Trainer(CONFIG).run().loss


def test_single_steps_in_the_past_replay_and_at_the_head_train() -> None:
    trainer, summary, paused, _ = drive([lambda control: control.seek(39), *[Control.step] * 2])
    assert [snapshot.step for snapshot in paused[-3:]] == [39, 40, 41]
    assert [snapshot.head for snapshot in paused[-3:]] == [40, 40, 41]
    assert bytes_of(trainer) == after(summary.steps)


def test_a_change_in_the_past_begins_a_branch() -> None:
    def change(control: Control) -> None:
        control.set_learning_rate(0.01)
        control.resume()

    trainer, summary, paused, events = drive([lambda control: control.seek(10), change])
    assert [event for event in events if isinstance(event, Branched)] == [Branched(10, 40)]
    expected = Trainer(CONFIG)
    for step in range(30 * PER_EPOCH):
        if step == 10:
            expected._session.set_learning_rate(0.01)
        expected.step()
    assert bytes_of(trainer) == bytes_of(expected)
    assert summary.steps == 30 * PER_EPOCH
    (last,) = paused[-1:]
    assert last.step == 10


def test_early_stopping_forgets_the_future_that_was_left() -> None:
    def change(control: Control) -> None:
        control.set_learning_rate(0.2)
        control.resume()

    config = replace(CONFIG, early_stopping="yes", epochs=200, validation=0.2, patience=3)
    _, summary, _, _ = drive([lambda control: control.seek(60), change], config, start=500)
    assert summary.ended is State.COMPLETED
    assert summary.best_step is not None
    assert summary.best_step % 50 == 0
    assert summary.best_step > 60


def test_a_run_that_is_stopped_in_the_past_ends_at_its_head() -> None:
    trainer, summary, _, _ = drive([lambda control: control.seek(10), lambda control: control.stop("enough")])
    assert (summary.ended, summary.steps) == (State.STOPPED, 40)
    assert bytes_of(trainer) == after(40)


@pytest.mark.parametrize("act", [lambda control: control.seek(10), lambda control: control.move(steps=-3)])
def test_a_network_too_large_keeps_no_states_and_stays(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.engine.loop.can_keep", lambda session: timeline_module.can_keep(session, 100))
    _, summary, paused, _ = drive([act])
    assert paused[-1].step == paused[-1].head == 40
    assert summary.ended is State.COMPLETED


def wait_for(worker: Worker, condition: Callable[[Snapshot], object]) -> Snapshot:
    until = monotonic() + 20
    while worker.snapshot is None or not condition(worker.snapshot):
        assert monotonic() < until, worker.snapshot
        sleep(0.005)
    return worker.snapshot


def test_a_run_that_has_ended_is_reopened_replayed_and_not_kept_twice() -> None:
    ended = Worker(CONFIG)
    assert ended.reopened() is None
    ended.start()
    assert ended.join(20)
    last = ended.snapshot
    assert last is not None
    assert (last.state, last.step) == (State.COMPLETED, 30 * PER_EPOCH)
    again = ended.reopened()
    assert again is not None
    again.control.move(epochs=-2)
    again.start()
    shown = wait_for(again, lambda snapshot: snapshot.state is State.PAUSED)
    assert (shown.step, shown.head) == (28 * PER_EPOCH, 30 * PER_EPOCH)
    again.control.resume()
    assert again.join(20)
    assert again.snapshot is not None
    assert (again.snapshot.state, again.snapshot.step) == (State.COMPLETED, 30 * PER_EPOCH)
    assert again.snapshot.curves.validation_steps.tolist() == last.curves.validation_steps.tolist()
    assert again.result is None


def test_a_reopened_run_with_a_change_is_another_run() -> None:
    ended = Worker(replace(CONFIG, early_stopping="yes", epochs=300, validation=0.2, patience=3))
    ended.start()
    assert ended.join(20)
    assert ended.snapshot is not None
    again = ended.reopened()
    assert again is not None
    again.control.seek(70)
    again.start()
    assert wait_for(again, lambda snapshot: snapshot.state is State.PAUSED).step == 70
    again.control.set_learning_rate(0.5)
    again.control.resume()
    assert again.join(20)
    assert again.result is not None
    assert again.result.ended is State.COMPLETED
    assert [branch.step for branch in again.snapshot.branches] == [70] if again.snapshot else False


def test_a_run_that_failed_or_kept_nothing_is_not_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.engine.loop.can_keep", lambda session: False)
    worker = Worker(CONFIG)
    worker.start()
    assert worker.join(20)
    assert worker.reopened() is None
    trainer = Trainer(CONFIG)
    assert not trainer.can_reopen
    with pytest.raises(RunError, match="earlier steps"):
        trainer.reopen(lambda _: None, Control())
