"""Looks at a run: during training, in a pause, after the end; the run does not change by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

from tuisim import RunConfig, Trainer
from tuisim.engine import Control, Worker
from tuisim.engine.look import Look, Seen
from tuisim.engine.session import Session

CONFIG = RunConfig(layers=(5, 4, 3), dataset="teacher", examples=50, batch_size=8, epochs=30, learning_rate=0.1)
ENDLESS = replace(CONFIG, epochs=None)


def until(is_true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = monotonic() + 30
    while not is_true():
        assert monotonic() < end
        sleep(0.005)


def weight(session: Session) -> float:
    return float(session.network.full.read("W1", (2, 3)))


def sides(session: Session, before: float) -> tuple[float, float, float]:
    """The weight before a step and after it, and the gradient between them."""
    return before, weight(session), float(session.network.full.read("gW1", (2, 3)))


def seen(worker: Worker, look: Look, wanted: Callable[[Seen], bool] = lambda _: True) -> Seen:
    """Ask for a look and wait for a reading."""
    worker.look(look)
    until(lambda: look.seen is not None and wanted(look.seen))
    assert look.seen is not None
    assert not look.seen.failure
    return look.seen


def paused(config: RunConfig = ENDLESS) -> Worker:
    worker = Worker(config)
    worker.control.pause()
    worker.control.move(steps=10)
    worker.start()
    until(lambda: worker.snapshot is not None and worker.snapshot.step == 10 and worker.snapshot.state.value == "paused")
    return worker


def test_a_run_with_looks_trains_as_one_without() -> None:
    trainer, control, steps = Trainer(CONFIG), Control(), []
    look = Look(lambda session, before: steps.append(session.tally.steps) or sides(session, before), weight)
    control.look(look)
    trainer.run(lambda _: None, control)
    plain = Trainer(CONFIG)
    plain.run()
    assert steps
    assert all(
        np.array_equal(a, b)
        for one, other in zip(trainer.parameters(), plain.parameters(), strict=True)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("backend", ["numpy", "scalar"])
def test_a_look_around_a_step_sees_the_update(backend: str) -> None:
    worker = paused(replace(ENDLESS, backend=backend))
    look = Look(sides, weight)
    found = seen(worker, look)
    before, after, gradient = found.found
    assert found.step == 10
    assert after == pytest.approx(before - 0.1 * gradient, rel=1e-5)
    assert gradient != 0
    worker.control.step()
    until(lambda: look.seen is not None and look.seen.step == 11)
    assert look.seen is not None
    assert look.seen.found[0] == after
    worker.stop()
    worker.join()


def test_a_repeated_step_leaves_the_state_as_it_was() -> None:
    worker = paused()
    reader = Look(weight)
    value = seen(worker, reader).found
    seen(worker, Look(sides, weight))
    assert seen(worker, Look(weight)).found == value
    worker.control.move(steps=-3)
    back = Look(sides, weight)
    assert seen(worker, back, lambda one: one.step == 7).found[1] == seen(worker, Look(weight)).found
    worker.control.move(steps=3)
    assert seen(worker, Look(weight), lambda one: one.step == 10).found == value
    worker.stop()
    worker.join()


def test_a_look_is_repeated_while_the_run_goes_on_and_keeps_its_interval() -> None:
    times: list[float] = []
    worker = Worker(ENDLESS)
    look = Look(lambda session: times.append(session.clock()) or weight(session))
    worker.look(look)
    worker.start()
    until(lambda: len(times) >= 3)
    worker.stop()
    worker.join()
    assert min(b - a for a, b in pairwise(times)) >= 0.39


@pytest.mark.parametrize("around", [False, True])
def test_a_run_is_looked_at_after_its_end(around: bool) -> None:
    worker = Worker(CONFIG)
    worker.start()
    worker.join()
    look: Look = Look(sides, weight) if around else Look(weight)
    assert seen(worker, look).step == 210


def test_a_look_that_fails_says_so_and_the_run_goes_on() -> None:
    def fail(_: Any) -> None:
        raise ValueError("no such unit")

    worker = paused()
    look = Look(fail)
    worker.look(look)
    until(lambda: look.seen is not None)
    assert look.seen is not None
    assert "no such unit" in look.seen.failure
    assert seen(worker, Look(weight)).step == 10
    worker.stop()
    worker.join()


def test_no_step_can_be_repeated_before_the_first() -> None:
    worker = paused()
    worker.control.seek(0)
    look = Look(sides, weight)
    worker.look(look)
    first = Look(weight)
    until(lambda: worker.snapshot is not None and worker.snapshot.step == 0)
    assert look.seen is None or look.seen.step == 10
    seen(worker, first, lambda one: one.step == 0)
    worker.stop()
    worker.join()


def test_a_look_wakes_a_paused_run_and_cancels_no_work() -> None:
    control = Control()
    control.take()
    control.look(Look(weight))
    assert not control.is_pending
    control.wait(0)  # returns at once
    control.move(steps=-1)
    assert control.is_pending
    assert control.take().look is not None
    assert not control.is_pending


def test_a_look_asked_for_during_a_replay_does_not_end_it_early() -> None:
    worker = paused(replace(ENDLESS, backend="scalar"))
    worker.control.move(steps=3_000)
    until(lambda: worker.snapshot is not None and worker.snapshot.step == 3_010)
    worker.control.move(steps=-1)
    look = Look(weight)
    while look.seen is None:
        worker.look(look)
        sleep(0.001)
    until(lambda: worker.snapshot is not None and worker.snapshot.step == 3_009)
    worker.stop()
    worker.join()
