"""A run compared with its prediction: on its screen, at its end, and as it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.made_machine_profile import machine_profile
from tests.support.provenance import said
from tests.support.scripted import ScriptedWorker, snapshot
from tests.support.shell import Shell
from tests.tui.test_predictor import DIGITS, Told
from tuisim import units
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine import Summary, Trainer
from tuisim.engine.events import Ended, Paused, SpeedLimitChanged, State
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.features.run.screen import ROUND, RunScreen
from tuisim.measure.peaks import Blas, Peaks
from tuisim.predict.cost_model import predict
from tuisim.predict.prediction import Interval, Prediction
from tuisim.predict.record import MIN_SECONDS, keep, mean_step
from tuisim.store.runs import FILE, StoredRuns, read
from tuisim.tui.app import TuisimApp
from tuisim.tui.panel import Panel

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


@pytest.fixture(autouse=True)
def peaks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a real run use given peaks instead of measuring them."""
    peaks = Peaks("float32", 1, 235e9, 21e9, Blas("OpenBLAS 0.3.31", "SkylakeX", None))
    monkeypatch.setattr("tuisim.engine.loop.peaks_of", lambda *_: peaks)


# ── the run screen ──


def compared(config: RunConfig = DIGITS, **changes: Any) -> Prediction:
    return replace(predict(config, machine_profile()), **changes)


@asynccontextmanager
async def with_prediction(
    prediction: Prediction, moments: list[Any], size: tuple[int, int] = (120, 36), lease: MachineLease | None = None
) -> AsyncIterator[tuple[RunScreen, ScriptedWorker]]:
    """Show a scripted run beside its prediction, after the screen's first look."""
    worker, app = ScriptedWorker(moments), Shell()
    async with app.run_test(size=size) as pilot:
        screen = RunScreen(worker, prediction.config, count(prediction.config), prediction, lease)
        await app.push_screen(screen)
        await pilot.pause()
        screen.tick()
        await pilot.pause()
        yield screen, worker


def looked(screen: RunScreen) -> str:
    for _ in range(ROUND):
        screen.tick()
    return "\n".join("".join(segment.text for segment in strip) for strip in screen._compositor.render_strips())


ENDING = replace(DIGITS, epochs=400)
RATES = snapshot().throughput


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
async def test_predicted_is_beside_measured_and_the_time_left_is_from_both(size):
    prediction = compared(ENDING, wall_seconds=Interval(9.0, 10.0, 11.0))
    step = mean_step(prediction).likely
    early = snapshot(ENDING, step=2_000, total_steps=20_000, throughput=None, seconds_left=99.0, throughput_history=())
    rate = replace(RATES, steps_per_second=1 / (1.25 * step))
    later = replace(early, step=4_000, throughput=rate, seconds_left=8.0, wall_seconds=4.0)
    async with with_prediction(prediction, [early, later], size) as (screen, worker):
        shown = looked(screen)
        assert "9.00 s left projected" in shown, "nine tenths of what was predicted"
        assert f"predicted {units.duration(step)} per step" in " ".join(shown.split())
        worker.advance()
        shown = looked(screen)
        assert "8.00 s left projected" in shown
        assert "25 % longer" in shown
        if size[0] >= 120:
            assert "predicted 10.0 s in total, estimated 12.0 s: 20 % longer" in " ".join(shown.split())
        panel = screen.query_one("#throughput", Panel)
        assert "predictions projected" in str(panel.border_subtitle)
        said(panel.canvas.lines, str(panel.border_subtitle))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_end_is_compared_with_the_prediction(size):
    prediction = compared(ENDING, wall_seconds=Interval(11.0, 12.3, 14.0))
    last = snapshot(ENDING, state=State.COMPLETED, step=20_400, total_steps=20_400, wall_seconds=13.1, seconds=12.0)
    async with with_prediction(prediction, [last], size) as (screen, worker):
        worker.tell(Ended(State.COMPLETED, 20_400, ""))
        screen._shown = None
        assert "predicted 12.3 s, measured 13.1 s: 7 % longer projected" in looked(screen)


async def test_a_stopped_run_is_compared_by_its_steps():
    prediction = compared(replace(DIGITS, epochs=None))
    took = 2.2 * 10_000 * mean_step(prediction).likely
    last = snapshot(state=State.STOPPED, step=10_000, seconds=took, message="stopped by user")
    async with with_prediction(prediction, [last], (200, 60)) as (screen, worker):
        worker.tell(Ended(State.STOPPED, 10_000, "stopped by user"))
        screen._shown = None
        shown = looked(screen)
        assert "2.20 × as long" in shown
        assert " per step, measured " in shown


