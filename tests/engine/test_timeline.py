"""The time machine: every earlier step is restored bit for bit, by whatever way it is reached."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from tuisim.config import RunConfig
from tuisim.engine import timeline as timeline_module
from tuisim.engine.session import Session
from tuisim.engine.timeline import Timeline

STEPS = 60
KEEP = 7
"""Steps between two states that are kept, so that a jump replays up to so many."""
CASES: dict[str, dict[str, Any]] = {
    "sgd, short last batch": {"batch_size": 50, "examples": 230},
    "momentum, decay": {"optimizer": "momentum", "weight_decay": 0.01, "examples": 100},
    "adam, clipped": {"optimizer": "adam", "clip_norm": 0.5, "examples": 100},
    "adamw, schedule": {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "examples": 100, "epochs": 30},
    "rmsprop, float64": {"optimizer": "rmsprop", "dtype": "float64", "examples": 64},
    "rows again": {"examples": 4_000, "batch_size": 700},
    "in order": {"shuffle": False, "examples": 100},
    "generated": {"dataset": "spirals", "layers": (2, 8, 3), "examples": 150},
    "generated in chunks": {"dataset": "teacher", "layers": (4, 5, 2), "loss": "mse", "examples": 70_000, "batch_size": 3_000},
}


@pytest.fixture(autouse=True)
def _many_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a state whenever asked, however short the time since the latest."""
    monkeypatch.setattr(timeline_module, "CAPTURE_SHARE", math.inf)
    monkeypatch.setattr(timeline_module, "REPLAY_SECONDS", 1e-9)


def session_of(backend: str, **fields: Any) -> Session:
    fields = {"layers": (64, 8, 10), "dataset": "digits", "epochs": None, "batch_size": 32} | fields
    return Session(RunConfig(backend=backend, **fields))


def fingerprint(session: Session) -> tuple[Any, ...]:
    """Everything that must be the same again after the same step."""
    arrays, scalars = session.network.state()
    tally, (steps, losses) = session.tally, session.history.losses.arrays()
    totals = tally.steps, tally.epochs, tally.examples, tally.examples_this_epoch, tally.loss, tally.operations
    gradients = tuple(array.tobytes() for pair in session.network.gradients() for array in pair) if tally.steps else ()
    return (
        {name: array.tobytes() for name, array in arrays.items()}, scalars, totals, steps.tobytes(), losses.tobytes(), gradients,
        session.learning_rate, session.history.learning_rates,
    )  # fmt: skip


def record(session: Session, timeline: Timeline, steps: int, rates: dict[int, float] | None = None) -> list[tuple[Any, ...]]:
    """Train step by step, and return the fingerprint after each step, from the present one on."""
    found = [fingerprint(session)]
    for step in range(timeline.step, timeline.step + steps):
        if rates and step in rates:
            timeline.change(learning_rate=rates[step])
            session.set_learning_rate(rates[step])
        session.advance(1, past_the_end=True)
        if step % KEEP == 0:
            timeline.keep()
        found.append(fingerprint(session))
    return found


@pytest.mark.parametrize("backend", ["numpy", "numba", "scalar"])
@pytest.mark.parametrize("name", CASES)
def test_every_jump_restores_the_step_bit_for_bit(backend: str, name: str) -> None:
    if backend == "scalar" and CASES[name].get("examples", 0) > 1_000:
        pytest.skip("plain Python is slow")
    session = session_of(backend, **CASES[name])
    timeline = Timeline(session)
    steps = STEPS if backend != "scalar" else 12
    expected = record(session, timeline, steps)
    chance = random.Random(name)
    for step in [chance.randrange(steps) for _ in range(12)] + [steps]:
        assert timeline.seek(step)
        assert timeline.step == step
        assert timeline.is_past == (step < steps)
        assert timeline.head == steps
        assert fingerprint(session) == expected[step]
    assert record(session, timeline, 5)[1:] == record_again(backend, name, steps, 5)


def record_again(backend: str, name: str, first: int, steps: int) -> list[tuple[Any, ...]]:
    """The last `steps` fingerprints of a run without jumps."""
    session = session_of(backend, **CASES[name])
    session.advance(first, past_the_end=True)
    return record(session, Timeline(session), steps)[1:]


def test_changes_of_the_learning_rate_are_replayed() -> None:
    session = session_of("numpy")
    timeline = Timeline(session)
    expected = record(session, timeline, 30, {7: 0.5, 20: 0.01})
    for step in (25, 3, 7, 8, 20, 21, 29):
        timeline.seek(step)
        assert fingerprint(session)[0] == expected[step][0]
    timeline.seek(30)
    assert fingerprint(session) == expected[30]


