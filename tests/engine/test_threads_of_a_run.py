"""Threads of a run: the default by the free cores, a watch on them, and their change by the user."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuisim import RunConfig, Trainer, threads
from tuisim.engine.control import Control
from tuisim.engine.events import Snapshot, ThreadsChanged
from tuisim.engine.health import thread_watch
from tuisim.engine.health.reading import ThreadTrial
from tuisim.engine.health.thread_watch import CHECK_SECONDS, TRIAL_SECONDS, CoreUse, ThreadWatch, core_use
from tuisim.errors import ConfigError, MemoryNeeded


@pytest.mark.parametrize(
    ("cores", "busy", "count"),
    [(1, 0.0, 1), (2, 0.0, 1), (2, 1.0, 1), (2, 5.0, 1), (8, 0.1, 7), (8, 1.0, 7), (8, 3.0, 5), (8, 2.6, 5), (8, 30.0, 1)],
)
def test_the_default_is_one_thread_per_free_core_and_leaves_one(monkeypatch, cores, busy, count):
    monkeypatch.setattr(threads, "allowed", None)
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    monkeypatch.setattr(threads, "busy_cores", lambda: busy)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert threads.default_threads() == count
    assert RunConfig(layers=(4, 2)).resolved().threads == count


def test_the_busy_cores_are_measured_once():
    assert threads.busy_cores() is threads.busy_cores()
    assert threads.busy_cores() >= 0


class Machine:
    """Eight cores, of which other processes use `busy` and the run `own`; a check each second."""

    def __init__(self, busy: float, own: float = 2.0) -> None:
        self.busy, self.own, self.at = busy, own, -1.0

    def __call__(self) -> CoreUse:
        self.at += 1
        return CoreUse(self.at, self.own * self.at, (self.busy + self.own) * self.at)


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(thread_watch, "usable_cores", lambda: 8)
    monkeypatch.setattr("os.cpu_count", lambda: 8)


def watch(busy: float, count: int, time: Callable[..., float] = lambda *_: 0.001, **fields: object) -> ThreadWatch:
    config = RunConfig(layers=(64, 32, 10), threads=count, **fields).resolved()
    return ThreadWatch(config, 32, Machine(busy), time)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("busy", "count", "fewer"), [(3.0, 7, 5), (1.0, 8, 7), (7.9, 4, 1), (20.0, 2, 1), (0.5, 8, 7)])
def test_threads_that_have_too_few_cores_are_compared_with_fewer(busy, count, fewer):
    trial = watch(busy, count).check(1.0, 50.0)
    assert trial == ThreadTrial(count, 50.0, fewer, pytest.approx(1000.0), pytest.approx(busy))


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("busy", "count"), [(0.0, 8), (0.2, 8), (1.0, 7), (4.0, 4), (6.2, 2), (3.0, 5)])
def test_threads_that_have_their_cores_are_left_alone(busy, count):
    assert watch(busy, count).check(1.0, 50.0) is None


@pytest.mark.usefixtures("eight_cores")
def test_one_thread_and_a_network_that_is_too_large_are_not_watched():
    assert not watch(20.0, 1).is_due(99.0)
    assert not watch(20.0, 4, backend="scalar").is_due(99.0)
    large = RunConfig(layers=(10_000, 1_000), threads=4).resolved()
    assert not ThreadWatch(large, 32, Machine(20.0)).is_due(99.0)


@pytest.mark.usefixtures("eight_cores")
def test_checks_and_trials_keep_their_distance():
    one = watch(8.0, 8)
    assert not one.is_due(CHECK_SECONDS / 2)
    assert one.is_due(CHECK_SECONDS)
    assert one.check(0.5, 50.0) is not None
    assert not one.is_due(0.5 + CHECK_SECONDS / 2)
    assert one.check(1.0, 50.0) is None
    assert one.check(1.0 + TRIAL_SECONDS, 50.0) is not None
    one.set_threads(4)  # another number of them is judged again
    assert one.check(2.0 + TRIAL_SECONDS, 50.0) is not None


@pytest.mark.usefixtures("eight_cores")
def test_without_memory_for_a_second_network_there_is_no_trial():
    def refuse(*_: object) -> float:
        raise MemoryNeeded("no memory")

    assert watch(8.0, 8, refuse).check(1.0, 50.0) is None


def test_the_core_use_of_this_process_is_part_of_all():
    before = core_use()
    sum(i * i for i in range(2_000_000))
    after = core_use()
    assert before is not None
    assert after is not None
    assert after.own > before.own
    assert after.all >= before.all


def test_a_step_is_timed_with_other_threads():
    assert 0 < thread_watch.step_seconds(RunConfig(layers=(64, 32, 10), threads=2).resolved(), 32, 1) < 1


def test_a_run_says_that_its_threads_wait_and_the_user_changes_them(monkeypatch):
    monkeypatch.setattr(thread_watch, "core_use", None)
    trial = ThreadTrial(2, 31.0, 1, 4_900.0, 1.0)
    monkeypatch.setattr(ThreadWatch, "is_due", lambda self, now: self.threads > 1)
    monkeypatch.setattr(ThreadWatch, "check", lambda self, now, rate: trial)
    monkeypatch.setattr(ThreadWatch, "__init__", lambda self, config, batch: setattr(self, "threads", 2))
    monkeypatch.setattr(ThreadWatch, "set_threads", lambda self, threads: setattr(self, "threads", threads))
    control, seen = Control(), []

    def look(item: object) -> None:
        seen.append(item)
        if isinstance(item, Snapshot) and item.hints and item.hints[0].name == "waiting_threads":
            control.set_threads(1)
        elif any(isinstance(one, ThreadsChanged) for one in seen):
            control.stop()

    summary = Trainer(RunConfig(layers=(64, 32, 10), threads=2, epochs=None)).run(look, control, instrumented=False)
    said = next(item for item in seen if isinstance(item, Snapshot) and item.hints).hints[0]
    assert said.words == "threads wait for a core: 31.0 steps/s with 2, 4.90 k with 1 thread, measured while others use 1.0 cores"
    assert (said.field, said.value) == ("threads", 1)
    changed = [item for item in seen if isinstance(item, ThreadsChanged)]
    assert [one.threads for one in changed] == [1]
    assert summary.config.threads == 2  # as it was resolved at the start
    assert all(hint.name != "waiting_threads" for hint in summary.hints)
    assert "×1" in summary.device


def test_a_number_of_threads_below_one_is_refused():
    with pytest.raises(ConfigError, match="threads"):
        Control().set_threads(0)
