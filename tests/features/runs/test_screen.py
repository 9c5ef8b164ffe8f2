"""The law's screen as a person meets it, over runs that the test adds to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from textual.pilot import Pilot

from tests.features.runs.test_cost_fit import RUN, noisy, several
from tests.support.shell import Shell
from tests.test_provenance import said
from tuisim.errors import DataError
from tuisim.features.runs.cost_fit import laws
from tuisim.features.runs.fit_view import FormulaView, Reading, ScatterView
from tuisim.features.runs.list_view import RunsView
from tuisim.features.runs.screen import LawScreen
from tuisim.provenance import words
from tuisim.store.runs import Kept, Run
from tuisim.terminal.chart import LABEL
from tuisim.terminal.lines import Frame, Tone, text, width_of
from tuisim.terminal.plot import ChartStyle, Scale
from tuisim.terminal.scatter import Point, over
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
PLAIN = [replace(one, backend="scalar", seconds=900 * one.seconds) for one in several()[:4]]
FULL = Kept((*PLAIN, *noisy(0.4)))


class Law(Shell):
    """The screen over what `keeps` has now."""

    def __init__(self, keeps: Callable[[], Kept]) -> None:
        super().__init__()
        self._keeps = keeps

    def on_mount(self) -> None:
        self.push_screen(LawScreen(self._keeps))


class Shelf:
    """Runs that are added to, and what is wrong with them."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.wrong: str | None = None

    def __call__(self) -> Kept:
        if self.wrong is not None:
            raise DataError(self.wrong)
        return self.kept

    def add(self, *runs: Run) -> None:
        self.kept = Kept((*self.kept.runs, *runs), self.kept.skipped)


@asynccontextmanager
async def shown(kept: Kept, size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[LawScreen, Pilot[None], Shelf]]:
    shelf = Shelf(kept)
    app = Law(shelf)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LawScreen)
        screen.tick()
        await pilot.pause()
        yield screen, pilot, shelf


