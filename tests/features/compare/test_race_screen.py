"""The race page over scripted jobs."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.job import ScriptedJob, scripted_page
from tests.support.made_race import CONFIG, ENDED, ROWS, STANDINGS
from tests.support.shell import until
from tuisim.config import RunConfig
from tuisim.features.compare.race.race import Comparison
from tuisim.features.compare.race.screen import RaceScreen
from tuisim.features.compare.race.view import RaceState, header, losses, losses_title, page, speed
from tuisim.terminal.chart import LABEL, plot_columns
from tuisim.terminal.lines import UNLIMITED, Frame, Tone, text, width_of
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


def racing(*jobs: ScriptedJob, size: tuple[int, int] = (120, 36)) -> AbstractAsyncContextManager[tuple[RaceScreen, Pilot[None]]]:
    return scripted_page(RaceScreen(PageContext(config=CONFIG)), *jobs, size=size)


def job(**state: Any) -> ScriptedJob:
    return ScriptedJob(**({"progress": STANDINGS} | state))


def drawn(screen: RaceScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#{panel}", Panel).canvas.lines)


def words(lines: Any) -> str:
    return "\n".join(map(text, lines))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("ended", [False, True], ids=["racing", "ended"])
async def test_every_entry_is_shown_at_every_size(size, ended):
    async with racing(job(result=ENDED if ended else None), size=size) as (screen, _):
        speeds = drawn(screen, "race-speed")
        assert all(name in speeds for name in ("scalar", "numpy", "numba"))
        assert "11.6 k" in speeds
        assert "not installed" in speeds or size == (60, 20)
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
            assert str(panel.border_subtitle) == "measured"
        assert not ended or "fastest here: numpy" in speeds


def test_a_finished_race_shows_set_up_costs_and_that_the_results_agree():
    ended = words(speed(RaceState(CONFIG, STANDINGS, ENDED), Frame(90, 30)))
    for expected in ("40.0 ms", "6.00 ms", "5.4 %", "371 k", "1.7e-07", "415", "all results agree", "uses every core"):
        assert expected in ended
    wrong = Comparison(ENDED.config, (ROWS[0], replace(ROWS[1], same=False)), (), (), 1.0)
    lines = speed(RaceState(CONFIG, STANDINGS[:2], wrong), Frame(90, 30))
    assert any("not all results agree" in characters and tone is Tone.BAD for line in lines for characters, tone in line)


def test_transfer_and_launch_have_columns_only_if_there_is_a_device():
    frame = Frame(110, 30)
    assert "copying" not in words(speed(RaceState(CONFIG, STANDINGS, ENDED), frame))
    gpu = replace(ROWS[1], name="cupy", backend="cupy", compile_seconds=0.8, transfer_seconds=0.031, launch_microseconds=88.2)
    standings = (STANDINGS[0], replace(STANDINGS[1], name="cupy"))
    ended = words(speed(RaceState(CONFIG, standings, Comparison(ENDED.config, (ROWS[0], gpu), (), (), 9.0)), frame))
    for expected in ("copying", "31.0 ms", "launch", "88.2 µs", "compiling"):
        assert expected in ended


def test_the_zoomed_panel_and_the_command_have_every_figure():
    lines = words(page(RaceState(CONFIG, STANDINGS, ENDED), Frame(112, UNLIMITED, zoomed=True)))
    for expected in (
        "2,740.0",
        "21.0",
        "60.00",
        "3.80 G",
        "layer 1, W[0,0]",
        "median step time of scalar",
        "numba: not installed",
    ):
        assert expected in lines


def test_losses_are_drawn_over_compute_time():
    lines = losses(RaceState(CONFIG, STANDINGS), Frame(60, 20))
    assert len(lines) == 20
    assert {Tone.FORWARD, Tone.BACKWARD} <= {tone for line in lines for _, tone in line}
    assert text(lines[-1]).endswith(" seconds")
    assert "numba" not in text(lines[0])


def test_the_header_fits_any_width():
    for width in (40, 60, 80, 120, 200):
        for state in (RaceState(CONFIG), RaceState(RunConfig(layers=(5,) * 65), STANDINGS, ENDED)):
            (line,) = header(state, Frame(width, 1))
            assert width_of(line) <= width


async def test_it_waits_for_a_run_and_m_pauses_it():
    paused = []
    screen = RaceScreen(PageContext(config=CONFIG, pause_run=lambda: paused.append(True)))
    waiting = job(progress=None, is_waiting=True)
    async with scripted_page(screen, waiting) as (_, pilot):
        assert "a run is in progress: m pauses it" in drawn(screen, "race-speed")
        assert "waiting" in text(screen._line.lines[0])
        await pilot.press("m")
        assert paused == [True]
        waiting.is_waiting, waiting.progress = False, STANDINGS
        screen.tick()
        await pilot.pause()
        assert "11.6 k" in drawn(screen, "race-speed")


async def test_measuring_again_cancels_the_job_before():
    first, second = job(result=ENDED), job()
    async with racing(first, second) as (screen, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert (first.is_cancelled, second.is_started, second.is_cancelled) == (True, True, False)
        await pilot.press("2")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert screen.app.screen is not screen
        assert second.is_cancelled


async def test_a_failure_is_shown_in_place_of_the_figures():
    async with racing(job(progress=None, failure="data nothing.csv: not found")) as (screen, _):
        assert "nothing.csv" in drawn(screen, "race-speed")


async def test_the_page_takes_the_lease_of_its_context():
    screen = RaceScreen(PageContext(config=CONFIG))
    assert screen.make_job()._lease is screen.context.lease


def test_the_losses_are_named_with_the_latest_values_or_those_at_the_cursor():
    state = RaceState(CONFIG, STANDINGS)
    latest = text(losses(state, Frame(80, 20))[0])
    assert latest.startswith("loss  ")
    assert "scalar  0.0383" in latest
    assert "numpy  0.0115" in latest
    middle = Frame(80, 20, cursor=plot_columns(80) // 2)
    first, *rows = map(text, losses(state, middle))
    assert first.startswith("loss at 1.00 s")
    assert "scalar  0.0742" in first or "scalar  0.0767" in first, "step 30 or 31 of 60"
    assert "┊" in {row[LABEL + 1 + plot_columns(80) // 2] for row in rows}


def test_the_loss_axis_is_logarithmic_by_the_losses_or_by_choice():
    state = RaceState(CONFIG, STANDINGS)
    assert losses_title(state) == "loss vs compute time · log"
    assert losses_title(replace(state, log_scale=False)) == "loss vs compute time"
    assert losses_title(RaceState(CONFIG)) == "loss vs compute time"
    assert losses(state, Frame(80, 20)) != losses(replace(state, log_scale=False), Frame(80, 20))


@pytest.mark.parametrize("width", [56, 76, 96])
def test_the_time_axis_has_at_least_three_numbers_that_do_not_touch(width):
    for seconds in (0.013, 1.0, 1.53, 2.0, 9.7):
        standings = tuple(replace(one, seconds=seconds) for one in STANDINGS)
        axis = text(losses(RaceState(CONFIG, standings), Frame(width, 20))[-1])
        assert len(re.findall(r"[\d.]+", axis)) >= 3, axis
        assert re.search(r"─ seconds$", axis)


async def test_l_switches_the_scale_and_the_title_says_so():
    async with racing(job(result=ENDED)) as (screen, pilot):
        panel = screen.query_one("#race-loss", Panel)
        assert "log" in str(panel.border_title)
        await pilot.press("l")
        await until(pilot, lambda: "log" not in str(panel.border_title))
        await pilot.press("l")
        await until(pilot, lambda: "log" in str(panel.border_title))


async def test_the_arrows_move_the_cursor_of_the_zoomed_losses_and_only_of_them():
    async with racing(job(result=ENDED)) as (screen, pilot):
        await pilot.press("left")
        await pilot.pause()
        assert " at " not in drawn(screen, "race-loss"), "the losses have not the focus"
        await pilot.press("2")
        await until(pilot, lambda: screen.focused is screen.query_one("#race-loss"))
        await pilot.press("left", "left")
        await until(pilot, lambda: "loss at 1.98 s" in drawn(screen, "race-loss"))
        await pilot.press("right", "right")
        await until(pilot, lambda: " at " not in drawn(screen, "race-loss"))
        await pilot.press("2")
        await until(pilot, lambda: screen.focused is screen.query_one("#race-speed"))


async def test_the_mouse_moves_the_cursor_of_the_losses():
    async with racing(job(result=ENDED)) as (screen, pilot):
        panel = screen.query_one("#race-loss", Panel)
        await pilot.hover(panel, offset=(LABEL + 20, 6))
        await until(pilot, lambda: "loss at " in drawn(screen, "race-loss"))
        await pilot.hover(screen.query_one("#race-speed", Panel), offset=(5, 3))
        await until(pilot, lambda: "loss at " not in drawn(screen, "race-loss"))
