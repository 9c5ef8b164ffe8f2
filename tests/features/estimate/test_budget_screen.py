"""The budget screen as a person meets it, over prices that are made up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic

import pytest
from textual.pilot import Pilot

from tests.features.estimate.test_budget import CONFIG, MadeUp
from tests.support.provenance import said
from tests.support.shell import Shell
from tuisim.config import RunConfig
from tuisim.errors import DataError
from tuisim.features.estimate.budget.budget import Answer, Limit, Predicts, budget
from tuisim.features.estimate.budget.screen import INPUTS, BudgetScreen
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification
from tuisim.features.estimate.budget.view import AnswersView, AnswerView, Sheet
from tuisim.features.estimate.budget.worker import BudgetWorker, VerificationWorker
from tuisim.provenance import words
from tuisim.terminal.lines import ChartStyle, Frame, text, width_of
from tuisim.tui.panel import Panel, ViewCanvas

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
LIMIT = Limit(0.3, 20_000)
FOUND = budget(CONFIG, MadeUp(), LIMIT).answers
PATIENCE = 20.0
"""Seconds until a test gives up; nothing here takes one."""


class Verified:
    """A short run that has ended before it began."""

    alive, failure = False, None

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.found: Verification | None = Verification(1_234, 2e-3, 1.9e-3, "")

    def start(self) -> None:
        pass


class Budgeting(Shell):
    def __init__(self, screen: BudgetScreen) -> None:
        super().__init__()
        self._screen = screen

    def on_mount(self) -> None:
        self.push_screen(self._screen)


@asynccontextmanager
async def budgeting(
    size: tuple[int, int] = (120, 36),
    config: RunConfig = CONFIG,
    outlook: Callable[[], Predicts] = MadeUp,
    busy: str = "",
    news: Callable[[], object] = lambda: None,
) -> AsyncIterator[tuple[BudgetScreen, Pilot[None], list[RunConfig]]]:
    used: list[RunConfig] = []
    screen = BudgetScreen(config, used.append, outlook, lambda: busy, limit=LIMIT, verifier=Verified, news=news)
    app = Budgeting(screen)
    async with app.run_test(size=size, notifications=True) as pilot:
        await solved(screen, pilot)
        yield screen, pilot, used


async def solved(screen: BudgetScreen, pilot: Pilot[None]) -> None:
    """Until all there is to be known of the limit in the fields is shown."""
    until = monotonic() + PATIENCE
    while len(screen.sheet.answers) < len(Question) and screen.sheet.failure is None:
        assert monotonic() < until, screen.sheet
        await pilot.pause(0.01)
        screen.tick()
    await pilot.pause()


def header(screen: BudgetScreen) -> str:
    return text(screen.query_one("#budget-header", ViewCanvas).lines[0])


def drawn(screen: BudgetScreen, panel: str) -> str:
    return "\n".join(text(line) for line in screen.query_one(f"#budget-{panel}", Panel).canvas.lines)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_four_answers_are_seen_at_every_size(size):
    async with budgeting(size) as (screen, pilot, _):
        await pilot.press("v")
        screen.tick()
        await pilot.pause()
        answers = drawn(screen, "answers")
        for one in FOUND:
            assert f"{one.value:,}" in answers
            assert one.limited_by is not None
            assert one.limited_by.words in answers
        assert FOUND[0].words.split(";")[0] in drawn(screen, "answer").replace("\n", " ")
        assert "1,234 steps run" in drawn(screen, "answer")
        assert "2.00 ms measured" in drawn(screen, "answer")
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert 0 < len(panel.canvas.lines) <= room.height
            assert max(width_of(line) for line in panel.canvas.lines) <= room.width
            kinds = words(panel.canvas._view.kinds)
            assert str(panel.border_subtitle) == kinds
            assert len(kinds) <= room.width
            said(panel.canvas.lines, kinds)
        header = screen.query_one("#budget-header", ViewCanvas)
        assert "8-6-3" in text(header.lines[0])
        assert width_of(header.lines[0]) <= header.size.width


async def test_another_time_is_typed_and_solved():
    async with budgeting() as (screen, pilot, _):
        await pilot.press("t", *"0.2s")
        await pilot.pause()
        await solved(screen, pilot)
        assert screen.sheet.limit == Limit(0.2, 20_000)
        assert screen.sheet.answers[2].value == budget(CONFIG, MadeUp(), Limit(0.2, 20_000)).answers[2].value
        await pilot.press("enter")
        assert screen.focused is None
        await pilot.press("m", "delete")
        await pilot.pause()
        await solved(screen, pilot)
        assert screen.sheet.limit == Limit(0.2)


@pytest.mark.parametrize("typed", ["soon", "0", "-5", "1e31", "10 20"])
async def test_what_is_no_time_is_said_where_the_answers_would_be(typed):
    async with budgeting((60, 20)) as (screen, pilot, used):
        await pilot.press("t", *("space" if one == " " else "minus" if one == "-" else one for one in typed))
        await pilot.pause()
        assert "time:" in drawn(screen, "answers")
        assert not screen.sheet.answers
        await pilot.press("enter", "enter", "v")
        assert not used
        await pilot.press("t", "5")
        await pilot.pause()
        await solved(screen, pilot)
        assert len(screen.sheet.answers) == 4


async def test_the_chosen_answer_is_used_and_the_screen_left():
    async with budgeting() as (screen, pilot, used):
        await pilot.press(*["down"] * 9, "up")
        assert "▸ most epochs" in drawn(screen, "answers")
        await pilot.press("u")
        assert used == [FOUND[2].config]
        assert screen.app.screen is not screen


async def test_what_has_no_value_cannot_be_used():
    async with budgeting(config=replace(CONFIG, layers=(8, 3))) as (screen, pilot, used):
        assert "no hidden layer" in drawn(screen, "answers")
        await pilot.press("enter")
        assert not used
        assert screen.app.screen is screen
        await pilot.press("v")
        assert screen.sheet.verifying is None


@pytest.mark.parametrize("size", SIZES[1:], ids=str)
async def test_a_run_without_an_end_has_its_most_epochs_all_the_same(size):
    async with budgeting(size, config=replace(CONFIG, epochs=None)) as (screen, _, __):
        assert f"{FOUND[2].value:,}" in drawn(screen, "answers")
        assert "10 epochs assumed" in header(screen)


@pytest.mark.parametrize(("downs", "epochs"), [(0, 10), (2, FOUND[2].value)])
async def test_what_is_used_of_a_run_without_an_end_is_what_was_solved_for(downs, epochs):
    """It would not end, and so fit nothing, without the epochs that were assumed; these are said."""
    async with budgeting(config=replace(CONFIG, epochs=None)) as (screen, pilot, used):
        await pilot.press(*["down"] * downs, "u")
        assert [config.epochs for config in used] == [epochs]
        said = any("10 epochs, which it was solved for" in one.message for one in screen.app._notifications)
        assert said == (downs == 0)


async def test_a_card_that_comes_later_is_solved_by():
    """The machine is measured beneath the screen: how far that is stands there, and then the answers."""
    news = [0]

    def coming() -> Predicts:
        if news[0] < 2:
            raise DataError(f"measuring this machine, once … {news[0]} of 2")
        return MadeUp()

    async with budgeting(outlook=coming, news=lambda: news[0]) as (screen, pilot, _):
        for done in (0, 1):
            news[0] = done
            screen.tick()
            assert "of 2" in drawn(screen, "answers"), "what was said stands there until something else is"
            until = monotonic() + PATIENCE
            while f"{done} of 2" not in drawn(screen, "answers"):
                assert monotonic() < until
                await pilot.pause(0.01)
                screen.tick()
        news[0] = 2
        until = monotonic() + PATIENCE
        while len(screen.sheet.answers) < len(Question):
            assert monotonic() < until
            screen.tick()
            await pilot.pause(0.01)
        assert f"{FOUND[0].value:,}" in drawn(screen, "answers")


async def test_without_a_card_it_says_to_calibrate():
    def none() -> Predicts:
        raise DataError("there is no machine card yet: run tuisim calibrate")

    async with budgeting(outlook=none) as (screen, pilot, _):
        assert "tuisim calibrate" in drawn(screen, "answers")
        await pilot.press("down", "v", "u")
        assert screen.app.screen is screen


async def test_a_training_is_not_disturbed():
    async with budgeting(busy="a training is at work: pause it first") as (screen, pilot, _):
        await pilot.press("v")
        await pilot.pause()
        assert screen.sheet.verifying is None
        assert not screen.sheet.checks
        assert any("pause it first" in one.message for one in screen.app._notifications)


async def test_escape_leaves_the_field_then_the_zoom_then_the_screen():
    async with budgeting() as (screen, pilot, _):
        await pilot.press("t", "escape")
        assert screen.focused is None
        await pilot.press("2")
        assert screen.zoomed
        await pilot.press("escape")
        assert not screen.zoomed
        await pilot.press("escape")
        assert screen.app.screen is not screen


async def test_a_new_limit_forgets_what_was_verified():
    async with budgeting() as (screen, pilot, _):
        await pilot.press("v")
        screen.tick()
        assert set(screen.sheet.checks) == {Question.WIDEST}
        await pilot.press("t", "7")
        await pilot.pause()
        assert not screen.sheet.checks


# ── workers ──


def test_the_worker_publishes_every_answer_and_can_be_left():
    worker = BudgetWorker(CONFIG, LIMIT, MadeUp)
    worker.start()
    assert worker.join(PATIENCE)
    assert [one.value for one in worker.answers] == [one.value for one in FOUND]
    left = BudgetWorker(CONFIG, LIMIT, MadeUp)
    left.stop()
    left.start()
    assert left.join(PATIENCE)
    assert (left.answers, left.failure) == ((), None)


def test_a_short_run_in_the_background(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "tuisim.features.estimate.budget.worker.verify", lambda answer, control: Verification(1, 1.0, 1.0, str(answer.question))
    )
    worker = VerificationWorker(FOUND[2])
    worker.start()
    assert worker.join(PATIENCE)
    assert worker.found is not None
    assert worker.found.words == "epochs"


# ── fields and views ──


def test_what_is_written_is_read_again():
    time, memory = INPUTS
    for bytes_ in (1, 1_000, 1_024, 3 * 2**20, 2**31, 5 * 2**40, 10**30):
        assert memory.read(memory.text(bytes_)) == bytes_
    assert (time.read("2h"), memory.read("500MB")) == (7_200, 500_000_000)
    assert (time.read(" "), memory.read("1 GiB")) == (None, 2**30)


@pytest.mark.parametrize("width", [40, 56, 76, 116, 196])
@pytest.mark.parametrize("height", [2, 5, 12, 40])
def test_nothing_is_wider_or_higher_than_its_room(width, height):
    endless = budget(replace(CONFIG, examples=10**15), MadeUp(), Limit(1e30, 10**30)).answers
    nothing = budget(CONFIG, MadeUp(), Limit(1e-9)).answers
    sheets = [Sheet(LIMIT, FOUND, place) for place in range(4)] + [
        Sheet(Limit(1e30, 10**30), endless, 3), Sheet(Limit(1e-9), nothing, 0), Sheet(LIMIT, FOUND[:1], 2), Sheet(LIMIT),
    ]  # fmt: skip
    for sheet in sheets:
        for view in (AnswersView(), AnswerView()):
            view.sheet = sheet
            lines = view.lines(None, Frame(width, height, ChartStyle.ASCII))
            assert all(width_of(line) <= width for line in lines), [text(line) for line in lines]
            assert len(lines) <= max(height, 5)


def test_a_bar_is_as_long_as_its_share():
    view = AnswerView()
    view.sheet = Sheet(Limit(0.3, 40_000), budget(CONFIG, MadeUp(), Limit(0.3, 40_000)).answers, 2)
    answer = view.sheet.answers[2]
    assert answer.prediction is not None
    line = next(text(one) for one in view.lines(None, Frame(120, 30, ChartStyle.ASCII)) if text(one).startswith("memory"))
    assert line.count("#") / (line.count("#") + line.count("-")) == pytest.approx(
        answer.prediction.memory_bytes / 40_000, abs=0.02
    )


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_click_chooses_the_answer(size):
    async with budgeting(size) as (screen, pilot, _):
        panel = screen.query_one("#budget-answers", Panel)
        for name, chosen in (("most epochs", 2), ("deepest", 1)):
            place = next(i for i, line in enumerate(panel.canvas.lines) if name in text(line))
            await pilot.click(panel, offset=(4, place + 1))
            await pilot.pause()
            assert screen.sheet.chosen == chosen
