"""The crossover page over scripted jobs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.job import ScriptedJob, scripted_page
from tests.support.made_crossover import BLANK, CONFIG, END, FULL, HALF, PAIR, THREADS, ended
from tuisim.features.compare.crossover.screen import CrossoverScreen
from tuisim.features.compare.crossover.view import CrossoverState, cell_lines, header, map_lines, rule_lines
from tuisim.terminal.lines import Frame, Tone, text, width_of
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


def sweeping(
    *jobs: ScriptedJob, size: tuple[int, int] = (120, 36), **context: Any
) -> AbstractAsyncContextManager[tuple[CrossoverScreen, Pilot[None]]]:
    return scripted_page(CrossoverScreen(PageContext(config=CONFIG, **context), (PAIR, THREADS)), *jobs, size=size)


def finished() -> ScriptedJob:
    return ScriptedJob(progress=END, result=ended())


def drawn(screen: CrossoverScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#crossover-{panel}", Panel).canvas.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("is_finished", [False, True], ids=["measuring", "finished"])
async def test_map_cell_and_rule_are_shown_at_every_size(size, is_finished):
    async with sweeping(finished() if is_finished else ScriptedJob(progress=HALF), size=size) as (screen, _):
        shown = drawn(screen, "map")
        assert "1,024" in shown
        assert "numba 8.0×" in shown or "nb 8.0×" in shown or "nb8.0" in shown or "nb" in shown
        assert "=" in shown
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
            assert "measured" in str(panel.border_subtitle)
        if is_finished:
            assert "below" in drawn(screen, "rule")
        else:
            assert "25 of 54 cells, 7 of 20 s" in drawn(screen, "rule")
            assert "…" in shown


def state(**changes: Any) -> CrossoverState:
    return replace(CrossoverState(CONFIG, PAIR, END, ended()), **changes)


def map_of(width: int, height: int, **changes: Any) -> list[str]:
    return [text(line) for line in map_lines(state(**changes), Frame(width, height))]


def test_a_cell_names_the_winner_without_colour():
    lines = map_of(130, 20)
    row = next(line for line in lines if line.startswith("   64"))
    assert row.split() == [
        "64",
        "numba",
        "8.0×",
        "numba",
        "8.0×",
        "numba",
        "8.0×",
        "numba",
        "8.0×",
        "=",
        "numpy",
        "1.2×",
        "numpy",
        "1.2×",
    ]
    largest = next(line for line in lines if line.startswith("2,048"))
    assert largest.rstrip().endswith("✗")  # and the last one was not measured
    assert "= tie, ✗ failed, blank: not measured" in lines[-1]
    short = map_of(70, 20)
    assert any("nb8.0" in line for line in short) or any("nb 8.0×" in line for line in short)
    assert "np numpy, nb numba" in " ".join(short)
    assert all(width_of(((line, Tone.TEXT),)) <= 40 for line in map_of(40, 20))


def test_a_map_that_is_too_tall_follows_the_cursor():
    lines = map_of(120, 8, selected=(8, 1))
    assert lines[0].startswith("↕ +")
    assert lines[1].startswith("    8")
    lines = map_of(120, 8, selected=(2_048, 1))
    assert lines[-1].startswith("2,048[") or lines[-1].startswith("2,048 ")
    assert not any(line.startswith("    8") for line in lines)
    assert len(map_of(120, 30)) > 14


def test_the_cursor_moves_from_cell_to_cell_and_over_gaps():
    looked = state(selected=(64, 16))
    assert looked.moved(0, 1) == (64, 32)
    assert looked.moved(1, 0) == (128, 16)
    assert replace(looked, selected=(64, 32)).moved(1, 0) == (64, 32)  # nothing else was measured at batch 32
    assert replace(looked, selected=(64, 32)).moved(0, 1) == (64, 64)
    assert replace(looked, selected=(8, 1)).moved(-1, 0) == (8, 1)
    assert CrossoverState(CONFIG, PAIR).moved(1, 0) is None
    assert state(selected=None).cursor == (96, 64)  # the one measured last
    assert state(selected=(7, 7)).cursor == (96, 64)


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ((64, 1), ["width 64, batch 1", "800 µs", "100 µs", "± 20.0 µs", "numba 8.0 × as fast ± 1.3", "9 rounds"]),
        ((512, 16), ["numpy 1.2 × as fast ± 0.02"]),
        ((64, 64), ["tie: 1.00 ± 0.02", "9 rounds"]),
        ((2_048, 256), ["numba: out of memory"]),
        ((2_048, 1_024), ["would take 44.0 s, projected"]),
    ],
)
@pytest.mark.parametrize("frame", [Frame(60, 12), Frame(30, 4)], ids=["roomy", "narrow"])
def test_the_figures_of_the_cell_under_the_cursor(selected, expected, frame):
    lines = [text(line) for line in cell_lines(state(selected=selected), frame)]
    shown = " ".join(" ".join(lines).split())
    assert all(part in shown for part in expected)
    assert max(map(len, lines)) <= frame.width


def test_the_largest_cell_fits_in_the_narrowest_panel():
    assert text(cell_lines(state(selected=BLANK.size), Frame(30, 4))[0]) == "2,048 × 1,024  10.0 G ops"
    assert text(cell_lines(state(selected=BLANK.size), Frame(60, 4))[0]) == "width 2,048, batch 1,024  10,000,000,000 operations"


def test_a_cell_that_is_being_measured_says_so():
    assert "being measured" in text(cell_lines(CrossoverState(CONFIG, PAIR, HALF, selected=HALF.now), Frame(60, 12))[-1])
    assert "not measured" in text(cell_lines(CrossoverState(CONFIG, PAIR, HALF, selected=FULL[30].size), Frame(60, 12))[-1])


def test_the_rule_says_if_it_does_not_fit():
    whole = " ".join(text(line) for line in rule_lines(state(), Frame(100, 30)))
    for sentence in ended().rule.sentences:
        assert sentence in whole
    assert "uses every core" in whole
    short = rule_lines(state(), Frame(40, 5))
    assert len(short) == 5
    assert text(short[-1]) == "… press 3 for the rest"
    assert len(rule_lines(state(), Frame(40, 5, zoomed=True))) > 5


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_header_names_both(width):
    line = text(header(state(), Frame(width, 1))[0])
    assert "numpy (np)" in line
    assert "numba (nb)" in line
    assert "■ finished" in line
    assert len(line) <= width
    line = text(header(CrossoverState(CONFIG, THREADS), Frame(width, 1))[0])
    assert "numpy@1 vs numpy@2" in line


async def test_it_waits_for_a_run_and_m_pauses_it():
    paused = []
    job = ScriptedJob(is_waiting=True)
    async with sweeping(job, pause_run=lambda: paused.append(True)) as (screen, pilot):
        assert "a run is in progress: m pauses it" in drawn(screen, "map")
        await pilot.press("m")
        assert paused == [True]
        job.is_waiting, job.progress = False, HALF
        screen.tick()
        await pilot.pause()
        assert "25 of 54 cells" in drawn(screen, "rule")


async def test_arrows_move_the_cursor_while_the_map_has_the_focus():
    async with sweeping(finished()) as (screen, pilot):
        assert "width 96, batch 64" in drawn(screen, "cell")
        await pilot.press("up")
        assert "width 64, batch 64" in drawn(screen, "cell")
        await pilot.press("left", "left", "down")
        assert "width 128, batch 16" in drawn(screen, "cell")
        assert "[numba 8.0×]" in drawn(screen, "map")
        screen.query_one("#crossover-rule").focus()
        await pilot.press("down")
        assert "width 128, batch 16" in drawn(screen, "cell")


async def test_again_the_next_pair_and_back():
    first, second = finished(), ScriptedJob(progress=HALF)
    async with sweeping(first, second) as (screen, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert (first.is_cancelled, second.is_started, second.is_cancelled) == (True, True, False)
        assert "numpy (np) vs numba (nb)" in text(screen._line.lines[0])
        await pilot.press("p")
        await pilot.pause()
        assert second.is_cancelled
        assert "numpy@1 vs numpy@2" in text(screen._line.lines[0])
        await pilot.press("p")
        await pilot.pause()
        assert "numpy (np) vs numba (nb)" in text(screen._line.lines[0])
        last = screen.job
        await pilot.press("3")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert screen.app.screen is not screen
        assert last.is_cancelled


async def test_the_zoomed_rule_scrolls_with_the_arrows():
    async with sweeping(finished(), size=(60, 20)) as (screen, pilot):
        await pilot.press("3")
        await pilot.pause()
        panel = screen.query_one("#crossover-rule", Panel)
        assert panel.canvas.scrolls
        await pilot.press("down", "down")
        await pilot.pause()
        assert panel.scroll_y == 2


async def test_a_failure_is_shown_in_place_of_the_map():
    async with sweeping(ScriptedJob(failure="backend numba: not installed; pip install 'tuisim[numba]'")) as (screen, _):
        assert "not installed" in drawn(screen, "map")
        assert "not installed" in drawn(screen, "rule")


async def test_the_page_takes_the_lease_of_its_context():
    screen = CrossoverScreen(PageContext(config=CONFIG), (PAIR,))
    assert screen.make_job()._lease is screen.context.lease
