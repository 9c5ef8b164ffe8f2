"""The page Budget over made prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.made_prices import CONFIG, MadePrices
from tests.support.provenance import said
from tests.support.shell import Shell
from tuisim.config import RunConfig
from tuisim.engine.job import Job
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.features.estimate.budget import screen as budget_screen
from tuisim.features.estimate.budget.budget import Answer, Limits, budget
from tuisim.features.estimate.budget.screen import INPUTS, BudgetScreen
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification
from tuisim.features.estimate.budget.view import ANSWERS_TAG, DETAILS_TAG, BudgetState, answer_lines, detail_lines
from tuisim.provenance import words
from tuisim.terminal.lines import ChartStyle, Frame, text, width_of
from tuisim.tui.context import PageContext
from tuisim.tui.panel import Panel, ViewCanvas

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
LIMITS = Limits(0.3, 20_000)
FOUND = budget(CONFIG, MadePrices(), LIMITS)
PATIENCE = 20.0
"""Seconds until a test gives up; nothing here takes one."""


def made_predictor() -> Any:
    """Return a background predictor that predicts at once."""
    return SimpleNamespace(
        stamp=0, current=SimpleNamespace(predict=MadePrices()), state=lambda config: SimpleNamespace(prediction=1, why_not="")
    )


@pytest.fixture(autouse=True)
def _verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the short run."""
    monkeypatch.setattr(budget_screen, "verify", lambda answer, control: Verification(1_234, 2e-3, 1.9e-3, str(answer.question)))


@asynccontextmanager
async def budgeting(
    size: tuple[int, int] = (120, 36), config: RunConfig = CONFIG, predictor: Any = None, lease: MachineLease | None = None
) -> AsyncIterator[tuple[BudgetScreen, Pilot[None], list[RunConfig]]]:
    used: list[RunConfig] = []
    context = PageContext(config=config, use=used.append, predictor=predictor or made_predictor(), lease=lease or MachineLease())
    app, screen = Shell(), BudgetScreen(context, LIMITS)
    async with app.run_test(size=size, notifications=True) as pilot:
        await app.push_screen(screen)
        await solved(screen, pilot)
        yield screen, pilot, used


