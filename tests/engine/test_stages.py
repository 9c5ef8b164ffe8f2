"""The stages of the start of a run: their order, times and progress."""

from __future__ import annotations

import numpy as np
import pytest

from tuisim import RunConfig, Trainer
from tuisim.engine import Worker
from tuisim.stages import Stage, Stages, report


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_that_is_entered_again_goes_on():
    clock = Clock()
    stages = Stages(clock)
    with stages.stage("data"):
        clock.now = 2.0
    with stages.stage("backend"):
        clock.now = 2.5
        assert stages.now() == (Stage("data", 2.0, is_done=True), Stage("backend", 0.5, is_done=False))
    with stages.stage("data"):
        clock.now = 3.0
        assert stages.now()[0] == Stage("data", 2.5, is_done=False)
    assert stages.now() == (Stage("data", 2.5, is_done=True), Stage("backend", 0.5, is_done=True))


def test_progress_goes_to_the_stage_of_the_thread_and_nowhere_outside_any():
    stages = Stages(Clock())
    report(1, 2, "rows")
    with stages.stage("data"):
        report(10, 40, "rows")
    report(2, 2, "rows")
    assert stages.now() == (Stage("data", 0.0, is_done=True, done=10, total=40, unit="rows"),)


def test_a_stage_that_fails_is_done():
    stages = Stages(Clock())
    with pytest.raises(ZeroDivisionError), stages.stage("data"):
        _ = 1 / 0
    report(1, 2, "rows")
    assert stages.now() == (Stage("data", 0.0, is_done=True),)


def test_a_run_has_its_stages_in_order_and_the_rows_that_were_made():
    worker = Worker(RunConfig(layers=(5, 4, 3), dataset="teacher", examples=20_000, epochs=1, threads=1))
    assert worker.stages == ()
    worker.start()
    assert worker.join(60)
    assert [stage.name for stage in worker.stages] == ["data", "backend", "compile", "peaks", "first step"]
    assert all(stage.is_done and stage.seconds >= 0 for stage in worker.stages)
    data = worker.stages[0]
    assert (data.done, data.total, data.unit) == (20_000, 20_000, "rows")


def test_the_bytes_of_a_table_are_reported(tmp_path):
    path = tmp_path / "numbers.csv"
    np.savetxt(path, np.random.default_rng(0).standard_normal((20_000, 6)), delimiter=",")
    stages = Stages()
    Trainer(RunConfig(dataset=str(path), epochs=1), stages=stages)
    data = stages.now()[0]
    assert (data.done, data.total, data.unit) == (path.stat().st_size, path.stat().st_size, "B")
