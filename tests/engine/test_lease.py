"""The machine lease and jobs, with scripted work: no thread here computes anything."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from tuisim.engine.job import Job
from tuisim.engine.lease import Claim, MachineLease, Priority

PATIENCE = 5.0


class Scripted:
    """Work that runs until it is cancelled or finished, and records how many pieces of work ran at once."""

    def __init__(self) -> None:
        self.at_work = 0
        self.most_at_once = 0

    def job(
        self, lease: MachineLease, name: str = "job", priority: Priority = Priority.PAGE
    ) -> tuple[Job[int, str], Event, Event]:
        """Return a job, the event that it has begun and the event that lets it end."""
        begun, end = Event(), Event()

        def work(job: Job[int, str]) -> str:
            self.at_work += 1
            self.most_at_once = max(self.most_at_once, self.at_work)
            begun.set()
            try:
                assert end.wait(PATIENCE)
                job.check()
                return name
            finally:
                self.at_work -= 1

        return Job(name, work, lease, priority), begun, end


def test_a_job_publishes_progress_and_result():
    reported = Event()
    go_on = Event()

    def work(job: Job[int, str]) -> str:
        job.report(3)
        reported.set()
        go_on.wait(PATIENCE)
        return "done"

    job = Job("one", work)
    job.start()
    assert reported.wait(PATIENCE)
    assert (job.progress, job.result, job.is_alive) == (3, None, True)
    go_on.set()
    assert job.join(PATIENCE)
    assert (job.result, job.failure) == ("done", None)


def test_a_failed_job_says_why():
    def work(_: Job[int, str]) -> str:
        raise ValueError("no\nresult")

    job = Job("one", work)
    job.start()
    assert job.join(PATIENCE)
    assert job.result is None
    assert job.failure is not None
    assert "no" in job.failure.message
    assert "\n" not in job.failure.message
    assert isinstance(job.failure.error, ValueError)


def test_a_cancelled_job_has_neither_result_nor_failure():
    lease, scripted = MachineLease(), Scripted()
    job, begun, end = scripted.job(lease)
    job.start()
    assert begun.wait(PATIENCE)
    job.cancel()
    end.set()
    assert job.join(PATIENCE)
    assert (job.result, job.failure) == (None, None)
    assert lease.holder == ""


def test_the_next_job_begins_only_when_the_thread_of_the_one_before_has_ended():
    lease, scripted = MachineLease(), Scripted()
    first, first_begun, first_end = scripted.job(lease, "race")
    second, second_begun, second_end = scripted.job(lease, "crossover")
    first.start()
    assert first_begun.wait(PATIENCE)
    first.cancel()  # its page was left
    second.start()
    assert not second_begun.wait(0.15)
    assert (lease.holder, second.is_waiting) == ("race", True)
    first_end.set()
    assert second_begun.wait(PATIENCE)
    assert lease.holder == "crossover"
    second_end.set()
    assert second.join(PATIENCE)
    assert second.result == "crossover"
    assert scripted.most_at_once == 1


def test_a_job_that_is_cancelled_while_it_waits_never_begins():
    lease, scripted = MachineLease(), Scripted()
    with lease.hold(Claim("training", Priority.TRAINING)):
        job, begun, _ = scripted.job(lease)
        job.start()
        job.cancel()
        assert job.join(PATIENCE)
        assert not begun.is_set()
        assert lease.holder == "training"


def test_a_higher_priority_stops_the_holder_and_an_equal_one_waits():
    lease, scripted = MachineLease(), Scripted()
    calibration, begun, end = scripted.job(lease, "calibration", Priority.BACKGROUND)
    page, page_begun, page_end = scripted.job(lease, "race", Priority.PAGE)
    calibration.start()
    assert begun.wait(PATIENCE)
    page.start()
    wait_until(lambda: calibration.is_cancelled)
    assert not page_begun.is_set()
    end.set()
    assert page_begun.wait(PATIENCE)
    other, other_begun, other_end = scripted.job(lease, "profile", Priority.PAGE)
    other.start()
    assert not other_begun.wait(0.15)
    assert not page.is_cancelled
    page_end.set()
    other_end.set()
    assert other.join(PATIENCE)
    assert scripted.most_at_once == 1


def test_the_highest_priority_among_those_that_wait_goes_first():
    lease = MachineLease()
    order: list[str] = []
    jobs = []
    with lease.hold(Claim("training", Priority.TRAINING)):
        for name, priority in (("calibration", Priority.BACKGROUND), ("race", Priority.PAGE)):
            job: Job[int, None] = Job(name, lambda job: order.append(job.name), lease, priority)
            job.start()
            jobs.append(job)
        wait_until(lambda: len(lease._waiting) == 2)
    assert all(job.join(PATIENCE) for job in jobs)
    assert order == ["race", "calibration"]


def test_releasing_what_is_not_held_changes_nothing():
    lease = MachineLease()
    claim = Claim("training", Priority.TRAINING)
    with lease.hold(claim):
        lease.release(Claim("race", Priority.PAGE))
        assert lease.holder == "training"
        lease.release(claim)
        assert lease.holder == ""
    assert lease.holder == ""


def wait_until(condition: Callable[[], bool]) -> None:
    waiter = Event()
    for _ in range(500):
        if condition():
            return
        waiter.wait(0.01)
    pytest.fail("it did not happen")
