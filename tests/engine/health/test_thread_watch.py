"""The watch on the cores of a run's threads, its hint, and the change of the threads by the user."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuisim import RunConfig, Trainer
from tuisim.engine.control import Control
from tuisim.engine.events import Snapshot, ThreadsChanged
from tuisim.engine.health import thread_watch
from tuisim.engine.health.reading import ThreadTrial
from tuisim.engine.health.thread_watch import CHECK_SECONDS, TRIAL_SECONDS, CoreUse, ThreadWatch, core_use
from tuisim.errors import ConfigError, MemoryNeeded


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
    config = RunConfig(**({"layers": (64, 32, 10), "threads": count} | fields)).resolved()
    made = ThreadWatch(config, 32, Machine(busy), time)
    made.watch(count, 0, 0.0)
    return made


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("busy", "count", "fewer"), [(3.0, 7, 5), (1.0, 8, 7), (7.9, 4, 1), (20.0, 2, 1), (0.5, 8, 7)])
def test_threads_that_have_too_few_cores_are_compared_with_fewer(busy, count, fewer):
    trial = watch(busy, count).check(1.0, 50, 1.0)
    assert trial == ThreadTrial(count, 50.0, fewer, pytest.approx(1000.0), pytest.approx(busy))


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("busy", "count"), [(0.0, 8), (0.2, 8), (1.0, 7), (4.0, 4), (6.2, 2), (3.0, 5)])
def test_threads_that_have_their_cores_are_left_alone(busy, count):
    assert watch(busy, count).check(1.0, 50, 1.0) is None


@pytest.mark.usefixtures("eight_cores")
def test_one_thread_and_a_network_that_is_too_large_are_not_watched():
    assert not watch(20.0, 1).is_due(99.0)
    assert not watch(20.0, 4, backend="scalar").is_due(99.0)
    assert not watch(20.0, 4, layers=(10_000, 1_000)).is_due(99.0)
    assert watch(20.0, 4).is_due(99.0)


@pytest.mark.usefixtures("eight_cores")
def test_checks_and_trials_keep_their_distance():
    one = watch(8.0, 8)
    assert not one.is_due(CHECK_SECONDS / 2)
    assert one.is_due(CHECK_SECONDS)
    assert one.check(0.5, 50, 0.5) is not None
    assert not one.is_due(0.5 + CHECK_SECONDS / 2)
    assert one.check(1.0, 100, 1.0) is None
    assert one.check(1.0 + TRIAL_SECONDS, 150, 1.5) is not None
    one.watch(4, 200, 2.0)  # another number of them is judged again
    assert one.check(2.0 + TRIAL_SECONDS, 250, 2.5) is not None


@pytest.mark.usefixtures("eight_cores")
def test_the_step_rate_of_a_trial_is_that_since_the_last_check():
    """The run was fast until another program took the cores; its mean rate would hide that."""
    uses = iter([CoreUse(0, 0, 0), CoreUse(1, 8, 8), CoreUse(2, 12, 16), CoreUse(3, 14, 20), CoreUse(4, 16, 26)])
    one = ThreadWatch(RunConfig(layers=(64, 32, 10), threads=8).resolved(), 32, lambda: next(uses), lambda *_: 0.001)
    one.watch(8, 0, 0.0)
    assert one.check(1.0, 10_000, 0.9) is None
    first = one.check(2.0, 10_010, 1.9)
    assert first is not None
    assert first.steps_per_second == pytest.approx(10.0)
    one.watch(6, 10_500, 2.5)
    second = one.check(3.0, 10_510, 3.0)
    assert second is not None
    assert (second.threads, second.steps_per_second) == (6, pytest.approx(20.0))


@pytest.mark.usefixtures("eight_cores")
def test_without_a_step_since_the_last_check_there_is_no_trial():
    assert watch(8.0, 8).check(1.0, 0, 0.0) is None


@pytest.mark.usefixtures("eight_cores")
def test_without_memory_for_a_second_network_there_is_no_trial():
    def refuse(*_: object) -> float:
        raise MemoryNeeded("no memory")

    assert watch(8.0, 8, refuse).check(1.0, 50, 1.0) is None


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
    trial = ThreadTrial(2, 31.0, 1, 4_900.0, 1.0)
    monkeypatch.setattr(ThreadWatch, "is_due", lambda self, now: self.threads > 1)
    monkeypatch.setattr(ThreadWatch, "check", lambda self, now, steps, seconds: trial)
    monkeypatch.setattr(ThreadWatch, "watch", lambda self, threads, *totals: setattr(self, "threads", threads))
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
