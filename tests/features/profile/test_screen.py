"""The page Profile over scripted jobs: roofline, operations and waterfall."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.job import ScriptedJob, scripted_page
from tests.support.made_profile import NET, ROOFS, made_profile
from tests.support.provenance import said
from tests.support.scripted import snapshot
from tests.support.shell import until
from tuisim import RunConfig, units
from tuisim.features.profile.roofline import roofline
from tuisim.features.profile.screen import ProfileScreen
from tuisim.features.profile.step_profile import StepProfile
from tuisim.features.profile.view import (
    ProfileState,
    header,
    operation_lines,
    operation_places,
    roofline_lines,
    scales,
    waterfall_lines,
)
from tuisim.features.profile.waterfall import TimeBreakdown
from tuisim.program import Kind
from tuisim.terminal.chart import cell_of, x_at
from tuisim.terminal.lines import ChartStyle, Frame, Tone, text, width_of
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel

TAGS = ("measured, FLOP/byte counted", "measured, layers counted", "measured")
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
STEP = made_profile(seconds={Kind.CROSS_ENTROPY: 30e-6, Kind.DENSE: 12e-6})
DEEP = made_profile(RunConfig(layers=(64, *(32,) * 20, 10), optimizer="adam", clip_norm=1.0, threads=1))
RUN = TimeBreakdown(1.0, 8_000 * STEP.step_seconds, 8_000, 0.05, 0.02, 0.1)


def profiling(
    *jobs: ScriptedJob, size: tuple[int, int] = (120, 36), run: Any = None
) -> AbstractAsyncContextManager[tuple[ProfileScreen, Pilot[None]]]:
    """Show the page; `run` is the latest snapshot of a run of the same configuration."""
    worker: Any = SimpleNamespace(snapshot=run) if run else None
    return scripted_page(ProfileScreen(PageContext(config=NET, run=worker, run_config=NET)), *jobs, size=size)


def drawn(screen: ProfileScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#profile-{panel}", Panel).canvas.lines)


def state(step: StepProfile = STEP, **changes: Any) -> ProfileState:
    return replace(ProfileState(NET, step), **changes)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    ("job", "run"),
    [({"progress": 0.4}, None), ({"result": STEP}, snapshot(NET)), ({"result": DEEP}, None)],
    ids=["measuring", "a run", "a deep step"],
)
async def test_all_three_panels_are_shown_at_every_size(size, job, run):
    async with profiling(ScriptedJob(**job), size=size, run=run) as (screen, _):
        for panel, tag in zip(screen.query(Panel), TAGS, strict=True):
            room = panel.scrollable_content_region
            assert panel.canvas.lines
            assert len(panel.canvas.lines) <= room.height
            assert max(width_of(line) for line in panel.canvas.lines) <= room.width
            assert str(panel.border_subtitle) == tag
            said(panel.canvas.lines, tag)
        if "result" in job:
            assert "10.0 GB/s" in drawn(screen, "roofline")
            assert "100 GFLOP/s" in drawn(screen, "roofline")
            assert "›" in drawn(screen, "operations")
            for label in ("GEMM inefficiency", "element-wise", "call overhead"):
                assert label in drawn(screen, "waterfall") or "others" in drawn(screen, "waterfall")
            assert ("this run" if run else "one step") in drawn(screen, "waterfall")
        else:
            assert "profiling the step" in drawn(screen, "roofline")


# ── the roofline ──


def roofs(width: int, height: int, chart_style: ChartStyle = ChartStyle.BRAILLE, **changes: Any) -> list[str]:
    return [text(line) for line in roofline_lines(state(**changes), Frame(width, height, chart_style))]


@pytest.mark.parametrize("chart_style", ChartStyle)
def test_the_picture_has_its_axes_with_units_its_roofs_and_its_letters(chart_style):
    lines = roofs(110, 20, chart_style)
    assert len(lines) == 20
    assert lines[0].lstrip().startswith("FLOP/s")
    assert "OpenBLAS 0.3.31 SkylakeX ×1, float32" in lines[0]
    assert lines[-1].endswith("FLOP/byte")
    assert any("ridge 10" in line for line in lines)
    picture = "".join(lines[1:-1])
    assert all(letter in picture for letter in "abcdefghij")
    assert chart_style is not ChartStyle.ASCII or picture.isascii()


@pytest.mark.parametrize(("width", "height"), [(78, 9), (110, 20), (110, 40)])
@pytest.mark.parametrize("chart_style", ChartStyle)
def test_each_distinct_level_is_named_at_its_slope(width, height, chart_style):
    step = made_profile(roofs=ROOFS)
    lines = roofs(width, height, chart_style, step=step)
    head, picture = lines[0] + lines[1], lines[1:-1]
    assert all(words in head for words in ("L1 320 GB/s", "L2 160 GB/s", "L3 80.0 GB/s", "DRAM 10.0 GB/s"))
    named = [line for line in picture if "DRAM" in line and "GB/s" not in line]
    assert len(named) == 1
    assert "L1" in named[0]
    if height > 20:
        assert re.findall("L[123]|DRAM", named[0]) == ["L1", "L2", "L3", "DRAM"]
    x_scale, _ = scales(roofline(step))
    assert named[0].index("DRAM") == 7 + round(x_scale.at(100e9 / 10e9) * (width - 8))


def test_a_rate_above_its_roof_is_marked_at_every_width_and_explained():
    step = made_profile(roofs=(replace(ROOFS[0], per_second=1e6), *ROOFS[1:]))
    for width in (38, 60, 120):
        lines = operations(width, 24, step=step, selected=2)
        assert any("▲" in line and "activations" in line for line in lines)
    shown = " ".join(" ".join(lines).split())
    assert "▲ above the L1 roof" in shown
    assert "of the L1 roof" in shown
    assert not any("▲" in line for line in operations(120, 24, step=made_profile(roofs=ROOFS), selected=2))


def test_a_dot_is_at_its_intensity_and_rate():
    found = roofline(STEP)
    x_scale, y_scale = scales(found)
    assert all(scale.low <= value <= scale.high for dot in found.dots if dot.place
               for scale, value in zip((x_scale, y_scale), dot.place, strict=True))  # fmt: skip
    lines = roofs(110, 40, selected=5)
    at = found.dots[5].place
    assert at is not None
    letter = state().letters[5]
    row = next(i for i, line in enumerate(lines[1:-1]) if f"[{letter}]" in line)
    assert row == round((1 - y_scale.at(at[1])) * 37)
    assert lines[1 + row].index(f"[{letter}]") + 1 == 7 + round(x_scale.at(at[0]) * 102)


def test_overlapping_letters_are_side_by_side_and_the_selected_one_is_in_its_cell():
    lines = "\n".join(roofs(60, 8, selected=len(STEP.operations) - 1))
    assert "[k]" in lines
    assert "j" in lines
    assert roofs(10, 4) == roofs(10, 4)[:1], "no room for a picture"


def test_an_operation_without_a_dot_has_no_letter():
    letters = state().letters
    assert letters[0] == "–"
    assert [letter for letter in letters if letter != "–"] == list("abcdefghijk")[: len(letters) - letters.count("–")]
    assert state(DEEP).letters[-2] == "•"


# ── the operations ──


def operations(width: int, height: int, **changes: Any) -> list[str]:
    return [text(line) for line in operation_lines(state(**changes), Frame(width, height))]


def test_the_most_expensive_operation_is_selected_first_with_its_advice():
    lines = operations(90, 24)
    (row,) = (line for line in lines if line.startswith("›"))
    assert "softmax, cross-entropy" in row
    assert "30.0 µs" in row
    assert "function" in row
    shown = " ".join(lines)
    assert "93.8 ns per element, for exponentials" in shown
    assert "of the memory roof" in shown


def test_a_narrow_panel_keeps_the_layer_and_names_the_key_for_the_rest():
    lines = operations(38, 8)
    assert len(lines) == 8
    assert max(map(len, lines)) <= 38
    assert any("a·W + b 2" in line for line in lines)
    short = operations(22, 6)
    assert short[-1] == "… press 2 for the rest"


def test_a_long_table_follows_the_cursor():
    many = operations(80, 14, step=DEEP, selected=len(DEEP.operations) - 1)
    assert any(line.startswith("›") and "flush" in line for line in many)
    assert not any("batch loading" in line for line in many)


def test_the_selection_is_limited_to_the_operations():
    last = len(STEP.operations) - 1
    assert state(selected=last + 1).cursor == last
    assert state(selected=-1).cursor == 0
    assert ProfileState(NET).cursor == 0


# ── the waterfall ──


def bars(
    width: int, height: int, zoomed: bool = False, chart_style: ChartStyle = ChartStyle.BRAILLE, **changes: Any
) -> list[str]:
    return [text(line) for line in waterfall_lines(state(**changes), Frame(width, height, chart_style, zoomed))]


def test_each_bar_begins_where_the_last_one_ended():
    lines = [line for line in bars(80, 9) if "%" in line]
    starts = [line.index("━") for line in lines]
    assert starts == sorted(starts)
    assert starts[0] == min(starts)
    ends = [line.rindex("━") for line in lines]
    assert all(start <= end + 2 for start, end in zip(starts[1:], ends, strict=False))
    assert any("#" in line for line in bars(80, 9, chart_style=ChartStyle.ASCII))


def test_every_part_has_advice_if_there_is_room_else_the_largest_one():
    roomy = " ".join(" ".join(bars(100, 40, run=RUN)).split())
    for expected in (
        "this run 1.00 s",
        "GFLOP/s in matrix products, peak 100 GFLOP/s",
        "paused by the user",
        "data generation not recorded",
    ):
        assert expected in roomy
    tight = bars(60, 12)
    assert len(tight) <= 12
    assert any(line.startswith("call overhead:") or line.startswith("element-wise work:") for line in tight)


def test_parts_for_which_there_is_no_room_become_one():
    lines = bars(40, 5, run=RUN)
    assert len(lines) == 5
    assert "others" in lines[-1]
    shares = [float(line.split("%")[0].split()[-1]) for line in lines[1:]]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert len(bars(40, 5, zoomed=True, run=RUN)) > 20


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_header_names_network_and_state(width):
    line = text(header(state(), Frame(width, 1))[0])
    assert "64-32-10" in line
    assert "■ finished" in line
    assert len(line) <= width
    assert ("SkylakeX" in line) == (width >= 80)


# ── the screen ──


async def test_arrows_move_the_selection_while_a_panel_has_the_focus():
    async with profiling(ScriptedJob(result=STEP)) as (screen, pilot):
        assert "› " in drawn(screen, "operations")
        await pilot.press("tab", "down")
        assert "› d" in drawn(screen, "operations")
        assert "[d]" in drawn(screen, "roofline")
        await pilot.press("up", "up")
        assert "› b" in drawn(screen, "operations")


async def test_the_waterfall_of_the_run_or_of_one_step():
    async with profiling(ScriptedJob(result=STEP), run=snapshot(NET)) as (screen, pilot):
        assert "this run" in drawn(screen, "waterfall")
        await pilot.press("w")
        assert "one step" in drawn(screen, "waterfall")
        await pilot.press("w")
        assert "this run" in drawn(screen, "waterfall")
    unstarted = snapshot(NET, wall_seconds=0.0, seconds=0.0, examples_seen=0)
    async with profiling(ScriptedJob(result=STEP), run=unstarted) as (screen, pilot):
        assert "one step" in drawn(screen, "waterfall"), "a run that has not begun has no time to divide"
        await pilot.press("w")
        assert "one step" in drawn(screen, "waterfall")


async def test_the_run_of_another_configuration_is_not_shown():
    context = PageContext(config=NET, run=SimpleNamespace(snapshot=snapshot(NET)), run_config=replace(NET, seed=9))  # type: ignore[arg-type]
    async with scripted_page(ProfileScreen(context), ScriptedJob(result=STEP)) as (screen, _):
        assert "one step" in drawn(screen, "waterfall")


async def test_it_waits_for_a_run_and_says_how_to_go_on():
    job = ScriptedJob(is_waiting=True)
    async with profiling(job) as (screen, pilot):
        assert "a run is in progress: m pauses it and starts" in drawn(screen, "roofline")
        job.is_waiting, job.result = False, STEP
        screen.tick()
        await pilot.pause()
        assert "ridge" in drawn(screen, "roofline")


async def test_measuring_again_and_leaving():
    first, second = ScriptedJob(result=STEP), ScriptedJob(result=STEP)
    async with profiling(first, second) as (screen, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert (first.is_cancelled, second.is_started, second.is_cancelled) == (True, True, False)
        await pilot.press("1")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        app = screen.app
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen
        assert second.is_cancelled


async def test_the_zoomed_waterfall_scrolls_with_the_arrows():
    async with profiling(ScriptedJob(result=STEP), size=(60, 20), run=snapshot(NET)) as (screen, pilot):
        await pilot.press("3")
        await pilot.pause()
        panel = screen.query_one("#profile-waterfall", Panel)
        assert panel.canvas.scrolls
        await pilot.press("down", "down")
        await pilot.pause()
        assert panel.scroll_y == 2


async def test_a_failure_is_shown_in_place_of_the_picture():
    async with profiling(ScriptedJob(failure="left out: a step would take 9.00 s")) as (screen, _):
        assert "9.00 s" in drawn(screen, "roofline")
        (line,) = screen.query_one("#profile-roofline", Panel).canvas.lines
        assert {tone for _, tone in line if _.strip()} == {Tone.BAD}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=str)
async def test_a_click_selects_the_operation_in_a_scrolled_table_too(size):
    async with profiling(ScriptedJob(result=DEEP), size=size) as (screen, pilot):
        await pilot.press(*["down"] * 12)
        panel = screen.query_one("#profile-operations", Panel)
        place = next(i for i, line in enumerate(panel.canvas.lines) if "›" in text(line)) - 2
        wanted = text(panel.canvas.lines[place]).strip()
        await pilot.click(panel, offset=(6, place + 1))
        await pilot.pause()
        chosen = next(text(line) for line in panel.canvas.lines if "›" in text(line))
        assert chosen.replace("›", " ").strip() == wanted
        await pilot.click(panel, offset=(6, 1))  # the heading
        assert next(text(line) for line in panel.canvas.lines if "›" in text(line)) == chosen


def test_a_clipped_table_has_the_number_of_hidden_rows():
    frame = Frame(70, 16)
    lines = [text(line) for line in operation_lines(state(DEEP), frame)]
    hidden = len(DEEP.operations) - (len(operation_places(state(DEEP), frame)) - 1)
    assert f"  … {hidden} more" in lines


def test_the_cursor_names_the_intensity_the_operations_and_the_roofs():
    shown = state(made_profile(seconds={Kind.CROSS_ENTROPY: 30e-6, Kind.DENSE: 12e-6}, roofs=ROOFS))
    frame, found = Frame(110, 24), shown.roofline
    assert found is not None
    x_scale, y_scale = scales(found)
    one = found.dots[shown.cursor]
    assert one.place is not None
    cell = cell_of(*one.place, x_scale, y_scale, 110, 20)
    assert cell is not None
    plain, lines = roofline_lines(shown, frame), roofline_lines(shown, replace(frame, cursor=cell[1]))
    assert len(lines) == len(plain) == frame.height
    head = "".join(map(text, lines[:2]))
    assert "softmax, cross-entropy 36.3 MFLOP/s" in head
    intensity = x_at(cell[1], 110, x_scale)
    assert f"at {units.figure(intensity)} FLOP/byte" in head
    assert intensity == pytest.approx(one.place[0], rel=0.1)
    assert f"DRAM {units.si(10e9 * intensity)}FLOP/s" in head, "10 GB/s times FLOP/byte"
    assert "GEMM 100 GFLOP/s" in head
    assert "softmax" not in "".join(map(text, roofline_lines(shown, replace(frame, cursor=0))[:2]))


async def test_the_arrows_move_the_cursor_of_the_roofline_beside_the_selected_operation():
    async with profiling(ScriptedJob(result=STEP)) as (screen, pilot):
        await pilot.press("left")
        await until(pilot, lambda: "FLOP/byte  " in drawn(screen, "roofline").splitlines()[0])
        before = drawn(screen, "operations")
        await pilot.press("left")
        await pilot.pause()
        assert drawn(screen, "operations") == before
        await pilot.press("right", "right")
        await until(pilot, lambda: drawn(screen, "roofline").startswith("FLOP/s"))
