"""Going to earlier steps from the run page, by its keys, over a real run."""

from __future__ import annotations

from tests.support.run_screen import running
from tests.support.shell import until
from tuisim.config import RunConfig
from tuisim.engine import Worker
from tuisim.engine.events import State
from tuisim.features.run.screen import RunScreen
from tuisim.terminal.lines import text

CONFIG = RunConfig(layers=(5, 4, 3), dataset="teacher", examples=50, batch_size=8, epochs=30, learning_rate=0.1)
LAST = 30 * 7


def at(screen: RunScreen, step: int, state: State) -> bool:
    snapshot = screen._state.snapshot
    return snapshot is not None and (snapshot.step, snapshot.state) == (step, state)


async def test_keys_go_back_in_a_run_that_has_ended_and_forward_to_its_end() -> None:
    worker = Worker(CONFIG)
    async with running(worker, CONFIG) as (screen, pilot):
        await until(pilot, lambda: at(screen, LAST, State.COMPLETED) and not worker.is_alive)
        await pilot.press("comma")
        await until(pilot, lambda: at(screen, LAST - 1, State.PAUSED))
        assert f"step {LAST - 1} of {LAST}: space goes on from here, a change begins a branch" in text(screen._status.lines[0])
        await pilot.press("less_than_sign", "less_than_sign")
        await until(pilot, lambda: at(screen, 28 * 7, State.PAUSED))
        await pilot.press("greater_than_sign", "full_stop", "full_stop", "comma")
        await until(pilot, lambda: at(screen, 29 * 7 + 1, State.PAUSED))
        await pilot.press("space")
        await until(pilot, lambda: at(screen, LAST, State.COMPLETED))
        assert screen._worker is not worker


async def test_a_rate_changed_in_the_past_begins_a_branch() -> None:
    worker = Worker(CONFIG)
    async with running(worker, CONFIG) as (screen, pilot):
        await until(pilot, lambda: at(screen, LAST, State.COMPLETED) and not worker.is_alive)
        await pilot.press(*["less_than_sign"] * 20)
        await until(pilot, lambda: at(screen, 10 * 7, State.PAUSED))
        await pilot.press("minus")
        await until(pilot, lambda: screen._state.snapshot is not None and screen._state.snapshot.head == 10 * 7)
        await pilot.press("space")
        await until(pilot, lambda: at(screen, LAST, State.COMPLETED))
        snapshot = screen._state.snapshot
        assert snapshot is not None
        assert [branch.step for branch in snapshot.branches] == [70]
        assert snapshot.learning_rate == 0.05


async def test_a_run_that_has_ended_with_its_best_weights_is_replayed_from_its_start() -> None:
    config = RunConfig(layers=(64, 8, 10), dataset="digits", learning_rate=0.5, early_stopping="yes", patience=2, epochs=60)
    worker = Worker(config)
    async with running(worker, config) as (screen, pilot):
        await until(pilot, lambda: screen._state.status is State.COMPLETED and not worker.is_alive)
        snapshot = screen._state.snapshot
        assert snapshot is not None
        assert snapshot.best_step is not None
        assert snapshot.best_step < snapshot.step
        await pilot.press("P")
        await until(pilot, lambda: "the same bytes" in screen._state.message)
        assert f"replayed {snapshot.step:,} steps from step 0" in screen._state.message
