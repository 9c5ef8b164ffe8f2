"""The hours-or-days screen as a person meets it, over prices that are made up."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.shell import Shell
from tests.test_provenance import said
from tuisim.config import RunConfig
from tuisim.errors import BackendError
from tuisim.features.estimate.volume.operations_view import OperationsBehindView
from tuisim.features.estimate.volume.screen import ProjectScreen
from tuisim.features.estimate.volume.view import PictureView, Scene
from tuisim.predict.interval import Interval
from tuisim.predict.known_networks import LADDER
from tuisim.predict.predictor import Priced, Rate
from tuisim.predict.project import Price, climb, project
from tuisim.provenance import words
from tuisim.terminal.lines import ChartStyle, Frame, Line, Tone, text, width_of
from tuisim.terminal.timeline import UNIVERSE, axis, ruler, track
from tuisim.tui.panel import Panel, ViewCanvas

CONFIG = RunConfig(layers=(64, 32, 10))
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
RATE = Rate(61.3e9, "numpy@1")
STEP = Interval(7e-5, 8.63e-5, 1.1e-4)


def price(config: RunConfig) -> Sequence[Priced]:
    assert config.examples is not None

    def both(step: Interval) -> tuple[Interval, Interval]:
        return step.times(config.batch_size / 32), step.times(config.examples / 32)

    return (
        Priced("scalar@1", "plain Python", False, *both(Interval(0.03, 0.036, 0.04))),
        Priced("numpy@1", "OpenBLAS", False, *both(STEP)),
        Priced("cupy", "", False, None, None, "no NVIDIA driver"),
        Priced("cupy", "H200", True, *both(STEP.times(0.5))),
    )


class Projecting(Shell):
    def __init__(self, screen: ProjectScreen) -> None:
        super().__init__()
        self._screen = screen

    def on_mount(self) -> None:
        self.push_screen(self._screen)


@asynccontextmanager
async def projecting(
    size: tuple[int, int] = (120, 36), config: RunConfig = CONFIG, price: Price = price, rate: Rate | None = RATE, **more: Any
) -> AsyncIterator[tuple[ProjectScreen, Pilot[None]]]:
    app = Projecting(ProjectScreen(config, price, lambda: rate, **more))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, ProjectScreen)
        yield app.screen, pilot


def drawn(screen: ProjectScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#project-{panel}", Panel).canvas.lines)


def header(screen: ProjectScreen) -> str:
    return text(screen.query_one("#project-header", ViewCanvas).lines[0])


def fits(screen: ProjectScreen) -> None:
    """Nothing is cut, and every number says what it is."""
    for panel in screen.query(Panel):
        room = panel.scrollable_content_region
        assert panel.canvas.lines
        assert len(panel.canvas.lines) <= room.height
        assert max(width_of(line) for line in panel.canvas.lines) <= room.width
        kinds = panel.canvas._view.kinds
        assert str(panel.border_subtitle) == words(kinds)
        assert len(words(kinds)) <= room.width
        said(panel.canvas.lines, words(kinds))
    line = screen.query_one("#project-header", ViewCanvas)
    assert width_of(line.lines[0]) <= line.size.width


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_network_and_ladder_are_seen_at_every_size(size):
    async with projecting(size) as (screen, pilot):
        fits(screen)
        times = drawn(screen, "times")
        for expected in ("scalar@1", "numpy@1", "cupy", "no NVIDIA driver", "18.2 s", "1 min"):
            assert expected in times
        assert "167 M operations" in drawn(screen, "operations").replace("\n", " ")
        await pilot.press("l")
        await pilot.pause()
        fits(screen)
        shown = [known.name for known in LADDER if known.name in drawn(screen, "times")]
        assert len(shown) == (10 if size > (60, 20) else 6)
        assert "a lower bound" in drawn(screen, "operations")
        assert "the ladder" in header(screen)


async def test_the_dials_are_turned_and_stop_at_their_ends():
    async with projecting() as (screen, pilot):
        assert "1,618 examples × 10 epochs" in header(screen)
        await pilot.press("right", "right", "right", "right_square_bracket")
        assert "1,281,167 examples × 90 epochs" in header(screen)
        assert "1.5 days" in drawn(screen, "times")
        assert screen.scene.projection is not None
        assert (screen.scene.projection.examples, screen.scene.projection.epochs) == (1_281_167, 90)
        await pilot.press(*["right"] * 9, *["right_square_bracket"] * 9)
        assert "1.00 T examples × 1,000 epochs" in header(screen)
        await pilot.press(*["left"] * 9, *["left_square_bracket"] * 9)
        assert "1,618 examples × 1 epoch" in header(screen)


async def test_the_ladder_begins_as_each_was_trained_and_each_side_keeps_its_dials_and_row():
    async with projecting() as (screen, pilot):
        await pilot.press("right", "down", "l")
        assert "as each was trained" in header(screen)
        await pilot.press(*["down"] * 6)
        operations = drawn(screen, "operations")
        assert "GPT-2" in operations
        assert "not published" in operations
        assert "training length not published" in drawn(screen, "times")
        await pilot.press("right", "right_square_bracket")
        assert "1,797 examples × 1 epoch" in header(screen)
        assert "training length not published" not in drawn(screen, "times")
        await pilot.press("l")
        assert "1,797 examples × 10 epochs" in header(screen)
        assert "▸ numpy@1" in drawn(screen, "times")


async def test_a_row_says_what_is_behind_it():
    async with projecting() as (screen, pilot):
        await pilot.press("down")
        operations = " ".join(drawn(screen, "operations").split())
        product = "× 1,618 examples × 10 epochs = 167 M operations"
        for expected in ("OpenBLAS", product, "51 steps of 32 an epoch, the last of 18", "86.3 µs a step", "(70.0 µs to 110 µs)"):
            assert expected in operations
        await pilot.press("down")
        assert "no NVIDIA driver" in drawn(screen, "operations")
        await pilot.press("down", "down")
        assert "as on H200, another machine" in drawn(screen, "operations")
        await pilot.press(*["up"] * 9)
        assert "plain Python" in drawn(screen, "operations")


async def test_all_sources_are_there_where_the_operations_have_the_screen():
    async with projecting((80, 24)) as (screen, pilot):
        await pilot.press("l", "2")
        await pilot.pause()
        shown = " ".join(drawn(screen, "operations").split())
        for expected in ("parameters: LeCun et al. 1989", "forward:", "64,660 connections", "training:", "with backward: Kaplan"):
            assert expected in shown
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        assert screen.app.screen is not screen


async def test_without_a_price_or_a_rate_it_says_how_to_get_one():
    async with projecting(price=lambda _: (), rate=None) as (screen, pilot):
        assert "tuisim calibrate" in drawn(screen, "times")
        await pilot.press("down", "l")
        assert "no rate of this machine is known" in drawn(screen, "operations")
        assert "LeNet-5" in drawn(screen, "times")


async def test_prices_that_come_later_are_shown_when_they_are_there():
    """The machine is measured beneath the screen: how far that is stands there, and then the times."""
    done = [0]

    def coming(config: RunConfig) -> Sequence[Priced]:
        return price(config) if done[0] == 2 else ()

    words = lambda: f"measuring this machine, once … {done[0]} of 2"  # noqa: E731
    async with projecting(price=coming, missing=words, news=lambda: done[0]) as (screen, _):
        for number in (0, 1):
            done[0] = number
            screen._look_again()
            assert f"{number} of 2" in drawn(screen, "times")
        done[0] = 2
        screen._look_again()
        assert "scalar@1" in drawn(screen, "times")


async def test_the_ladder_says_which_figure_is_not_published():
    async with projecting() as (screen, pilot):
        await pilot.press("l")
        assert "training length not published" in drawn(screen, "times")
        await pilot.press("right")
        assert "epochs not published" in drawn(screen, "times")
        await pilot.press("left", "right_square_bracket")
        assert "examples not published" in drawn(screen, "times")


async def test_a_mistake_stands_where_the_times_would_be():
    def unknown(config: RunConfig) -> Sequence[Priced]:
        raise BackendError("backend nothing: unknown")

    async with projecting(price=unknown) as (screen, _):
        assert "backend nothing: unknown" in drawn(screen, "times")


async def test_a_network_of_unknown_volume_begins_at_the_first_step():
    config = RunConfig(layers=(4, 3), dataset="some.csv", epochs=None)
    async with projecting(config=config) as (screen, _):
        assert "1,797 examples × 10 epochs assumed" in header(screen)


# ── the picture ──


def test_the_axis_goes_from_landmark_to_landmark():
    assert [word for _, word in axis([2.0, 5_000.0], 60).marks] == ["1 s", "1 min", "1 h", "1 day"]
    assert [word for _, word in axis([1e-4], 60).marks] == ["1 ns", "1 µs", "1 ms", "1 s"]
    assert axis([1.0, 1e6 * UNIVERSE], 60).marks[-1][1] == "1e30 years"
    assert axis([], 60).marks
    assert axis([0.0, math.inf, math.nan], 60).marks
    assert axis([1e-30, 1e300], 60).marks[0][1] == "1 ns"


def test_a_bar_has_its_band_where_it_lies():
    along = axis([1.0, 86_400.0], 61)
    drawn = text(track(along, Interval(60.0, 600.0, 3_600.0), ChartStyle.BRAILLE, Tone.ACCENT))
    assert len(drawn) == 61
    assert drawn.index("━") == along.cell(60.0)
    assert drawn.index("●") == along.cell(600.0)
    assert drawn.rindex("━") == along.cell(3_600.0)
    plain = text(track(along, Interval(60.0, 60.0, 60.0), ChartStyle.ASCII, Tone.ACCENT, is_bound=True))
    assert plain.isascii()
    assert plain[along.cell(60.0)] == ">"


@pytest.mark.parametrize("width", [16, 24, 40, 80, 160])
def test_words_under_the_axis_never_touch(width):
    along = axis([1.0, UNIVERSE], width)
    ticks, below = (text(line) for line in ruler(along, ChartStyle.BRAILLE))
    assert len(ticks) == width
    assert len(below) <= width
    known = [word for _, word in along.marks] + ["universe"]
    rest = below
    for word in sorted(known, key=len, reverse=True):
        rest = rest.replace(word, "", 1)
    assert not rest.strip(), "a word was cut"


def lines_of(view: PictureView | OperationsBehindView, scene: Scene, frame: Frame) -> list[Line]:
    view.scene = scene
    return view.lines(None, frame)


@pytest.mark.parametrize("width", [56, 76, 116, 196])
@pytest.mark.parametrize("height", [4, 8, 12, 40])
def test_nothing_is_wider_or_higher_than_its_room(width, height):
    scenes = [Scene(project(CONFIG, price, 10**30, 10**30), chosen=1), Scene(climb=climb(RATE), chosen=9),
              Scene(climb=climb(RATE, 10**30, 10**30)), Scene(failure="no " * 30)]  # fmt: skip
    for scene in scenes:
        for view in (PictureView(), OperationsBehindView()):
            lines = lines_of(view, scene, Frame(width, height))
            assert len(lines) <= max(height, 8 if scene.failure else 0)
            assert all(width_of(line) <= width for line in lines)


def test_colour_is_not_the_only_sign_of_the_chosen_row():
    lines = [text(line) for line in lines_of(PictureView(), Scene(climb=climb(RATE), chosen=4), Frame(76, 12))]
    assert [line.startswith("▸") for line in lines].count(True) == 1
    assert next(line for line in lines if line.startswith("▸")).startswith("▸ ResNet-50")


def test_an_infinite_time_is_blank():
    scene = Scene(
        project(CONFIG, lambda _: [Priced("x", "", False, Interval(1, 1, 1), Interval(1e308, 1e308, 1e308))], 10**30, 10)
    )
    shown = "\n".join(text(line) for line in lines_of(PictureView(), scene, Frame(76, 12)))
    assert "inf" not in shown
    assert "not known" in shown


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
async def test_a_click_chooses_the_row(size):
    async with projecting(size) as (screen, pilot):
        for ladder in (False, True):
            if ladder:
                await pilot.press("l")
                await pilot.pause()
            panel = screen.query_one("#project-times", Panel)
            place = next(i for i, line in enumerate(panel.canvas.lines) if ("AlexNet" if ladder else "numpy@1") in text(line))
            await pilot.click(panel, offset=(5, place + 1))
            await pilot.pause()
            assert "▸ " + ("AlexNet" if ladder else "numpy@1") in drawn(screen, "times")
        before = screen.scene.chosen
        await pilot.click(panel, offset=(5, len(panel.canvas.lines)))  # the axis
        assert screen.scene.chosen == before
