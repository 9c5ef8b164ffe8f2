"""The proof page: real checks of a small network, shown over scripted jobs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from tests.support.job import ScriptedJob, scripted_page, shown
from tuisim.accounting import Operations
from tuisim.config import RunConfig
from tuisim.features.explain.proof import proof as proof_module
from tuisim.features.explain.proof.count import BatchCount, CountCheck
from tuisim.features.explain.proof.proof import ProofProgress, TooLong, prove
from tuisim.features.explain.proof.screen import ProofScreen
from tuisim.terminal.lines import width_of
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel

CONFIG = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


def proving(
    *jobs: ScriptedJob, config: RunConfig = CONFIG, size: tuple[int, int] = (120, 36)
) -> AbstractAsyncContextManager[tuple[ProofScreen, Pilot[None]]]:
    return scripted_page(ProofScreen(PageContext(config=config)), *jobs, size=size)


@pytest.fixture(scope="module")
def proof():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof_module, "MAX_STEPS", 12)
        return prove(CONFIG)


@pytest.fixture(scope="module")
def wrong(proof):
    """The same with one cell, one derivative and one parameter off."""
    count, gradient, backend = proof.checks
    full, short = count.batches
    row = next(one for one in full.operations if one.what == "weight gradient")
    off = replace(row, tally=row.tally + Operations(add=1))
    operations = tuple(off if one is row else one for one in full.operations)
    count = CountCheck((BatchCount(full.batch, operations, full.ledger), short))
    gradient = replace(gradient, passed=False, worst=2.0, where="layer 2, W[1,2]")
    backend = replace(backend, passed=False, worst=0.5, where="layer 1, b[3]")
    return replace(proof, checks=(count, gradient, backend))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_proof_shows_its_cells_and_figures(proof, size):
    async with proving(ScriptedJob(result=proof), size=size) as (screen, _):
        picture = shown(screen)
    assert "✓ proved" in picture
    assert picture.count("✓ passed") == 3
    assert "256 ✓" in picture
    for words in ("worst", "at", "checked", "all 39", "tolerance", "numpy float32"):
        assert words in picture
    for kind in ("predicted counted, executed measured", "measured"):
        assert kind in picture
    assert "✗" not in picture


async def test_with_room_predicted_counts_are_above_executed_ones(proof):
    async with proving(ScriptedJob(result=proof)) as (screen, _):
        lines = shown(screen).splitlines()
    at = next(i for i, line in enumerate(lines) if "forward" in line and "predicted" in line)
    assert "256" in lines[at]
    assert "256 ✓" in lines[at + 1]
    assert "executed" in lines[at + 1]


async def test_a_large_screen_shows_the_short_batch_and_every_operation(proof):
    async with proving(ScriptedJob(result=proof), size=(200, 60)) as (screen, _):
        picture = shown(screen)
    assert "one step of 6 examples, the short last one of an epoch" in picture
    assert "bias gradient" in picture


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_failed_check_shows_where(wrong, size):
    async with proving(ScriptedJob(result=wrong), size=size) as (screen, _):
        picture = shown(screen)
    assert "✗ not proved" in picture
    assert picture.count("✗ failed") == 3
    for words in ("at layer 2, W[1,2]", "at layer 1, b[3]", "weight gradient"):
        assert words in picture
    assert "predicted, " in picture
    assert "executed" in picture


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_nothing_is_clipped(proof, wrong, size):
    config = replace(CONFIG, layers=(5, *[4] * 20, 3))
    for one in (proof, wrong, None):
        async with proving(ScriptedJob(result=one), size=size, config=config if one is None else CONFIG) as (screen, _):
            for panel in screen.query(Panel):
                room = panel.scrollable_content_region
                assert len(panel.canvas.lines) <= room.height
                assert max((width_of(line) for line in panel.canvas.lines), default=0) <= room.width, panel.id


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_panel_has_its_provenance(proof, size):
    async with proving(ScriptedJob(result=proof), size=size) as (screen, _):
        tags = [str(panel.border_subtitle) for panel in screen.query(Panel)]
        assert tags == ["predicted counted, executed measured", "measured, parameters counted", "measured"]


async def test_predicted_counts_are_shown_at_once_and_executed_ones_when_known():
    async with proving(ScriptedJob(progress=ProofProgress("count", 0, 2, (), 12.0))) as (screen, _):
        picture = shown(screen)
    assert "◌ proving" in picture
    assert "256" in picture
    assert "✓" not in picture
    assert "0 of 2 steps counted" in picture
    assert "plain Python takes about 12.0 s of the proof, projected" in picture


async def test_checks_appear_as_they_finish(proof):
    count, gradient, _ = proof.checks
    job = ScriptedJob()
    async with proving(job) as (screen, pilot):
        assert job.is_started
        assert "loading the data" in shown(screen)
        for progress, words in (
            (ProofProgress("gradient", 1_250, 2_000, (count,), 1.0), "1,250 of 2,000 parameters"),
            (ProofProgress("backend", 3, 12, (count, gradient), 1.0), " 3 of 12 steps in plain Python"),
        ):
            job.progress = progress
            screen.tick()
            await pilot.pause()
            assert "256 ✓" in shown(screen)
            assert words in shown(screen)
        job.result = proof
        screen.tick()
        await pilot.pause()
        assert "✓ proved" in shown(screen)


async def test_a_number_key_zooms_and_escape_leaves(proof):
    job = ScriptedJob(result=proof)
    async with proving(job) as (screen, pilot):
        app = screen.app
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
        assert job.is_cancelled


async def test_again_restarts_the_proof(proof):
    first, second = ScriptedJob(result=proof), ScriptedJob()
    async with proving(first, second) as (screen, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert first.is_cancelled
        assert second.is_started
        assert "✓" not in shown(screen)


async def test_a_refused_proof_says_how_long_it_takes_and_can_be_forced():
    refusal = TooLong("layers = 784-4096-10: the scalar backend would take about 4 min 32 s")
    first, second = ScriptedJob(failure=refusal), ScriptedJob()
    async with proving(first, second) as (screen, pilot):
        picture = shown(screen)
        assert "✕ refused" in picture
        assert "4 min 32 s" in picture
        assert "f force" in picture
        await pilot.press("f")
        await pilot.pause()
        assert second.is_started
        assert screen._is_forced
        assert "f force" not in shown(screen)


async def test_another_failure_cannot_be_forced():
    job = ScriptedJob(failure="digits has 64 inputs\x1b[2J")
    async with proving(job) as (screen, pilot):
        picture = shown(screen)
        assert "✕ failed" in picture
        assert "digits has 64 inputs" in picture
        assert "\x1b" not in picture
        await pilot.press("f")
        assert screen.job is job


async def test_a_real_job_proves_it():
    screen = ProofScreen(PageContext(config=CONFIG))
    job = screen.make_job()
    async with scripted_page(screen, job) as (_, pilot):  # type: ignore[arg-type]
        assert job.join(60)
        screen.tick()
        await pilot.pause()
        assert "✓ proved" in shown(screen)
