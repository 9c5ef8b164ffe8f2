"""The crossover screen as a person meets it, over a scripted worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support import shell
from tests.support.shell import Studio, studying
from tests.test_provenance import said
from tuisim.config import RunConfig
from tuisim.features.compare.crossover.cell import LEVEL, Cell
from tuisim.features.compare.crossover.found import Crossover
from tuisim.features.compare.crossover.map import MapView
from tuisim.features.compare.crossover.rule import rule
from tuisim.features.compare.crossover.screen import CrossoverScreen
from tuisim.features.compare.crossover.sweep import BATCHES, WIDTHS, Sweeping
from tuisim.features.compare.crossover.view import CellView, CrossoverHeader, RuleView, Survey
from tuisim.features.compare.entries import BackendEntry
from tuisim.provenance import words
from tuisim.terminal.lines import Frame, Tone, text, width_of
from tuisim.tui import navigation as pages
from tuisim.tui.app import TuisimApp
from tuisim.tui.panel import Panel

CONFIG = RunConfig(layers=(64, 32, 10))
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
PAIR = (BackendEntry("numpy", None), BackendEntry("numba", None))
THREADS = (BackendEntry("numpy", 1), BackendEntry("numpy", 2))


def cell(width: int, batch: int, **changes: Any) -> Cell:
    """Numba wins below 4,096 = width × batch, NumPy above, and just there they are level."""
    product = width * batch
    ratio = 1.0 if product == 4_096 else 0.125 if product < 4_096 else 1.25
    plain = Cell(
        width, batch, 6 * width * width * batch, seconds=(8e-4, 8e-4 * ratio), spreads=(2e-5, 1e-5), ratio=ratio,
        ratio_spread=0.02, rounds=9, winner=LEVEL if ratio == 1 else PAIR[ratio < 1].name,
    )  # fmt: skip
    return replace(plain, **changes)


FULL = tuple(sorted((cell(w, b) for w in WIDTHS for b in BATCHES), key=lambda one: one.operations))
BLANK = Cell(2_048, 1_024, 10**10, reason="left out: its rounds would take 44.0 s, projected, and 2.00 s are left")
FAILED = Cell(2_048, 256, 10**9, reason="numba: out of memory", failed=True)
CELLS = (*(one for one in FULL if one.size not in (BLANK.size, FAILED.size)), FAILED, BLANK)
MORE = (*CELLS, *(cell(w, b, in_between=True) for w, b in ((48, 64), (96, 64), (64, 32), (32, 128), (384, 16), (192, 16))))
NAMES = (PAIR[0].name, PAIR[1].name)
HALF = Sweeping(tuple(one if n < 25 else Cell(*one.size, one.operations) for n, one in enumerate(FULL)), FULL[25].size,
                FULL[24].size, 7.0)  # fmt: skip


def ended(cells: Sequence[Cell] = MORE) -> Crossover:
    notes = ("numpy@2: every usable core, so none is left for an app beside it",)
    return Crossover(CONFIG, PAIR, (1, 1), ("OpenBLAS", "Numba"), tuple(cells), rule(cells, NAMES), notes, 20.0, 19.8)


END = Sweeping(MORE, None, (96, 64), 19.8)


class Scripted(shell.Scripted):
    """A sweep as far as it is told."""

    sweeping: Sweeping | None = None
    crossover: Crossover | None = None


def sweeping(
    size: tuple[int, int] = (120, 36), busy: bool = False, **state: Any
) -> AbstractAsyncContextManager[tuple[CrossoverScreen, Pilot[None], Studio]]:
    app = Studio(
        lambda *hands: CrossoverScreen(CONFIG, *hands, (PAIR, THREADS)),
        lambda entered: Scripted(**(state if tuple(entered) == PAIR else {})),
        busy,
    )
    return studying(app, CrossoverScreen, size)


def drawn(screen: CrossoverScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#crossover-{panel}", Panel).canvas.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("state", [{"sweeping": HALF}, {"sweeping": END, "crossover": ended()}], ids=["measuring", "ended"])
async def test_map_cell_and_rule_are_seen_at_every_size(size, state):
    async with sweeping(size, **state) as (screen, _, _):
        shown = drawn(screen, "map")
        assert "1,024" in shown
        assert "numba 8.0×" in shown or "nb 8.0×" in shown or "nb8.0" in shown or "nb" in shown
        assert "=" in shown
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width
            kinds = panel.canvas._view.kinds
            assert str(panel.border_subtitle) == words(kinds)
            said(panel.canvas.lines, words(kinds))
        if "crossover" in state:
            assert "below" in drawn(screen, "rule")
        else:
            assert "25 of 54 cells, 7 of 20 s" in drawn(screen, "rule")
            assert "…" in shown


def survey(**changes: Any) -> Survey:
    return replace(Survey(PAIR, END, ended()), **changes)


def map_of(width: int, height: int, **changes: Any) -> list[str]:
    view = MapView()
    view.survey = survey(**changes)
    return [text(line) for line in view.lines(None, Frame(width, height))]


def test_a_cell_says_in_words_who_wins_and_no_colour_is_needed():
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
    assert "= level, ✗ failed, blank not measured" in lines[-1]
    short = map_of(70, 20)
    assert any("nb8.0" in line for line in short) or any("nb 8.0×" in line for line in short)
    assert "np numpy, nb numba" in " ".join(short)
    assert all(width_of(((line, Tone.TEXT),)) <= 40 for line in map_of(40, 20))


def test_a_map_that_is_too_tall_goes_with_the_cursor():
    lines = map_of(120, 8, chosen=(8, 1))
    assert lines[0].startswith("↕ +")
    assert lines[1].startswith("    8")
    lines = map_of(120, 8, chosen=(2_048, 1))
    assert lines[-1].startswith("2,048[") or lines[-1].startswith("2,048 ")
    assert not any(line.startswith("    8") for line in lines)
    assert len(map_of(120, 30)) > 14


def test_the_cursor_goes_from_cell_to_cell_and_over_holes():
    looked = survey(chosen=(64, 16))
    assert looked.moved(0, 1) == (64, 32)
    assert looked.moved(1, 0) == (128, 16)
    assert replace(looked, chosen=(64, 32)).moved(1, 0) == (64, 32)  # nothing else was measured at batch 32
    assert replace(looked, chosen=(64, 32)).moved(0, 1) == (64, 64)
    assert replace(looked, chosen=(8, 1)).moved(-1, 0) == (8, 1)
    assert Survey(PAIR).moved(1, 0) is None
    assert survey(chosen=None).cursor == (96, 64)  # the one measured last
    assert survey(chosen=(7, 7)).cursor == (96, 64)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ((64, 1), ["64 × 1 given", "800 µs", "100 µs", "± 20.0 µs", "numba 8.0 × as fast ± 1.3", "9 rounds"]),
        ((512, 16), ["numpy 1.2 × as fast ± 0.02"]),
        ((64, 64), ["level: 1.00 ± 0.02", "9 rounds"]),
        ((2_048, 256), ["numba: out of memory"]),
        ((2_048, 1_024), ["would take 44.0 s, projected"]),
    ],
)
@pytest.mark.parametrize("frame", [Frame(60, 12), Frame(30, 4)], ids=["roomy", "narrow"])
def test_the_figures_of_the_cell_under_the_cursor(chosen, expected, frame):
    view = CellView()
    view.survey = survey(chosen=chosen)
    lines = [text(line) for line in view.lines(None, frame)]
    shown = " ".join(" ".join(lines).split())
    assert all(part in shown for part in expected)
    assert max(map(len, lines)) <= frame.width


def test_the_largest_cell_fits_in_the_narrowest_panel():
    view = CellView()
    view.survey = survey(chosen=BLANK.size)
    assert text(view.lines(None, Frame(30, 4))[0]) == "2,048 × 1,024 given 10.0 G ops"
    assert text(view.lines(None, Frame(60, 4))[0]) == "2,048 × 1,024 given   10,000,000,000 operations"


def test_a_cell_that_is_at_work_says_so():
    view = CellView()
    view.survey = Survey(PAIR, HALF, chosen=HALF.now)
    assert "being measured" in text(view.lines(None, Frame(60, 12))[-1])
    view.survey = Survey(PAIR, HALF, chosen=FULL[30].size)
    assert "not measured" in text(view.lines(None, Frame(60, 12))[-1])


def test_the_rule_in_words_and_what_does_not_fit_is_said():
    view = RuleView()
    view.survey = survey()
    whole = " ".join(text(line) for line in view.lines(None, Frame(100, 30)))
    for sentence in ended().rule.sentences:
        assert sentence in whole
    assert "every usable core" in whole
    short = view.lines(None, Frame(40, 5))
    assert len(short) == 5
    assert text(short[-1]) == "… 3 shows all of it"
    assert len(view.lines(None, Frame(40, 5, zoomed=True))) > 5


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_line_above_names_both(width):
    header = CrossoverHeader(CONFIG)
    header.survey = survey()
    line = text(header.lines(None, Frame(width, 1))[0])
    assert "numpy (np)" in line
    assert "numba (nb)" in line
    assert "■ finished" in line
    assert len(line) <= width
    header.survey = Survey(THREADS)
    line = text(header.lines(None, Frame(width, 1))[0])
    assert "numpy@1 against numpy@2" in line


async def test_it_waits_for_a_training_and_says_how_to_go_on():
    async with sweeping(busy=True, sweeping=HALF) as (screen, pilot, app):
        assert app.made == []
        assert "m pauses it and begins" in drawn(screen, "map")
        await pilot.press("m")
        screen.tick()
        await pilot.pause()
        assert len(app.made) == 1
        assert app.made[0][0].started
        assert app.made[0][1] == PAIR
        assert "25 of 54 cells" in drawn(screen, "rule")


async def test_arrows_move_the_cursor_also_where_a_panel_has_the_focus():
    async with sweeping(sweeping=END, crossover=ended()) as (screen, pilot, _):
        assert "96 × 64" in drawn(screen, "cell")
        await pilot.press("tab", "up")
        assert "64 × 64" in drawn(screen, "cell")
        await pilot.press("left", "left", "down")
        assert "128 × 16" in drawn(screen, "cell")
        assert "[numba 8.0×]" in drawn(screen, "map")


async def test_again_the_next_pair_and_the_way_out():
    async with sweeping(sweeping=END, crossover=ended()) as (screen, pilot, app):
        await pilot.press("r")
        await pilot.pause()
        assert [worker.stopped for worker, _ in app.made] == [True, False]
        await pilot.press("p")
        await pilot.pause()
        assert app.made[-1][1] == THREADS
        await pilot.press("p")
        await pilot.pause()
        assert app.made[-1][1] == PAIR
        await pilot.press("3")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen
        assert app.made[-1][0].stopped


async def test_the_next_one_begins_when_the_last_has_left_its_step():
    async with sweeping(sweeping=HALF, alive=True) as (screen, pilot, app):
        await pilot.press("r")
        await pilot.pause()
        assert len(app.made) == 1
        assert "setting up" in drawn(screen, "map")
        app.made[0][0].alive = False
        screen.tick()
        await pilot.pause()
        assert len(app.made) == 2


async def test_the_rule_alone_on_the_screen_scrolls_with_the_arrows():
    async with sweeping((60, 20), sweeping=END, crossover=ended()) as (screen, pilot, _):
        await pilot.press("3")
        await pilot.pause()
        panel = screen.query_one("#crossover-rule", Panel)
        assert panel.canvas.scrolls
        await pilot.press("down", "down")
        await pilot.pause()
        assert panel.scroll_y == 2


async def test_its_key_and_its_command_in_the_app(monkeypatch):
    """Over the form of the setup, for the network that is there; it closes the sweep when another page takes its place."""
    made: list[Scripted] = []

    class Brought(CrossoverScreen):
        def __init__(self, config: RunConfig, busy: Callable[[], bool], hush: Callable[[], None]) -> None:
            super().__init__(config, busy, hush, self.bring, (PAIR,))

        def bring(self, config: RunConfig, entered: Sequence[BackendEntry]) -> Scripted:
            made.append(Scripted(sweeping=END, crossover=ended()))
            return made[-1]

    monkeypatch.setattr(pages, "CrossoverScreen", Brought)
    app = TuisimApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("f7")
        await pilot.pause()
        assert isinstance(app.screen, CrossoverScreen)
        assert made[0].started
        await pilot.press("f4")
        await pilot.pause()
        assert not isinstance(app.screen, CrossoverScreen)
        assert made[0].stopped
    assert "Crossover" in [title for _, title, _ in pages.COMMANDS]


async def test_a_failure_is_said_where_the_map_would_be():
    async with sweeping(failure="backend numba: not installed; pip install 'tuisim[numba]'") as (screen, _, _):
        assert "not installed" in drawn(screen, "map")
        assert "not installed" in drawn(screen, "rule")
