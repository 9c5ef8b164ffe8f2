"""The pages Any volume and Known networks over made prices."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.made_times import BEST, price
from tests.support.provenance import said
from tests.support.shell import Shell, settled
from tuisim.config import RunConfig
from tuisim.errors import BackendError
from tuisim.features.estimate.known import view as known_view
from tuisim.features.estimate.known.networks import KNOWN_NETWORKS
from tuisim.features.estimate.known.projection import project_known
from tuisim.features.estimate.known.screen import KnownNetworksScreen
from tuisim.features.estimate.volume import view
from tuisim.features.estimate.volume.estimate import estimate, estimate_volumes
from tuisim.features.estimate.volume.screen import TimesScreen, VolumeScreen
from tuisim.features.estimate.volume.view import VolumeState
from tuisim.predict import predictor as prices
from tuisim.predict.prediction import Interval
from tuisim.predict.predictor import Priced
from tuisim.provenance import words
from tuisim.terminal.lines import ChartStyle, Frame, Tone, text, width_of
from tuisim.terminal.timeline import axis, ruler, track
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel, ViewCanvas

CONFIG = RunConfig(layers=(64, 32, 10), epochs=10)
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


@pytest.fixture(autouse=True)
def _prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the prices and the best rate of this machine."""
    monkeypatch.setattr(prices, "priced", price)
    monkeypatch.setattr(prices, "best_entry", lambda: BEST)


@asynccontextmanager
async def shown(screen: TimesScreen, size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[Any, Pilot[None]]]:
    app = Shell()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen)
        await settled(screen, pilot)
        yield screen, pilot


def volume(config: RunConfig = CONFIG, **context: Any) -> VolumeScreen:
    return VolumeScreen(PageContext(config=config, **context))


def known() -> KnownNetworksScreen:
    return KnownNetworksScreen(PageContext(config=CONFIG))