def test_a_change_in_the_past_begins_a_branch() -> None:
    session = session_of("numpy")
    timeline = Timeline(session)
    record(session, timeline, 30, {10: 0.05})
    session.history.validation.append(5, 2.0, 0.5, 0.5)
    session.history.validation.append(25, 1.0, 0.7, 0.7)
    future = session.history.curves()
    timeline.seek(10)
    timeline.change(learning_rate=0.5)
    session.set_learning_rate(0.5)
    assert (timeline.head, timeline.is_past) == (10, False)
    record(session, timeline, 5)
    (branch,) = timeline.branches
    assert (branch.step, [change.learning_rate for change in branch.changes]) == (10, [0.05])
    assert np.array_equal(branch.curves.losses, future.losses)
    curves = session.history.curves()
    assert curves.steps[-1] == 15
    assert curves.validation_steps.tolist() == [5]
    assert curves.learning_rates == ((0, 0.1), (10, 0.5))
    other = session_of("numpy")
    record(other, Timeline(other), 15, {10: 0.5})
    assert fingerprint(session)[0] == fingerprint(other)[0]
    with pytest.raises(ValueError, match="step 30 of a run of 15"):
        timeline.seek(30)


def test_kept_states_stay_within_their_memory_and_evenly_spaced() -> None:
    session = session_of("numpy")
    per_state = Timeline(session).nbytes
    timeline = Timeline(session, max_bytes=10 * per_state)
    for _ in range(400):
        session.advance(1, past_the_end=True)
        timeline.keep()
        assert timeline.nbytes <= 10 * per_state
    assert timeline._states[0].step == 0
    assert timeline._interval > 1e-9
    timeline.seek(0)
    assert timeline.step == 0


def test_a_cancelled_replay_stays_where_it_is_and_can_go_on() -> None:
    session = session_of("numpy")
    timeline = Timeline(session)
    expected = record(session, timeline, 40)
    del timeline._states[1:]
    reports: list[tuple[int, int]] = []
    assert not timeline.seek(30, lambda: len(reports) > 1, lambda done, total: reports.append((done, total)))
    assert 0 < timeline.step < 30
    assert timeline.is_past
    assert fingerprint(session)[0] == expected[timeline.step][0]
    assert timeline.seek(30)
    assert fingerprint(session) == expected[30]


def test_a_diverged_run_is_diverged_again_at_its_head() -> None:
    session = session_of("numpy", loss="mse", learning_rate=1e6)
    timeline = Timeline(session)
    while session.divergence is None:
        session.advance(1, past_the_end=True)
        timeline.keep()
    message, head = session.divergence, timeline.head
    assert head >= 1
    timeline.seek(head - 1)
    assert session.divergence is None
    timeline.seek(head)
    assert session.divergence == message


def test_threads_that_were_changed_are_set_again() -> None:
    session = session_of("numpy")
    found: list[int] = []
    timeline = Timeline(session, found.append)
    first = session.threads
    record(session, timeline, 5)
    timeline.change(threads=first + 1)
    session.threads = first + 1
    record(session, timeline, 5)
    timeline.seek(8)
    assert (found, session.threads) == ([first, first + 1], first + 1)
    timeline.seek(2)
    assert (found[2:], session.threads) == ([first], first)


@pytest.mark.parametrize("backend", ["numpy", "scalar"])
def test_a_replay_from_the_start_proves_the_same_bytes(backend: str) -> None:
    session = session_of(backend, optimizer="adam", layers=(64, 4, 10), examples=100)
    timeline = Timeline(session)
    states = record(session, timeline, STEPS, {20: 0.03})
    assert timeline.prove()
    assert fingerprint(session) == states[STEPS]
    timeline.seek(33)
    assert timeline.prove()
    assert fingerprint(session) == states[33]
    assert timeline.head == STEPS


def test_a_proof_finds_another_weight_and_can_be_cancelled() -> None:
    session = session_of("numpy", examples=100)
    timeline = Timeline(session)
    record(session, timeline, STEPS)
    assert timeline.prove(lambda: True) is None
    weights = session.network.full.read("W1")
    weights[3, 2] = np.nextafter(weights[3, 2], np.float32(1))
    session.network.full.write("W1", weights)
    changed = fingerprint(session)
    assert timeline.prove() is False
    assert fingerprint(session) == changed
