"""The pages of Inspect over real runs: in progress, paused, ended, and without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from tests.support.shell import until
from tuisim import RunConfig
from tuisim.engine.events import State
from tuisim.engine.session import Session
from tuisim.features.inspect.examples.examples import WRONG, Chosen, row_losses
from tuisim.features.inspect.examples.examples import look_at as look_at_examples
from tuisim.features.inspect.map.decision_map import Curve, DecisionMap
from tuisim.features.inspect.map.decision_map import look_at as look_at_map
from tuisim.features.inspect.microscope.reading import Place
from tuisim.terminal.lines import text
from tuisim.tui.app import TuisimApp

DIGITS = RunConfig(layers=(64, 8, 10), dataset="digits", epochs=3, threads=1)
ENDLESS = RunConfig(layers=(64, 8, 10), dataset="digits", epochs=None, threads=1)


@asynccontextmanager
async def inspecting(page: str, config: RunConfig = DIGITS, *, ended: bool = True) -> AsyncIterator[tuple[Any, Pilot[Any]]]:
    """Start a run, wait for its end or its first steps, and open a page."""
    app = TuisimApp(config)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.worker is not None and app.worker.snapshot is not None and app.worker.snapshot.step)
        if ended:
            await until(pilot, lambda: app.worker is not None and not app.worker.is_alive)
        app.action_open(page)
        await pilot.pause()
        await until(pilot, lambda: app.screen.state.found is not None or app.screen.state.words)
        yield app.screen, pilot
        if app.worker is not None:
            app.worker.stop()
            app.worker.join()


def shown(screen: Any, panel: int = 0) -> str:
    return "\n".join(text(line) for line in screen._panels[panel].canvas.lines)


@pytest.mark.parametrize("page", ["diagram", "weights", "examples", "microscope"])
@pytest.mark.parametrize("ended", [True, False])
async def test_a_page_shows_a_run_in_progress_and_one_that_has_ended(page: str, ended: bool) -> None:
    async with inspecting(page, DIGITS if ended else ENDLESS, ended=ended) as (screen, pilot):
        await until(pilot, lambda: screen.state.found is not None)
        first = screen.state.step
        assert not screen.state.words
        if ended:
            assert screen.run_status is State.COMPLETED
        else:
            await until(pilot, lambda: screen.state.step > first)


async def test_without_a_run_a_page_says_how_to_start_one() -> None:
    app = TuisimApp(DIGITS)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("f4")
        await until(pilot, lambda: "no run yet" in shown(app.screen))
        await pilot.press("space", "comma", "x")
        assert "no run yet" in shown(app.screen)


async def test_a_network_with_many_inputs_has_no_map_and_the_page_says_what_has() -> None:
    async with inspecting("map") as (screen, _):
        assert "this network has 64" in screen.state.words
        assert "moons" in screen.state.words


async def test_steps_of_the_past_are_inspected() -> None:
    async with inspecting("weights") as (screen, pilot):
        end = screen.state.step
        weights = screen.state.found.values
        await pilot.press("comma", "comma")
        await until(pilot, lambda: screen.state.step == end - 2)
        assert not np.array_equal(screen.state.found.values, weights)
        await pilot.press("full_stop")
        await until(pilot, lambda: screen.state.step == end - 1)


async def test_a_layer_and_its_updates_are_chosen_by_key() -> None:
    async with inspecting("weights") as (screen, pilot):
        await pilot.press("down", "V", "V")
        await until(pilot, lambda: screen.state.found is not None and screen.state.found.chosen.kind == "updates")
        assert screen.state.found.values.shape == (8, 10)
        assert "changes by the latest step of layer 2" in shown(screen)


async def test_a_weight_is_typed_and_one_that_does_not_exist_is_refused() -> None:
    async with inspecting("microscope") as (screen, pilot):
        await pilot.press("slash", *"2:W[3,7]", "enter")
        await until(pilot, lambda: screen.state.found is not None and screen.state.found.place == Place(2, 3, 7))
        await pilot.press("down", "pageup", "i")
        await until(pilot, lambda: screen.state.found is not None and screen.state.found.place == Place(1, 4, 7))
        await pilot.press("slash", *"9:W[3,7]")
        await until(pilot, lambda: screen.query_one(".mistake").display)
        assert screen.chosen.layer == 1


async def test_wrong_answers_and_one_confusion_are_listed() -> None:
    async with inspecting("examples", RunConfig(layers=(64, 8, 10), dataset="digits", epochs=1, threads=1)) as (screen, pilot):
        found = screen.state.found
        assert found.found == found.rows
        assert list(found.listed) == sorted(found.listed, key=lambda one: -one.loss)
        await pilot.press("F")
        await until(pilot, lambda: screen.state.found is not found and screen.chosen == Chosen(0, WRONG))
        assert screen.state.found.found == found.wrong == sum(count for *_, count in found.confusions)
        await pilot.press("F")
        await until(pilot, lambda: screen.state.found is not None and screen.state.found.found == found.confusions[0][2])
        assert {(one.target, one.answer) for one in screen.state.found.listed} == {found.confusions[0][:2]}


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse"])
def test_the_losses_of_the_rows_have_the_loss_of_the_network_as_their_mean(loss: str) -> None:
    session = Session(RunConfig(layers=(5, 4, 3), dataset="teacher", examples=60, loss=loss, threads=1, dtype="float64"))
    session.advance(5)
    look = look_at_examples("all")
    look.take(session)
    assert look.seen is not None
    rows = look.seen.found.listed
    X, Y = session.data.validation or (None, None)
    assert np.mean([row.loss for row in rows]) == pytest.approx(session.network.evaluate(X, Y), rel=1e-12)
    assert row_losses(np.zeros((2, 3)), Y[:2], loss).shape == (2,)


def test_a_map_has_the_class_of_every_point() -> None:
    session = Session(RunConfig(layers=(2, 8, 3), dataset="spirals", examples=90, batch_size=9, threads=1))
    session.advance(200)
    look = look_at_map()
    look.take(session)
    assert look.seen is not None
    found = look.seen.found
    assert isinstance(found, DecisionMap)
    X = np.array([[found.low[0], found.high[1]]], np.float32)
    outputs: list[Any] = []
    session.network.evaluate(X, np.zeros(1, np.int64), each=lambda _, one: outputs.append(one))
    assert found.outputs[0, 0] == outputs[0].argmax()
    assert set(np.unique(found.outputs)) <= {0, 1, 2}


def test_a_network_with_one_input_has_a_curve() -> None:
    session = Session(RunConfig(layers=(1, 8, 1), dataset="sine", examples=60, threads=1))
    session.advance(5)
    look = look_at_map()
    look.take(session)
    assert look.seen is not None
    assert isinstance(look.seen.found, Curve)
    assert look.seen.found.outputs.shape == (400, 1)


async def test_before_the_first_step_the_microscope_says_how_to_make_one() -> None:
    async with inspecting("microscope") as (screen, pilot):
        await pilot.press(*["less_than_sign"] * 3)
        await until(pilot, lambda: screen._worker.snapshot.step == 0)
        await pilot.press("down")
        await until(pilot, lambda: ". makes one" in shown(screen))
        await pilot.press("full_stop")
        await until(pilot, lambda: screen.state.step == 1 and screen.state.found is not None)