def drawn(screen: TimesScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#{panel}", Panel).canvas.lines)


def header(screen: TimesScreen) -> str:
    return text(screen._line.lines[0])


def fits(screen: TimesScreen, *tags: Any) -> None:
    """Assert that nothing is clipped, and that every panel states the provenance of its numbers."""
    for panel, tag in zip(screen.query(Panel), tags, strict=True):
        if not panel.display:
            continue
        room = panel.scrollable_content_region
        assert len(words(tag)) <= room.width
        assert panel.canvas.lines
        assert len(panel.canvas.lines) <= room.height
        assert max(width_of(line) for line in panel.canvas.lines) <= room.width
        assert str(panel.border_subtitle) == words(tag)
        said(panel.canvas.lines, words(tag))
    line = screen.query_one(ViewCanvas)
    assert width_of(line.lines[0]) <= line.size.width


async def type_into(pilot: Pilot[None], screen: TimesScreen, name: str, typed: str) -> None:
    screen._inputs.edit(name)
    await pilot.press(*(typed or ["delete"]), "enter")
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_backend_is_shown_at_every_size(size):
    async with shown(volume(), size) as (screen, pilot):
        fits(screen, view.TIMES_TAG, view.HOW_TAG, view.VOLUMES_TAG)
        times = drawn(screen, "volume-times")
        for expected in ("scalar@1", "numpy@1", "cupy", "no NVIDIA driver", "20.0 s", "1 min"):
            assert expected in times
        assert "167 M operations" in drawn(screen, "volume-how").replace("\n", " ")
        await pilot.press("3")
        await pilot.pause()
        await pilot.pause()
        assert "ImageNet" in drawn(screen, "volume-volumes")
        assert "times are of the whole run" in drawn(screen, "volume-volumes")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_known_networks_are_shown_at_every_size(size):
    async with shown(known(), size) as (screen, _):
        fits(screen, known_view.TIMES_TAG, known_view.HOW_TAG)
        networks = [network.name for network in KNOWN_NETWORKS if network.name in drawn(screen, "known-times")]
        assert len(networks) == (10 if size > (60, 20) else 6)
        assert "a lower bound" in drawn(screen, "known-how")
        assert "known networks" in header(screen)


async def test_examples_and_epochs_are_typed():
    async with shown(volume()) as (screen, pilot):
        assert "1,618 examples × 10 epochs" in header(screen)
        await pilot.press("e", *"1281167", "enter")
        await type_into(pilot, screen, "epochs", "90")
        assert "1,281,167 examples × 90 epochs" in header(screen)
        assert "1.7 days" in drawn(screen, "volume-times")
        assert (screen.state.estimate.examples, screen.state.estimate.epochs) == (1_281_167, 90)
        await type_into(pilot, screen, "examples", "0")
        assert "examples: a whole number, 1 or more" in drawn(screen, "volume-times")
        await type_into(pilot, screen, "examples", "1e12")
        assert "1.00 T examples × 90 epochs" in header(screen)


async def test_arrows_step_through_common_values_in_an_input():
    async with shown(volume()) as (screen, pilot):
        await pilot.press("e", "up", "down", "down", "down")
        assert "1,281,167 examples" in header(screen)
        await pilot.press(*["down"] * 9)
        assert "1.00 T examples" in header(screen)
        await pilot.press(*["up"] * 9)
        assert "1,797 examples" in header(screen)


async def test_the_table_of_volumes_has_the_estimate_of_each_backend_and_a_click_chooses_one():
    async with shown(volume()) as (screen, pilot):
        table = drawn(screen, "volume-volumes")
        volumes = [line.split("  ")[0] for line in map(str.strip, table.splitlines()[1:])]
        assert ", ".join(volumes) == "1,618, 1,797, 60,000, 1,281,167, 1,000,000,000, 1.00 T"
        assert "Fashion-MNIST" in table
        panel = screen.query_one("#volume-volumes", Panel)
        place = next(i for i, line in enumerate(panel.canvas.lines) if "ImageNet" in text(line))
        await pilot.click(panel, offset=(5, place + 1))
        await pilot.pause()
        assert "1,281,167 examples × 10 epochs" in header(screen)


async def test_known_networks_begin_as_published():
    async with shown(known()) as (screen, pilot):
        assert "as each was trained" in header(screen)
        await pilot.press(*["down"] * 6)
        computed = drawn(screen, "known-how")
        assert "GPT-2" in computed
        assert "not published" in computed
        assert "training length not published" in drawn(screen, "known-times")
        await type_into(pilot, screen, "examples", "1797")
        await type_into(pilot, screen, "epochs", "1")
        assert "1,797 examples × 1 epoch" in header(screen)
        assert "not published" not in drawn(screen, "known-times")


async def test_the_selected_backends_computation_is_shown():
    async with shown(volume()) as (screen, pilot):
        await pilot.press("down")
        computed = " ".join(drawn(screen, "volume-how").split())
        product = "× 1,618 examples × 10 epochs = 167 M operations"
        for expected in (
            "OpenBLAS",
            product,
            "51 steps per epoch (of 32 examples, the last of 18)",
            "86.3 µs per step",
            "validation, training loop",
            "= 48.0 ms (38.9 ms to 61.2 ms)",
        ):
            assert expected in computed
        await pilot.press("down")
        assert "no NVIDIA driver" in drawn(screen, "volume-how")
        await pilot.press("down", "down")
        assert "as on H200, another machine" in " ".join(drawn(screen, "volume-how").split())
        await pilot.press(*["up"] * 9)
        assert "plain Python" in drawn(screen, "volume-how")


async def test_zoomed_the_computation_has_all_sources():
    async with shown(known(), (80, 24)) as (screen, pilot):
        await pilot.press("2")
        await pilot.pause()
        computed = " ".join(drawn(screen, "known-how").split())
        for expected in ("parameters: LeCun et al. 1989", "forward:", "64,660 connections", "training:", "3 passes: Kaplan"):
            assert expected in computed
        await pilot.press("escape")
        assert not screen.zoomed
        app = screen.app
        await pilot.press("escape")
        assert app.screen is not screen


async def test_without_a_price_or_a_rate_it_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr(prices, "priced", lambda *_: ())
    monkeypatch.setattr(prices, "best_entry", lambda: None)
    async with shown(volume()) as (screen, pilot):
        assert "tuisim calibrate" in drawn(screen, "volume-times")
        await pilot.press("down")
    async with shown(known()) as (screen, _):
        assert "no rate of this machine is known" in drawn(screen, "known-how")
        assert "LeNet-5" in drawn(screen, "known-times")


async def test_prices_that_become_known_are_shown(monkeypatch):
    """The machine is measured while the page is shown: its progress stands there, and then the times."""
    predictor = SimpleNamespace(stamp=0, current=None, pilot=lambda _: None)
    predictor.state = lambda config: SimpleNamespace(why_not=f"measuring this machine, once … {predictor.stamp} of 2")
    monkeypatch.setattr(prices, "priced", lambda config, own, timed: price(config) if predictor.stamp == 2 else ())
    async with shown(volume(predictor=predictor)) as (screen, _):
        for number in (0, 1):
            predictor.stamp = number
            screen.tick()
            assert f"{number} of 2" in drawn(screen, "volume-times")
        predictor.stamp = 2
        screen.tick()
        assert "scalar@1" in drawn(screen, "volume-times")


async def test_a_known_network_says_which_figure_is_not_published():
    async with shown(known()) as (screen, pilot):
        assert "training length not published" in drawn(screen, "known-times")
        await type_into(pilot, screen, "examples", "5")
        assert "epochs not published" in drawn(screen, "known-times")
        await type_into(pilot, screen, "examples", "")
        await type_into(pilot, screen, "epochs", "5")
        assert "examples not published" in drawn(screen, "known-times")


async def test_a_failure_is_shown_in_place_of_the_times(monkeypatch):
    def unknown(config: RunConfig, own: object, timed: object) -> Sequence[Priced]:
        raise BackendError("backend nothing: unknown")

    monkeypatch.setattr(prices, "priced", unknown)
    async with shown(volume()) as (screen, _):
        assert "backend nothing: unknown" in drawn(screen, "volume-times")


async def test_a_network_of_unknown_volume_begins_at_the_first_named_one():
    async with shown(volume(RunConfig(layers=(4, 3), dataset="some.csv", loss="cross_entropy", epochs=None))) as (screen, _):
        assert "1,797 examples × 10 epochs assumed" in header(screen)


# ── the picture ──


def test_the_axis_ranges_from_landmark_to_landmark():
    assert [word for _, word in axis([2.0, 5_000.0], 60).marks] == ["1 s", "1 min", "1 h", "1 day"]
    assert [word for _, word in axis([1e-4], 60).marks] == ["1 ns", "1 µs", "1 ms", "1 s"]
    assert axis([1.0, 4e23], 60).marks[-1][1] == "1e30 years"
    assert axis([], 60).marks
    assert axis([0.0, math.inf, math.nan], 60).marks
    assert axis([1e-30, 1e300], 60).marks[0][1] == "1 ns"


def test_an_interval_is_drawn_at_its_place():
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
    along = axis([1.0, 3e16], width)
    ticks, below = (text(line) for line in ruler(along, ChartStyle.BRAILLE))
    assert len(ticks) == width
    assert len(below) <= width
    rest = below
    for word in sorted((word for _, word in along.marks), key=len, reverse=True):
        rest = rest.replace(word, "", 1)
    assert not rest.strip(), "a word was cut"


def volume_state(examples: int, epochs: int, **changes: Any) -> VolumeState:
    found = estimate(CONFIG, price, examples, epochs)
    return VolumeState(CONFIG, found, estimate_volumes(CONFIG, price, epochs), **changes)


VIEWS: list[tuple[Callable[..., Any], Any]] = [
    *((one, volume_state(10**30, 10**30, selected=1)) for one in (view.times, view.how, view.volume_lines)),
    *((one, VolumeState(CONFIG, failure="no " * 30)) for one in (view.times, view.how)),
    *((one, project_known(BEST, selected=9)) for one in (known_view.times, known_view.how)),
    *((one, project_known(BEST, 10**30, 10**30)) for one in (known_view.times, known_view.how)),
]


@pytest.mark.parametrize("width", [56, 76, 116, 196])
@pytest.mark.parametrize("height", [4, 8, 12, 40])
def test_nothing_is_wider_or_higher_than_its_room(width, height):
    for draw, state in VIEWS:
        lines = draw(state, Frame(width, height))
        assert len(lines) <= max(height, 8 if state.failure else 0)
        assert all(width_of(line) <= width for line in lines)


def test_colour_is_not_the_only_sign_of_the_selected_row():
    lines = [text(line) for line in known_view.times(project_known(BEST, selected=4), Frame(76, 12))]
    assert [line.startswith("▸") for line in lines].count(True) == 1
    assert next(line for line in lines if line.startswith("▸")).startswith("▸ ResNet-50")


def test_an_infinite_time_is_blank():
    dear = Priced("x", "", False, Interval(1, 1, 1), Interval(1e308, 1e308, 1e308).times(10), None)
    state = VolumeState(CONFIG, estimate(CONFIG, lambda _: [dear], 10**30, 10))
    shown_ = "\n".join(text(line) for line in view.times(state, Frame(76, 12)))
    assert "inf" not in shown_
    assert "not known" in shown_


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)], ids=str)
@pytest.mark.parametrize(("make", "panel", "name"), [(volume, "volume-times", "numpy@1"), (known, "known-times", "AlexNet")])
async def test_a_click_selects_the_row(size, make, panel, name):
    async with shown(make(), size) as (screen, pilot):
        times = screen.query_one(f"#{panel}", Panel)
        place = next(i for i, line in enumerate(times.canvas.lines) if name in text(line))
        await pilot.click(times, offset=(5, place + 1))
        await pilot.pause()
        assert "▸ " + name in drawn(screen, panel)
        before = screen.selected
        await pilot.click(times, offset=(5, len(times.canvas.lines)))  # the axis
        assert screen.selected == before


async def test_epochs_that_the_form_leaves_to_the_data_follow_the_number_of_examples() -> None:
    described = RunConfig(layers=(64, 32, 10), dataset="teacher", examples=10_000)
    screen = volume(described.fitted(), described=described)
    async with shown(screen) as (page, pilot):
        assert page.values == {"examples": 10_000, "epochs": 32}
        page.query_one("#input-examples").value = "60000"
        await settled(page, pilot)
        assert page.values == {"examples": 60_000, "epochs": 10}
        page.query_one("#input-epochs").value = "3"
        await settled(page, pilot)
        page.query_one("#input-examples").value = "10000"
        await settled(page, pilot)
        assert page.values == {"examples": 10_000, "epochs": 3}


async def test_given_epochs_stay() -> None:
    screen = volume(CONFIG.fitted(), described=CONFIG)
    async with shown(screen) as (page, pilot):
        page.query_one("#input-examples").value = "60000"
        await settled(page, pilot)
        assert page.values["epochs"] == 10