@pytest.mark.parametrize("event", [Paused(5, "by user"), SpeedLimitChanged(5, 10.0)], ids=["paused", "throttled"])
async def test_a_paused_run_is_compared_by_its_steps_and_a_throttled_one_not_at_all(event):
    prediction = compared(ENDING, wall_seconds=Interval(11.0, 12.3, 14.0))
    going_on = snapshot(ENDING, step=4_000, total_steps=20_400, seconds_left=8.0)
    last = replace(going_on, state=State.COMPLETED, step=20_400)
    async with with_prediction(prediction, [going_on, last]) as (screen, worker):
        assert "predicted" in looked(screen)
        worker.tell(event)
        worker.advance()
        worker.tell(Ended(State.COMPLETED, 20_400, ""))
        shown = looked(screen)
        assert "completed" in shown
        assert "in total" not in shown
        assert (" per step, measured 23.5 µs: 88 % shorter" in shown) == isinstance(event, Paused)
        assert ("predicted " in shown) == isinstance(event, Paused)


async def test_the_status_line_says_what_the_run_waits_for() -> None:
    lease = MachineLease()
    async with with_prediction(compared(), [None], lease=lease) as (screen, _):
        with lease.hold(Claim("a calibration", Priority.BACKGROUND)):
            assert "waiting for a calibration to end" in looked(screen)
        assert "waiting for a calibration" not in looked(screen)


# ── the app ──


@asynccontextmanager
async def app_with(config: RunConfig, told: Told | None = None) -> AsyncIterator[tuple[TuisimApp, Pilot[None]]]:
    """Run the app with a real run and a scripted predictor."""
    app = TuisimApp(config, predictor=lambda lease: told or Told())
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+r")
        await pilot.pause()
        yield app, pilot


async def over(app: TuisimApp, pilot: Pilot[None]) -> None:
    """Wait until the run and its keeping have ended."""
    for _ in range(500):
        await pilot.pause(0.02)
        if app.worker is not None and app.keeping is not None and not app.worker.is_alive and not app.keeping.is_alive:
            return
    raise AssertionError("the run did not end")


async def test_a_run_at_full_speed_is_kept_with_its_prediction() -> None:
    async with app_with(replace(DIGITS, epochs=30)) as (app, pilot):
        await over(app, pilot)
        (run,) = read().runs
        found = predict(replace(DIGITS, epochs=30), machine_profile())
        assert found.seconds is not None
        assert run.ended == "completed"
        assert run.predicted_seconds is not None
        assert run.predicted_seconds[1] == found.seconds.likely
        assert run.steps == 30 * 51
        screen = app.screen
        assert isinstance(screen, RunScreen)
        assert "measured" in looked(screen)


async def test_a_run_that_is_left_is_kept_as_well() -> None:
    async with app_with(replace(DIGITS, epochs=None)) as (app, pilot):
        while app.worker is None or app.worker.snapshot is None or app.worker.snapshot.seconds < MIN_SECONDS:
            await pilot.pause(0.02)
        await pilot.press("escape")
        await over(app, pilot)
        (run,) = read().runs
        assert run.ended == "stopped"
        assert run.predicted_seconds is not None
        assert run.predicted_wall_seconds is None


@pytest.fixture(scope="module")
def summary() -> Summary:
    return Trainer(replace(DIGITS, epochs=2)).run()


@pytest.mark.parametrize(
    "changes",
    [{"ended": State.DIVERGED}, {"ended": State.FAILED}, {"steps": 0}, {"seconds": 0.0}],
    ids=str,
)
def test_a_run_that_made_no_step_or_failed_is_not_kept(summary, changes):
    assert keep(None, None) == ""
    assert keep(replace(summary, **changes), None) == ""
    assert read() == StoredRuns()
    assert keep(summary, None) == ""
    (run,) = read().runs
    assert (run.steps, run.predicted_seconds) == (102, None)


async def test_a_run_that_cannot_be_kept_is_a_notice(own_folder) -> None:
    (own_folder / FILE).mkdir()
    async with app_with(replace(DIGITS, epochs=2)) as (app, pilot):
        await over(app, pilot)
        await pilot.pause(0.1)
        assert "this run was not kept" in [note.title for note in app._notifications]
        assert app.return_code is None


async def test_without_a_predictor_no_run_is_kept() -> None:
    app = TuisimApp(replace(DIGITS, epochs=2))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+r")
        while app.worker is None or app.worker.is_alive:
            await pilot.pause(0.02)
        assert app.keeping is None
        assert read() == StoredRuns()


async def test_the_predictor_starts_and_stops_with_the_app() -> None:
    told = Told()
    app = TuisimApp(DIGITS, predictor=lambda lease: told)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert told.started
    assert told.stopped