async def until(screen: BudgetScreen, pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, screen.state
        await pilot.pause(0.01)
        screen.tick()
    await pilot.pause()


async def solved(screen: BudgetScreen, pilot: Pilot[None]) -> None:
    """Wait until all answers to the limits in the inputs are shown."""
    await until(screen, pilot, lambda: len(screen.state.answers) == len(Question) or bool(screen.state.failure))


async def verify(screen: BudgetScreen, pilot: Pilot[None]) -> None:
    await pilot.press("v")
    await until(screen, pilot, lambda: screen.state.question in screen.state.checks)


def header(screen: BudgetScreen) -> str:
    return text(screen.query_one("#budget-header", ViewCanvas).lines[0])


def drawn(screen: BudgetScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#budget-{panel}", Panel).canvas.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_four_answers_are_shown_at_every_size(size):
    async with budgeting(size) as (screen, pilot, _):
        await verify(screen, pilot)
        answers = drawn(screen, "answers")
        for one in FOUND:
            assert f"{one.value:,}" in answers
            assert one.limited_by is not None
            assert one.limited_by.words in answers
        assert FOUND[0].words.split(";")[0] in drawn(screen, "details").replace("\n", " ")
        assert "1,234 steps run" in drawn(screen, "details")
        assert "2.00 ms measured" in drawn(screen, "details")
        for panel, tag in zip(screen.query(Panel), (ANSWERS_TAG, DETAILS_TAG), strict=True):
            room = panel.scrollable_content_region
            assert 0 < len(panel.canvas.lines) <= room.height
            assert max(width_of(line) for line in panel.canvas.lines) <= room.width
            kinds = words(tag)
            assert str(panel.border_subtitle) == kinds
            assert len(kinds) <= room.width
            said(panel.canvas.lines, kinds)
        header = screen.query_one("#budget-header", ViewCanvas)
        assert "8-6-3" in text(header.lines[0])
        assert width_of(header.lines[0]) <= header.size.width


async def test_another_time_is_typed_and_solved():
    async with budgeting() as (screen, pilot, _):
        await pilot.press("e", *"0.2s")
        await pilot.pause()
        await solved(screen, pilot)
        assert screen.state.limits == Limits(0.2, 20_000)
        assert screen.state.answers[2].value == budget(CONFIG, MadePrices(), Limits(0.2, 20_000))[2].value
        await pilot.press("enter")
        assert screen.focused is None
        screen._inputs.edit("memory")
        await pilot.press("delete")
        await pilot.pause()
        await solved(screen, pilot)
        assert screen.state.limits == Limits(0.2)


@pytest.mark.parametrize("typed", ["soon", "0", "-5", "1e31", "10 20"])
async def test_an_invalid_time_is_refused_in_place_of_the_answers(typed):
    async with budgeting((60, 20)) as (screen, pilot, used):
        await pilot.press("e", *("space" if one == " " else "minus" if one == "-" else one for one in typed))
        await pilot.pause()
        assert "time:" in drawn(screen, "answers")
        assert not screen.state.answers
        await pilot.press("enter", "enter", "v")
        assert not used
        await pilot.press("e", "5")
        await pilot.pause()
        await solved(screen, pilot)
        assert len(screen.state.answers) == 4


async def test_the_selected_answer_is_used_and_the_page_left():
    async with budgeting() as (screen, pilot, used):
        await pilot.press(*["down"] * 9, "up")
        assert "▸ most epochs" in drawn(screen, "answers")
        await pilot.press("enter")
        assert used == [FOUND[2].config]
        assert screen.app.screen is not screen


async def test_an_answer_without_a_value_cannot_be_used():
    async with budgeting(config=replace(CONFIG, layers=(8, 3))) as (screen, pilot, used):
        assert "no hidden layer" in drawn(screen, "answers")
        await pilot.press("enter")
        assert not used
        assert screen.app.screen is screen
        await pilot.press("v")
        assert screen.state.verifying is None


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
async def test_a_run_without_an_end_has_its_most_epochs_all_the_same(size):
    async with budgeting(size, config=replace(CONFIG, epochs=None)) as (screen, _, __):
        assert f"{FOUND[2].value:,}" in drawn(screen, "answers")
        assert "10 epochs assumed" in header(screen)


@pytest.mark.parametrize(("downs", "epochs"), [(0, 10), (2, FOUND[2].value)])
async def test_the_used_configuration_has_the_assumed_epochs(downs, epochs):
    """It would not end, and so fit nothing, without the epochs that were assumed; these are said."""
    async with budgeting(config=replace(CONFIG, epochs=None)) as (screen, pilot, used):
        await pilot.press(*["down"] * downs, "enter")
        assert [config.epochs for config in used] == [epochs]
        said = any("10 epochs, as assumed" in one.message for one in screen.app._notifications)
        assert said == (downs == 0)


async def test_a_machine_profile_that_becomes_known_is_used():
    """The machine is measured while the page is shown: its progress stands there, and then the answers."""
    predictor = made_predictor()
    predictor.current, made = None, predictor.current
    predictor.state = lambda config: SimpleNamespace(
        prediction=predictor.current, why_not=f"measuring this machine, once … {predictor.stamp} of 2"
    )
    async with budgeting(predictor=predictor) as (screen, pilot, _):
        for done in (0, 1):
            predictor.stamp = done
            screen.tick()
            assert "of 2" in drawn(screen, "answers"), "a failure stays until the next try has a result"
            await until(screen, pilot, lambda done=done: f"{done} of 2" in drawn(screen, "answers"))  # type: ignore[misc]
        predictor.stamp, predictor.current = 2, made
        await until(screen, pilot, lambda: len(screen.state.answers) == len(Question))
        assert f"{FOUND[0].value:,}" in drawn(screen, "answers")


async def test_without_a_machine_profile_it_says_to_calibrate():
    predictor = made_predictor()
    predictor.current, predictor.state = None, lambda config: SimpleNamespace(why_not="", prediction=None)
    async with budgeting(predictor=predictor) as (screen, pilot, _):
        assert "tuisim calibrate" in drawn(screen, "answers")
        await pilot.press("down", "v", "enter")
        assert screen.app.screen is screen


async def test_a_verification_waits_for_the_machine():
    lease = MachineLease()
    claim = Claim("training", Priority.TRAINING)
    assert lease.acquire(claim)
    async with budgeting(lease=lease) as (screen, pilot, _):
        await pilot.press("v")
        await pilot.pause()
        assert screen.state.verifying is Question.WIDEST
        assert "the verification waits" in drawn(screen, "details")
        assert not screen.state.checks
        lease.release(claim)
        await until(screen, pilot, lambda: bool(screen.state.checks))
        assert "1,234 steps run" in drawn(screen, "details")


async def test_escape_leaves_the_field_then_the_zoom_then_the_screen():
    async with budgeting() as (screen, pilot, _):
        await pilot.press("e", "escape")
        assert screen.focused is None
        await pilot.press("2")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        assert screen.app.screen is not screen


async def test_new_limits_drop_verifications():
    async with budgeting() as (screen, pilot, _):
        await verify(screen, pilot)
        assert set(screen.state.checks) == {Question.WIDEST}
        await pilot.press("e", "7")
        await pilot.pause()
        assert not screen.state.checks


# ── jobs ──


def run_job(job: Job[Any, Any]) -> Job[Any, Any]:
    job.start()
    assert job.join(PATIENCE)
    return job


def test_the_job_publishes_every_answer_and_can_be_cancelled():
    screen = BudgetScreen(PageContext(config=CONFIG, predictor=made_predictor()), LIMITS)
    job = run_job(screen._make_job(LIMITS))
    assert [one.value for one in job.progress] == [one.value for one in FOUND]
    cancelled = screen._make_job(LIMITS)
    cancelled.cancel()
    run_job(cancelled)
    assert (cancelled.progress, cancelled.failure) == (None, None)


# ── inputs and views ──


def test_a_written_limit_is_read_again():
    time, memory = INPUTS
    for bytes_ in (1, 1_000, 1_024, 3 * 2**20, 2**31, 5 * 2**40, 10**30):
        assert memory.read(memory.text(bytes_)) == bytes_
    assert (time.read("2h"), memory.read("500MB")) == (7_200, 500_000_000)
    assert (time.read(" "), memory.read("1 GiB")) == (None, 2**30)


def test_no_placeholder_of_a_limit_reads_as_a_limit():
    for declared in INPUTS:
        with pytest.raises(ValueError, match="2h" if declared.name == "time" else "2GiB"):
            declared.read(declared.blank)


@pytest.mark.parametrize("width", [40, 56, 76, 116, 196])
@pytest.mark.parametrize("height", [2, 5, 12, 40])
def test_nothing_is_wider_or_higher_than_its_room(width, height):
    endless = budget(replace(CONFIG, examples=10**15), MadePrices(), Limits(1e30, 10**30))
    nothing = budget(CONFIG, MadePrices(), Limits(1e-9))
    cases: list[tuple[Limits, tuple[Answer, ...], int]] = [(LIMITS, FOUND, place) for place in range(4)]
    cases += [(Limits(1e30, 10**30), endless, 3), (Limits(1e-9), nothing, 0), (LIMITS, FOUND[:1], 2), (LIMITS, (), 0)]
    for case in cases:
        for draw in (answer_lines, detail_lines):
            lines = draw(BudgetState(CONFIG, *case), Frame(width, height, ChartStyle.ASCII))
            assert all(width_of(line) <= width for line in lines), [text(line) for line in lines]
            assert len(lines) <= max(height, 5)


def test_a_bar_is_as_long_as_its_share():
    limits = Limits(0.3, 40_000)
    state = BudgetState(CONFIG, limits, budget(CONFIG, MadePrices(), limits), 2)
    answer = state.answers[2]
    assert answer.prediction is not None
    lines = detail_lines(state, Frame(120, 30, ChartStyle.ASCII))
    _, (full, _), (rest, _), *_ = next(one for one in lines if text(one).startswith("memory"))
    assert set(full) | set(rest) == {"#", "."}
    assert len(full) / len(full + rest) == pytest.approx(answer.prediction.memory_bytes / 40_000, abs=0.02)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_click_selects_the_answer(size):
    async with budgeting(size) as (screen, pilot, _):
        panel = screen.query_one("#budget-answers", Panel)
        for name, chosen in (("most epochs", 2), ("deepest", 1)):
            place = next(i for i, line in enumerate(panel.canvas.lines) if name in text(line))
            await pilot.click(panel, offset=(4, place + 1))
            await pilot.pause()
            assert screen.state.selected == chosen
