"""The proof screen as a person meets it: real checks of a small network, brought by a scripted worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support import shell
from tests.support.shell import Shell
from tuisim.accounting import Operations
from tuisim.config import RunConfig
from tuisim.features.explain.proof import cost as prove_cost
from tuisim.features.explain.proof.count import BatchCount, CountCheck
from tuisim.features.explain.proof.proof import Progress, Proof, prove
from tuisim.features.explain.proof.screen import ProveScreen
from tuisim.terminal.lines import width_of
from tuisim.tui.panel import Panel

CONFIG = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


class Scripted(shell.Scripted):
    """A proof as far as it is told."""

    progress: Progress | None = None
    proof: Proof | None = None
    refused = False
    seconds = 2.0


class Studio(Shell):
    """The least app the screen can live in; keeps the workers that were asked for."""

    def __init__(self, states: list[dict[str, Any]], config: RunConfig) -> None:
        super().__init__()
        self._states, self._config = states, config
        self.made: list[tuple[Scripted, bool]] = []

    def on_mount(self) -> None:
        self.push_screen(ProveScreen(self._config, self.make))

    def make(self, config: RunConfig, force: bool) -> Scripted:
        worker = Scripted(**self._states[min(len(self.made), len(self._states) - 1)])
        self.made.append((worker, force))
        return worker


@asynccontextmanager
async def proving(
    *states: dict[str, Any], config: RunConfig = CONFIG, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[ProveScreen, Pilot[None], Studio]]:
    app = Studio(list(states), config)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ProveScreen)
        screen.tick()
        await pilot.pause()
        yield screen, pilot, app


def shown(screen: Any) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in screen._compositor.render_strips())


@pytest.fixture(scope="module")
def proof():
    steps, prove_cost.MOST_STEPS = prove_cost.MOST_STEPS, 12
    try:
        return prove(CONFIG)
    finally:
        prove_cost.MOST_STEPS = steps


@pytest.fixture(scope="module")
def wrong(proof):
    """The same with one cell, one derivative and one parameter off."""
    count, gradient, backend = proof.checks
    full, short = count.batches
    row = next(one for one in full.operations if one.what == "weights' gradient")
    off = replace(row, tally=row.tally + Operations(add=1))
    operations = tuple(off if one is row else one for one in full.operations)
    count = CountCheck((BatchCount(full.batch, operations, full.ledger), short))
    gradient = replace(gradient, passed=False, worst=2.0, where="layer 2, W[1,2]")
    backend = replace(backend, passed=False, worst=0.5, where="layer 1, b[3]")
    return replace(proof, checks=(count, gradient, backend))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_proof_shows_its_cells_and_figures(proof, size):
    async with proving({"proof": proof}, size=size) as (screen, _, _app):
        picture = shown(screen)
    assert "✓ proved" in picture
    assert picture.count("✓ passed") == 3
    assert "256 ✓" in picture
    for words in ("worst", "where", "checked", "all 39", "explained", "numpy float32"):
        assert words in picture
    for kind in ("ledger counted, tally measured", "measured"):
        assert kind in picture
    assert "✗" not in picture


async def test_with_room_ledger_and_tally_stand_one_above_the_other(proof):
    async with proving({"proof": proof}) as (screen, _, _app):
        lines = shown(screen).splitlines()
    at = next(i for i, line in enumerate(lines) if "forward" in line and "ledger" in line)
    assert "256" in lines[at]
    assert "256 ✓" in lines[at + 1]
    assert "tally" in lines[at + 1]


async def test_a_large_screen_shows_the_short_batch_and_every_operation(proof):
    async with proving({"proof": proof}, size=(200, 60)) as (screen, _, _app):
        picture = shown(screen)
    assert "one step of 6 examples, the short last one of an epoch" in picture
    assert "biases' gradient" in picture


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_failure_is_red_with_its_place(wrong, size):
    async with proving({"proof": wrong}, size=size) as (screen, _, _app):
        picture = shown(screen)
    assert "✗ not proved" in picture
    assert picture.count("✗ failed") == 3
    for words in ("at layer 2, W[1,2]", "at layer 1, b[3]", "weights' gradient"):
        assert words in picture
    assert "not proved: count, gradient, backend" in picture
    assert "tallied" in picture


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_nothing_is_clipped(proof, wrong, size):
    config = replace(CONFIG, layers=(5, *[4] * 20, 3))
    for one in (proof, wrong, None):
        async with proving({"proof": one}, size=size, config=config if one is None else CONFIG) as (screen, _, _app):
            for panel in screen.query(Panel):
                room = panel.scrollable_content_region
                assert len(panel.canvas.lines) <= room.height
                assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width, panel.id


async def test_the_ledger_is_there_at_once_and_the_tally_blank_until_it_is_known():
    async with proving({"progress": Progress("count", 0, 2, (), 12.0)}) as (screen, _, _app):
        picture = shown(screen)
    assert "◌ proving" in picture
    assert "256" in picture
    assert "✓" not in picture
    assert "0 of 2 steps tallied" in picture
    assert picture.count("waits for its turn") == 2
    assert "plain Python takes about 12.0 s of it, projected" in picture


async def test_checks_appear_as_they_end(proof):
    count, gradient, _ = proof.checks
    async with proving({}) as (screen, pilot, app):
        worker = app.made[0][0]
        assert worker.started
        assert "loading the data" in shown(screen)
        worker.progress = Progress("gradient", 1_250, 2_000, (count,), 1.0)
        screen.tick()
        await pilot.pause()
        assert "256 ✓" in shown(screen)
        assert "1,250 of 2,000 parameters" in shown(screen)
        worker.progress = Progress("backend", 3, 12, (count, gradient), 1.0)
        screen.tick()
        await pilot.pause()
        assert " 3 of 12 steps in plain Python" in shown(screen)
        worker.proof = proof
        screen.tick()
        await pilot.pause()
        assert "✓ proved" in shown(screen)


async def test_a_number_key_zooms_and_escape_goes_back_twice(proof):
    async with proving({"proof": proof}) as (screen, pilot, app):
        await pilot.press("1")
        await pilot.pause()
        assert [panel.number for panel in screen.query(Panel) if panel.display] == [1]
        picture = shown(screen)
        assert "softmax, cross-entropy" in picture
        assert "one step of 6 examples" in picture
        await pilot.press("escape")
        await pilot.pause()
        assert all(panel.display for panel in screen.query(Panel))
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen
        assert app.made[0][0].stopped


async def test_again_starts_anew_and_stops_what_was(proof):
    async with proving({"proof": proof}, {}) as (screen, pilot, app):
        await pilot.press("r")
        await pilot.pause()
        (first, _), (second, forced) = app.made
        assert first.stopped
        assert second.started
        assert not forced
        assert "✓" not in shown(screen)


async def test_a_refusal_says_how_long_and_can_be_overruled():
    refusal = {"failure": "layers = 784-4096-10: the scalar backend would take about 4 min 32 s", "refused": True}
    async with proving(refusal, {}) as (screen, pilot, app):
        picture = shown(screen)
        assert "✕ refused" in picture
        assert "4 min 32 s" in picture
        assert "f go on" in picture
        await pilot.press("f")
        await pilot.pause()
        assert [forced for _, forced in app.made] == [False, True]
        assert "f go on" not in shown(screen)


async def test_another_failure_cannot_be_overruled():
    async with proving({"failure": "digits has 64 inputs\x1b[2J"}) as (screen, pilot, app):
        picture = shown(screen)
        assert "✕ failed" in picture
        assert "digits has 64 inputs" in picture
        assert "\x1b" not in picture
        await pilot.press("f")
        assert len(app.made) == 1


async def test_a_real_worker_proves_it():
    app = Studio([{}], CONFIG)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = ProveScreen(CONFIG)
        await app.push_screen(screen)
        worker = screen._worker
        assert worker.join(60)
        screen.tick()
        await pilot.pause()
        assert "✓ proved" in shown(screen)
