"""The default number of threads, and a system that allows few: BLAS is limited to one, one line says so, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from tuisim import RunConfig, Trainer, threads
from tuisim.errors import RunError
from tuisim.features.compare.entries import entries
from tuisim.features.compare.race.race import compare
from tuisim.threads import usable_cores


@pytest.mark.parametrize(
    ("cores", "busy", "count"),
    [(1, 0.0, 1), (2, 0.0, 1), (2, 1.0, 1), (2, 5.0, 1), (8, 0.1, 7), (8, 1.0, 7), (8, 3.0, 5), (8, 2.6, 5), (8, 30.0, 1)],
)
def test_the_default_is_one_thread_per_free_core_and_leaves_one(
    monkeypatch: pytest.MonkeyPatch, cores: int, busy: float, count: int
) -> None:
    monkeypatch.setattr(threads, "allowed", None)
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    monkeypatch.setattr(threads, "busy_cores", lambda: busy)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert threads.default_threads() == count
    assert RunConfig(layers=(4, 2)).resolved().threads == count


def test_the_busy_cores_are_measured_once() -> None:
    assert threads.busy_cores() is threads.busy_cores()
    assert threads.busy_cores() >= 0


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """A system that allows the tests to start two more threads."""
    started: list[threading.Thread] = []

    class Refused(threading.Thread):
        def start(self) -> None:
            if sum(one.is_alive() for one in started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    monkeypatch.setattr(threads, "Thread", Refused)
    monkeypatch.setattr(threads, "allowed", None)
    for name in threads.VARIABLES:
        monkeypatch.setenv(name, "7")
    return started


def test_threads_are_counted_and_ended(few: list[threading.Thread]) -> None:
    assert [threads.startable(count) for count in (0, 1, 2, 3, 50)] == [0, 1, 2, 2, 2]
    assert not any(one.is_alive() for one in few)


@pytest.mark.usefixtures("few")
def test_blas_is_limited_to_one_thread_if_it_cannot_start_one_per_core() -> None:
    assert [threads.fit_blas(cores) for cores in (1, 2, 3)] == [""] * 3
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert RunConfig(layers=(2, 2)).resolved().threads == max(1, usable_cores() - 1)
    assert "BLAS computes with one" in threads.fit_blas(4)
    assert [os.environ[name] for name in threads.VARIABLES] == ["1"] * 3
    assert RunConfig(layers=(2, 2)).resolved().threads == 1


@pytest.mark.usefixtures("few")
def test_too_many_threads_are_refused_with_a_readable_error() -> None:
    held = threading.Event()
    try:
        for _ in range(2):
            threads.start(threads.Thread(target=held.wait))
        with pytest.raises(RunError, match="may start no more threads"):
            threads.start(threads.Thread(target=held.wait))
    finally:
        held.set()


def test_more_blas_threads_than_allowed_are_refused_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "allowed", 1)
    config = RunConfig(layers=(2, 2), dataset="moons", epochs=1, examples=64)
    assert Trainer(config).run().ended == "completed"
    with pytest.raises(RunError, match="threads = 2: this user may start no more threads"):
        Trainer(RunConfig(layers=(2, 2), dataset="moons", epochs=1, threads=2)).run()
    found = compare(config, entries("numpy@1,numpy@2"), 0.3)
    assert [row.name for row in found.rows] == ["numpy@1"]
    assert found.unavailable[0].reason.startswith("threads = 2: ")


REFUSING = """
import sys, threading
def refuse(*_, **__): raise RuntimeError("can't start new thread")
threading._start_new_thread = threading._start_joinable_thread = refuse
from tuisim import threads
from tuisim.__main__ import main
threads.usable_cores = lambda: 4
sys.argv = ["tuisim", *sys.argv[1:]]
sys.exit(main())
"""


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", REFUSING, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)


def test_a_run_needs_no_thread_and_notes_the_blas_limit_once() -> None:
    done = run("run", "2-4-2", "--dataset", "moons", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "BLAS computes with one" in done.stderr
    assert "completed" in done.stdout