def drawn(screen: LawScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#law-{panel}", Panel).canvas.lines)


def header(screen: LawScreen) -> str:
    return text(screen.query_one("#law-header", ViewCanvas).lines[0])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kept", [FULL, Kept((RUN,)), Kept(tuple(several()), 3)], ids=["two backends", "one run", "exact"])
async def test_law_points_and_runs_are_seen_at_every_size(size, kept):
    async with shown(kept, size) as (screen, _, _):
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
            kinds = panel.canvas._view.kinds
            assert str(panel.border_subtitle) == words(kinds)
            said(panel.canvas.lines, words(kinds))
        law = drawn(screen, "formula")
        if kept.runs == (RUN,):
            assert "nothing apart" in law.replace("\n", " ")
            assert "64-32-10" in drawn(screen, "runs")
        else:
            assert "+" in law or "before it computes" in law.replace("\n", " ")
            assert "12 runs of 12 sizes" in law or size == (60, 20)
            assert any(glyph in drawn(screen, "points") for glyph in "○●◆")
            assert "measured" in drawn(screen, "runs")


async def test_without_runs_it_says_how_to_make_some_and_begins_with_the_first():
    async with shown(Kept()) as (screen, pilot, shelf):
        assert "each `tuisim run 64-32-10 --epochs 20`" in drawn(screen, "formula")
        assert "no runs yet" in header(screen)
        shelf.add(*several())
        screen.tick()
        await pilot.pause()
        assert "12 runs of 12 sizes" in drawn(screen, "formula")
        assert "12 runs counted" in header(screen)


async def test_a_run_that_ends_is_fitted_while_one_looks():
    async with shown(Kept(tuple(several()))) as (screen, pilot, shelf):
        assert "furthest" in drawn(screen, "formula")
        shelf.add(replace(several()[3], layers=(7, 7, 7), seconds=3 * several()[3].seconds))
        screen.tick()
        await pilot.pause()
        assert "furthest is 7-7-7" in drawn(screen, "formula")
        assert "7-7-7" in drawn(screen, "runs").splitlines()[1], "the newest is the first"


async def test_the_newest_runs_backend_is_shown_until_another_is_chosen():
    async with shown(FULL) as (screen, pilot, shelf):
        assert "numpy@1" in header(screen)
        assert "backend 1 of 2" in header(screen)
        await pilot.press("right")
        assert "scalar@1" in header(screen)
        shelf.add(several()[0])
        screen.tick()
        await pilot.pause()
        assert "scalar@1" in header(screen), "what was chosen stays"
        await pilot.press("right")
        assert "numpy@1" in header(screen)
        assert "13 runs" in header(screen)


async def test_the_keys_for_another_backend_are_offered_where_there_is_one():
    async with shown(Kept(tuple(several()))) as (screen, pilot, shelf):
        assert "other backend" not in str(screen.query_one(KeyLine).render())
        shelf.add(*PLAIN)
        screen.tick()
        await pilot.pause()
        assert "other backend" in str(screen.query_one(KeyLine).render())
        assert "numpy@1" not in header(screen)


async def test_runs_that_cannot_be_read_are_said_and_come_back():
    async with shown(FULL) as (screen, pilot, shelf):
        shelf.wrong = "runs.jsonl cannot be read: Permission denied"
        screen.tick()
        await pilot.pause()
        assert "Permission denied" in drawn(screen, "formula")
        assert "unreadable" in header(screen)
        shelf.wrong = None
        screen.tick()
        await pilot.pause()
        assert "12 runs of 12 sizes" in drawn(screen, "formula")


async def test_zoomed_it_has_every_run_and_escape_leads_out():
    async with shown(Kept(tuple(noisy(0.4) * 9)), (80, 24)) as (screen, pilot, _):
        assert "older: 3 shows them" in drawn(screen, "runs")
        await pilot.press("3")
        await pilot.pause()
        assert screen.zoomed
        assert len(drawn(screen, "runs").splitlines()) == 1 + 9 * 12
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(screen.app.screen, LawScreen)


# ── the views ──


def reading(runs: list[Run], skipped: int = 0) -> Reading:
    return Reading(laws(runs), 0, skipped)


def test_the_law_is_large_where_there_is_room_and_in_words_where_not():
    view = FormulaView()
    view.reading = reading(several(), 2)
    roomy, tight = (
        ["".join(text(line)) for line in view.lines(None, Frame(width, height))] for width, height in ((116, 9), (76, 4))
    )
    assert "┏" in roomy[0]
    assert roomy[2].split()[-1] == "ps"
    assert "each operation" in roomy[3]
    assert "43.5 G/s" in roomy[4]
    assert "2 lines left out" in " ".join(roomy)
    assert tight[0].startswith("a step costs 21.0 µs before it computes anything")
    assert "┏" not in "".join(tight)


def test_a_run_twice_as_slow_as_the_law_lies_above_the_line():
    runs = several() * 3
    runs.append(replace(runs[5], seconds=8 * runs[5].seconds))
    view = ScatterView()
    view.reading = reading(runs)
    width, height = 60, 30
    lines = [text(line) for line in view.lines(None, Frame(width, height))]
    assert len(lines) == height
    chart = lines[1:-1]
    highest = {
        column: row for row in reversed(range(len(chart))) for column in range(LABEL + 1, width) if chart[row][column] in "○●◆"
    }
    on_line = [row - (len(chart) - 1) * (1 - (column - LABEL - 1) / (width - LABEL - 2)) for column, row in highest.items()]
    assert sum(distance < -2 for distance in on_line) == 1
    assert sum(abs(distance) <= 1 for distance in on_line) == len(on_line) - 1


@pytest.mark.parametrize("chart_style", list(ChartStyle))
def test_points_show_which_part_is_most_by_their_shape_in_every_style(chart_style):
    view = ScatterView()
    view.reading = reading(several())
    legend, *chart = [text(line) for line in view.lines(None, Frame(80, 24, chart_style))]
    shapes = "o*#" if chart_style is ChartStyle.ASCII else "○●◆"
    assert [name for name in shapes if name in legend] == list(shapes)
    smallest, largest = "".join(chart[-4:-1]), "".join(chart[:3])
    assert shapes[0] in smallest
    assert shapes[1] in largest
    assert shapes[0] not in largest


def test_points_outside_or_nowhere_are_left_out():
    scale = Scale(1.0, 100.0, log=True)
    lines = [((" " * LABEL + "│", Tone.DIM), (" " * 11, Tone.TEXT))] * 5
    values = [(10.0, 10.0), (1.0, 1.0), (100.0, 100.0), (0.0, 1.0), (np.nan, 1.0), (1e3, 1.0), (1.0, 0.5), (-1.0, np.inf)]
    found = over(lines, LABEL + 12, [Point(x, y, "●", Tone.GOOD) for x, y in values], scale, scale)
    assert [text(line).index("●") - LABEL - 1 if "●" in text(line) else None for line in found] == [10, None, 5, None, 0]
    assert all(width_of(line) == LABEL + 12 for line in found)


def test_a_row_says_what_took_how_long_and_whose_time_it_was():
    view = RunsView()
    view.reading = reading(several())
    lines = view.lines(None, Frame(140, 20))
    by_network = {text(line).split()[0] + "·" + text(line).split()[1]: line for line in lines[1:]}
    small, big = text(by_network["8-8-8·1"]), by_network["1024-1024-1024·256"]
    assert "100 %" in small or "99 %" in small
    assert "1.00" in small
    bar = {tone: len(characters) for characters, tone in big if set(characters) == {"━"}}
    assert bar[Tone.FORWARD] > 10 * bar.get(Tone.LOSS, 0)
    far = replace(several()[0], seconds=30 * several()[0].seconds)
    view.reading = reading([*several() * 5, far])
    newest = view.lines(None, Frame(140, 20))[1]
    assert any(tone is Tone.WARNING for _, tone in newest), "far from the law"


def test_columns_go_before_anything_is_cut():
    view = RunsView()
    view.reading = reading([*several(), replace(RUN, layers=(123_456,) * 12, optimizer="momentum")])
    for width in range(32, 160):
        lines = view.lines(None, Frame(width, 20))
        assert max(map(width_of, lines)) <= width
        assert {"network", "measured", "÷"} <= set(text(lines[0]).split())
    assert "optimizer" in text(lines[0])
