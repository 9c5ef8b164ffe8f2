"""The race screen as a person meets it, over a scripted worker."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support import shell
from tests.support.shell import Studio, studying
from tuisim.backends import names
from tuisim.backends.probing import Probe
from tuisim.config import RunConfig
from tuisim.features.compare.entries import Entry
from tuisim.features.compare.race.race import Comparison, Row, Standing, Unavailable
from tuisim.features.compare.race.screen import RaceScreen, field
from tuisim.features.compare.race.view import Heat, LossRaceView, SpeedView
from tuisim.terminal.lines import Frame, Tone, text, width_of
from tuisim.tui.panel import Panel

CONFIG = RunConfig(layers=(64, 32, 10))
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
FALLING = tuple(2.3 / (n + 1) for n in range(200))
STANDINGS = (
    Standing("scalar", "plain Python ×1, float64", 60, 1_920, 2.0, 36_254.7, FALLING[:60]),
    Standing("numpy", "OpenBLAS ×1", 23_000, 736_000, 2.0, 86.3, FALLING),
    Standing("numba", "", 0, 0, 0.0, None, (), "not installed; pip install '.[numba]'"),
)
ROWS = (
    Row("scalar", "scalar", 1, "float64", "plain Python ×1, float64", bind_seconds=1e-3, first_call_seconds=0.04,
        compile_seconds=None, transfer_seconds=None, launch_microseconds=None,
        microseconds_per_step=36_254.7, spread=2_740.0, rounds=61, examples_per_second=883.0, flops_per_second=9.1e6,
        utilization=1e-4, speedup=1.0, speedup_spread=0.0, max_parameter_difference=0.0, where="", same=True),
    Row("numpy", "numpy", 1, "float32", "OpenBLAS ×1", bind_seconds=1e-3, first_call_seconds=6e-3, compile_seconds=None,
        transfer_seconds=None, launch_microseconds=None,
        microseconds_per_step=86.3, spread=21.0, rounds=61, examples_per_second=371e3, flops_per_second=3.8e9,
        utilization=0.054, speedup=415.0, speedup_spread=60.0, max_parameter_difference=1.7e-7, where="layer 1, W[0,0]",
        same=True),
)  # fmt: skip
GONE = (Unavailable("numba", "not installed", "pip install '.[numba]'"),)
ENDED = Comparison(CONFIG.resolved(), ROWS, GONE, ("numpy@2: every usable core, so none is left for an app beside it",), 9.0)


class Scripted(shell.Scripted):
    """A race as far as it is told."""

    standings: tuple[Standing, ...] = ()
    comparison: Comparison | None = None


def racing(
    size: tuple[int, int] = (120, 36), busy: bool = False, **state: Any
) -> AbstractAsyncContextManager[tuple[RaceScreen, Pilot[None], Studio]]:
    app = Studio(lambda *hands: RaceScreen(CONFIG, *hands), lambda entered: Scripted(**state), busy)
    return studying(app, RaceScreen, size)


def drawn(screen: RaceScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#{panel}", Panel).canvas.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("ended", [False, True], ids=["racing", "ended"])
async def test_every_contender_is_seen_at_every_size(size, ended):
    async with racing(size, standings=STANDINGS, comparison=ENDED if ended else None) as (screen, _, _):
        speeds = drawn(screen, "race-speed")
        assert all(name in speeds for name in ("scalar", "numpy", "numba"))
        assert "11.6 k" in speeds
        assert "not installed" in speeds or size == (60, 20)
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
        assert not ended or "numpy is the fastest here" in speeds


def test_the_end_says_what_was_paid_once_and_that_all_computed_the_same():
    view = SpeedView()
    view.heat = Heat(STANDINGS, ENDED)
    words = "\n".join(text(line) for line in view.lines(None, Frame(90, 30)))
    for expected in ("40.0 ms", "6.00 ms", "5.4 %", "371 k", "1.7e-07", "415.00", "all computed the same", "every usable core"):
        assert expected in words
    wrong = Comparison(ENDED.config, (ROWS[0], replace(ROWS[1], same=False)), (), (), 1.0)
    view.heat = Heat(STANDINGS[:2], wrong)
    lines = view.lines(None, Frame(90, 30))
    assert any("not all computed the same" in characters and tone is Tone.BAD for line in lines for characters, tone in line)


def test_what_a_device_of_its_own_costs_has_columns_only_where_there_is_one():
    view = SpeedView()
    view.heat = Heat(STANDINGS, ENDED)
    frame = Frame(110, 30)
    assert "copying" not in "\n".join(text(line) for line in view.lines(None, frame))
    card = replace(ROWS[1], name="cupy", backend="cupy", compile_seconds=0.8, transfer_seconds=0.031, launch_microseconds=88.2)
    view.heat = Heat(STANDINGS, Comparison(ENDED.config, (ROWS[0], card), (), (), 9.0))
    words = "\n".join(text(line) for line in view.lines(None, frame))
    for expected in ("copying", "31.0 ms", "launch", "88.2 µs", "compiling"):
        assert expected in words


def test_losses_are_drawn_over_each_ones_own_seconds():
    view = LossRaceView()
    view.heat = Heat(STANDINGS)
    lines = view.lines(None, Frame(60, 20))
    assert len(lines) == 20
    assert {Tone.FORWARD, Tone.BACKWARD} <= {tone for line in lines for _, tone in line}
    assert "s of its own" in text(lines[-1])
    assert "numba" not in text(lines[0])


async def test_it_waits_for_a_training_and_says_how_to_go_on():
    async with racing(busy=True, standings=STANDINGS) as (screen, pilot, app):
        assert app.made == []
        assert "m pauses it and begins" in drawn(screen, "race-speed")
        await pilot.press("m")
        screen.tick()
        await pilot.pause()
        assert len(app.made) == 1
        assert app.made[0][0].started
        assert "11.6 k" in drawn(screen, "race-speed")


async def test_again_ends_the_one_and_begins_another():
    async with racing(standings=STANDINGS, comparison=ENDED) as (screen, pilot, app):
        await pilot.press("r")
        await pilot.pause()
        assert [worker.stopped for worker, _ in app.made] == [True, False]
        await pilot.press("2")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen
        assert app.made[-1][0].stopped


async def test_again_waits_until_the_stopped_one_has_left_its_step():
    async with racing(standings=STANDINGS, alive=True) as (screen, pilot, app):
        await pilot.press("r")
        await pilot.pause()
        assert [worker.stopped for worker, _ in app.made] == [True]
        app.made[0][0].alive = False
        screen.tick()
        assert len(app.made) == 2
        assert app.made[1][0].started


async def test_a_failure_is_said_where_the_figures_would_be():
    async with racing(failure="data nothing.csv: not found") as (screen, _, _):
        assert "nothing.csv" in drawn(screen, "race-speed")


def test_the_field_is_every_backend_and_all_cores():
    assert Entry("numpy", 4) in field(4)
    assert [entry.backend for entry in field(1)].count("numpy") == 1
    assert Entry("scalar", None) in field(1)


def test_a_backend_that_is_not_installed_does_not_race(monkeypatch):
    there = {"cupy": Probe("cupy", False, None, "", "not installed", "pip install it")}
    monkeypatch.setattr("tuisim.features.compare.race.screen.known", there.get)
    assert [entry.backend for entry in field(1)] == [name for name in names() if name != "cupy"]
    there["cupy"] = Probe("cupy", False, "14.2.0", "", "no NVIDIA driver", "install it")
    assert Entry("cupy", None) in field(1), "what is broken is told with its reason"
