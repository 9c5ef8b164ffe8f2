"""The page Runs over stored runs that the test adds to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from textual.pilot import Pilot

from tests.support.past_runs import RUN, noisy, several
from tests.support.provenance import said
from tests.support.shell import Shell, until
from tuisim import units
from tuisim.config import RunConfig
from tuisim.errors import DataError
from tuisim.features.runs.cost_fit import cost_fits
from tuisim.features.runs.screen import RunsScreen
from tuisim.features.runs.view import FIT_TAG, RUNS_TAG, SCATTER_TAG, RunsState, fit_lines, fit_places, run_lines, scatter_lines
from tuisim.provenance import words
from tuisim.store.runs import Run, StoredRuns
from tuisim.terminal.chart import LABEL, cell_of, overlay
from tuisim.terminal.lines import ChartStyle, Frame, Tone, text, width_of
from tuisim.terminal.plot import Scale
from tuisim.tui.context import PageContext
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
PLAIN = [replace(one, backend="scalar", seconds=900 * one.seconds) for one in several()[:4]]
FULL = StoredRuns((*PLAIN, *noisy(0.4)))


CONTEXT = PageContext(config=RunConfig(layers=(64, 32, 10)))


class Shelf:
    """Stored runs, which can be added to or be unreadable."""

    def __init__(self, kept: StoredRuns) -> None:
        self.kept = kept
        self.failure: str | None = None

    def __call__(self) -> StoredRuns:
        if self.failure is not None:
            raise DataError(self.failure)
        return self.kept

    def add(self, *runs: Run) -> None:
        self.kept = StoredRuns((*self.kept.runs, *runs), self.kept.skipped)


@asynccontextmanager
async def shown(kept: StoredRuns, size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[RunsScreen, Pilot[None], Shelf]]:
    shelf = Shelf(kept)
    app, screen = Shell(), RunsScreen(CONTEXT, shelf)
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        screen.tick()
        await pilot.pause()
        yield screen, pilot, shelf


def drawn(screen: RunsScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#runs-{panel}", Panel).canvas.lines)


def header(screen: RunsScreen) -> str:
    return text(screen.query_one("#runs-header", ViewCanvas).lines[0])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "kept", [FULL, StoredRuns((RUN,)), StoredRuns(tuple(several()), 3)], ids=["two backends", "one run", "exact"]
)
async def test_fit_points_and_runs_are_shown_at_every_size(size, kept):
    async with shown(kept, size) as (screen, _, _):
        for panel, tag in zip(screen.query(Panel), (FIT_TAG, SCATTER_TAG, RUNS_TAG), strict=True):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
            assert str(panel.border_subtitle) == words(tag)
            said(panel.canvas.lines, words(tag))
        fit = " ".join(drawn(screen, "fit").split())
        if kept.runs == (RUN,):
            assert "of one size cannot be fitted" in fit
            assert "64-32-10" in drawn(screen, "list")
        else:
            assert "per operation" in fit
            assert "12 runs of 12 sizes" in fit or size == (60, 20)
            assert any(glyph in drawn(screen, "points") for glyph in "○●◆")
            assert "measured" in drawn(screen, "list")


async def test_without_runs_it_says_how_to_make_some_and_begins_with_the_first():
    async with shown(StoredRuns()) as (screen, pilot, shelf):
        assert "no runs yet: `tuisim run 64-32-10 --epochs 20`" in drawn(screen, "fit")
        assert "no runs yet" in header(screen)
        shelf.add(*several())
        screen.tick()
        await pilot.pause()
        assert "12 runs of 12 sizes" in drawn(screen, "fit")
        assert "12 runs counted" in header(screen)


async def test_a_run_that_ends_is_fitted_at_once():
    async with shown(StoredRuns(tuple(several()))) as (screen, pilot, shelf):
        assert "worst" in drawn(screen, "fit")
        shelf.add(replace(several()[3], layers=(7, 7, 7), seconds=3 * several()[3].seconds))
        screen.tick()
        await pilot.pause()
        assert "worst is 7-7-7" in drawn(screen, "fit")
        assert "7-7-7" in drawn(screen, "list").splitlines()[1], "the newest is the first"


async def test_the_newest_runs_backend_is_selected_until_another_is():
    async with shown(FULL) as (screen, pilot, shelf):
        assert "numpy@1" in header(screen)
        assert "▸ numpy@1" in drawn(screen, "fit")
        await pilot.press("down")
        assert "scalar@1" in header(screen)
        shelf.add(several()[0])
        screen.tick()
        await pilot.pause()
        assert "scalar@1" in header(screen), "the selection stays"
        await pilot.press("up")
        assert "numpy@1" in header(screen)
        assert "13 runs" in header(screen)


async def test_a_newer_backend_that_cannot_be_fitted_yet_is_not_selected():
    single = replace(several()[0], backend="scalar")
    async with shown(StoredRuns((*several(), single))) as (screen, _, _):
        assert "numpy@1" in header(screen)
    async with shown(StoredRuns((replace(single, backend="numba"), single))) as (screen, _, _):
        assert "scalar@1" in header(screen), "the newest if there is no fit"


async def test_the_keys_for_rows_are_offered_if_there_are_several():
    async with shown(StoredRuns(tuple(several()))) as (screen, pilot, shelf):
        assert "row" not in str(screen.query_one(KeyLine).render())
        shelf.add(*PLAIN)
        screen.tick()
        await pilot.pause()
        assert "row" in str(screen.query_one(KeyLine).render())
        assert "numpy@1" not in header(screen)


async def test_unreadable_runs_are_reported_until_they_can_be_read():
    async with shown(FULL) as (screen, pilot, shelf):
        shelf.failure = "runs.sqlite3 cannot be read: Permission denied"
        screen.tick()
        await pilot.pause()
        assert "Permission denied" in drawn(screen, "fit")
        assert "unreadable" in header(screen)
        shelf.failure = None
        screen.tick()
        await pilot.pause()
        assert "12 runs of 12 sizes" in drawn(screen, "fit")


async def test_zoomed_it_has_every_run_and_escape_leads_out():
    async with shown(StoredRuns(tuple(noisy(0.4) * 9)), (80, 24)) as (screen, pilot, _):
        assert "older; press 3 for all" in drawn(screen, "list")
        await pilot.press("3")
        await pilot.pause()
        assert screen.zoomed
        assert len(drawn(screen, "list").splitlines()) == 1 + 9 * 12
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(screen.app.screen, RunsScreen)


# ── the views ──


def state(runs: list[Run], skipped: int = 0) -> RunsState:
    return RunsState(cost_fits(runs), 0, skipped)


def test_the_notes_are_shown_as_far_as_there_is_room():
    roomy, tight = (
        [text(line) for line in fit_lines(state(several(), 2), Frame(width, height))] for width, height in ((116, 12), (76, 4))
    )
    assert "21.0 µs" in roomy[1]
    assert "operations at 43.5 G/s" in " ".join(roomy)
    assert "2 stored runs left out" in " ".join(roomy)
    assert "21.0 µs" in tight[1]
    assert tight[2].startswith("12 runs of 12 sizes")


def test_a_click_selects_the_backend_on_its_line():
    places = fit_places(RunsState(cost_fits([*FULL.runs])), Frame(80, 8))
    lines = [text(line) for line in fit_lines(RunsState(cost_fits([*FULL.runs])), Frame(80, 8))]
    assert places[:3] == [None, 0, 1]
    assert "numpy@1" in lines[1]
    assert "scalar@1" in lines[2]


def test_a_run_slower_than_the_fit_lies_above_the_diagonal():
    runs = several() * 3
    runs.append(replace(runs[5], seconds=8 * runs[5].seconds))
    width, height = 60, 30
    lines = [text(line) for line in scatter_lines(state(runs), Frame(width, height))]
    assert len(lines) == height
    chart = lines[1:-1]
    highest = {
        column: row for row in reversed(range(len(chart))) for column in range(LABEL + 1, width) if chart[row][column] in "○●◆"
    }
    on_line = [row - (len(chart) - 1) * (1 - (column - LABEL - 1) / (width - LABEL - 2)) for column, row in highest.items()]
    assert sum(distance < -2 for distance in on_line) == 1
    assert sum(abs(distance) <= 1 for distance in on_line) == len(on_line) - 1


@pytest.mark.parametrize("chart_style", list(ChartStyle))
def test_the_shape_of_a_point_shows_its_largest_part_in_every_style(chart_style):
    legend, *chart = [text(line) for line in scatter_lines(state(several()), Frame(80, 24, chart_style))]
    shapes = "o*#" if chart_style is ChartStyle.ASCII else "○●◆"
    assert [name for name in shapes if name in legend] == list(shapes)
    smallest, largest = "".join(chart[-4:-1]), "".join(chart[:3])
    assert shapes[0] in smallest
    assert shapes[1] in largest
    assert shapes[0] not in largest


def test_points_outside_the_chart_are_left_out():
    scale = Scale(1.0, 100.0, log=True)
    lines = [((" " * LABEL + "│", Tone.DIM), (" " * 11, Tone.TEXT))] * 5
    values = [(10.0, 10.0), (1.0, 1.0), (100.0, 100.0), (0.0, 1.0), (np.nan, 1.0), (1e3, 1.0), (1.0, 0.5), (-1.0, np.inf)]
    cells = [cell_of(x, y, scale, scale, LABEL + 12, 5) for x, y in values]
    found = overlay(lines, {cell: ("●", Tone.GOOD) for cell in cells if cell is not None})
    assert [text(line).index("●") - LABEL - 1 if "●" in text(line) else None for line in found] == [10, None, 5, None, 0]
    assert all(width_of(line) == LABEL + 12 for line in found)


def test_a_row_has_its_ratio_and_the_shares_of_its_parts():
    lines = run_lines(state(several()), Frame(140, 20))
    by_network = {text(line).split()[0] + "·" + text(line).split()[1]: line for line in lines[1:]}
    small, big = text(by_network["8-8-8·1"]), by_network["1024-1024-1024·256"]
    assert "100 %" in small or "99 %" in small
    assert "1.00" in small
    bar = {tone: len(characters) for characters, tone in big if set(characters) == {"━"}}
    assert bar[Tone.FORWARD] > 10 * bar.get(Tone.LOSS, 0)
    far = replace(several()[0], seconds=30 * several()[0].seconds)
    newest = run_lines(state([*several() * 5, far]), Frame(140, 20))[1]
    assert any(tone is Tone.WARNING for _, tone in newest), "far from the fit"


def test_columns_are_left_out_before_anything_is_clipped():
    runs = state([*several(), replace(RUN, layers=(123_456,) * 12, optimizer="momentum")])
    for width in range(32, 160):
        lines = run_lines(runs, Frame(width, 20))
        assert max(map(width_of, lines)) <= width
        assert {"network", "measured", "ratio"} <= set(text(lines[0]).split())
    assert "optimizer" in text(lines[0])


def test_the_cursor_names_the_run_with_the_nearest_fitted_time():
    fit = cost_fits(FULL.runs)[0]
    state, frame = RunsState(cost_fits(FULL.runs)), Frame(40, 16)
    assert "ratio" not in "\n".join(map(text, scatter_lines(state, frame)))
    runs = sorted((row for row in fit.rows if row.fit_seconds), key=lambda row: row.fit_seconds or 0.0)
    for column, row in ((0, runs[0]), (10_000, runs[-1])):
        lines = "\n".join(map(text, scatter_lines(state, replace(frame, cursor=column))))
        assert f"fit {units.duration(row.fit_seconds)}, measured {units.duration(row.seconds)}" in lines
        assert f"ratio {row.ratio:.2f}" in lines
        assert f"batch {row.run.batch}" in lines
        assert len(scatter_lines(state, replace(frame, cursor=column))) == frame.height


async def test_the_arrows_and_the_mouse_move_the_cursor_of_the_points():
    async with shown(FULL) as (screen, pilot, _):
        panel = screen.query_one("#runs-points", Panel)

        def drawn() -> str:
            return "\n".join(map(text, panel.canvas.lines))

        await pilot.press("left")
        await until(pilot, lambda: "ratio" in drawn())
        await pilot.press("right")
        await until(pilot, lambda: "ratio" not in drawn())
        await pilot.hover(panel, offset=(LABEL + 8, 4))
        await until(pilot, lambda: "ratio" in drawn())
        await pilot.hover(screen.query_one("#runs-list", Panel), offset=(5, 3))
        await until(pilot, lambda: "ratio" not in drawn())
