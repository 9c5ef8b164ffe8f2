"""The answer and the conventions page, over a setup or a run that goes on beneath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.job import ScriptedJob, scripted_page, shown
from tests.support.shell import Shell, settled, until
from tuisim import units
from tuisim.accounting import count
from tuisim.accounting.conventions import CONVENTIONS
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS
from tuisim.config.presets import PRESETS
from tuisim.engine.step_time import StepTime
from tuisim.features.explain.answer import screen as answer_screen
from tuisim.features.explain.answer.claims import Measured
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, ElementTime
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.features.explain.answer.view import AnswerState, answer_lines
from tuisim.features.explain.conventions.screen import ConventionsScreen
from tuisim.features.explain.conventions.view import ConventionsState, convention_lines
from tuisim.terminal.lines import Frame, text, width_of
from tuisim.tui.context import PageContext

QUESTION = PRESETS[0].config
STEPS = (StepTime("numpy", "some BLAS ×1", 1.4e-5, 1e-6), StepTime("scalar", "plain Python ×1", 4.7e-3, 2e-4))
FUNCTIONS = tuple(
    ElementTime(name, elements, 2e-9, 1e-10, 3.0) for name in ("multiply", *ACTIVATIONS[1:]) for elements in (CACHED, LARGE)
)


class Method:
    """Replaces the measurement: yields scripted figures at once, and records its arguments."""

    def __init__(self) -> None:
        self.asked: list[tuple[RunConfig, Measured]] = []

    def __call__(self, config: RunConfig, known: Measured, wanted: Any) -> Iterator[Measured]:
        self.asked.append((config, known))
        yield Measured(steps=STEPS, functions=known.functions)
        yield Measured(steps=STEPS, functions=FUNCTIONS)


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Method:
    scripted = Method()
    monkeypatch.setattr(answer_screen, "measure", scripted)
    monkeypatch.setattr(answer_screen, "EDIT_DELAY", 0.05)
    return scripted


@asynccontextmanager
async def answering(size: tuple[int, int] = (80, 24), **context: Any) -> AsyncIterator[tuple[AnswerScreen, Pilot[None]]]:
    screen = AnswerScreen(PageContext(config=QUESTION, **context))
    app = Shell()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(screen)
        await settled(screen, pilot)
        yield screen, pilot


def drawn(screen: Any) -> str:
    return "\n".join(text(line) for line in screen._panels[0].canvas.lines)


async def test_the_page_counts_at_once_measures_and_follows_the_inputs(method: Method) -> None:
    async with answering() as (screen, pilot):
        assert "1,860 derivatives" in drawn(screen)
        await until(pilot, lambda: "plain Python" in drawn(screen) and "used here" in drawn(screen))
        assert "under a millisecond with numpy" in drawn(screen)
        await until(pilot, lambda: " measured" in shown(screen).splitlines()[1])
        await pilot.press("e", "ctrl+u", *"8", "minus", "4")
        await until(pilot, lambda: "8 → 4" in drawn(screen))
        await until(pilot, lambda: len(method.asked) == 2 and "plain Python" in drawn(screen))
        config, known = method.asked[1]
        assert config.layers == (8, 4)
        assert known == Measured(functions=FUNCTIONS)
        await pilot.press("tab", "ctrl+u", "3", "2")
        await until(pilot, lambda: "at batch 32" in drawn(screen))
        await pilot.press("escape")
        assert screen.app.screen is screen
        app = screen.app
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen


async def test_a_mistake_is_shown_and_the_page_stays(method: Method) -> None:
    async with answering() as (screen, pilot):
        await pilot.press("e", "ctrl+u", "7")
        await pilot.pause()
        assert "give at least inputs and outputs" in shown(screen)
        await pilot.press("minus", "2")
        await until(pilot, lambda: "7 → 2" in drawn(screen))
        assert "✗" not in shown(screen).splitlines()[1]
        await pilot.press("tab", "ctrl+u", "x")
        await pilot.pause()
        assert "not a number" in shown(screen)
        assert "7 → 2" in drawn(screen)


async def test_it_waits_for_a_run_and_m_pauses_it() -> None:
    paused = []
    screen = AnswerScreen(PageContext(config=QUESTION, pause_run=lambda: paused.append(True)))
    job = ScriptedJob(is_waiting=True)
    async with scripted_page(screen, job) as (_, pilot):
        assert "m pauses the run" in shown(screen)
        assert "not measured yet" in drawn(screen)
        await pilot.press("m")
        assert paused == [True]
        job.is_waiting, job.progress = False, Measured(STEPS)
        screen.tick()
        await pilot.pause()
        assert "plain Python" in drawn(screen)
        assert "timing activations" in shown(screen)


async def test_again_measures_everything_and_cancels_the_job_before() -> None:
    screen = AnswerScreen(PageContext(config=QUESTION))
    first, second = ScriptedJob(progress=Measured(STEPS, FUNCTIONS), result=Measured(STEPS, FUNCTIONS)), ScriptedJob()
    async with scripted_page(screen, first, second) as (_, pilot):
        assert " measured" in shown(screen).splitlines()[1]
        await pilot.press("R")
        await until(pilot, lambda: second.is_started)
        assert first.is_cancelled
        assert screen._known == Measured()
        assert "plain Python" not in drawn(screen)


async def test_the_page_takes_the_lease_of_its_context() -> None:
    screen = AnswerScreen(PageContext(config=QUESTION))
    assert screen.make_job()._lease is screen.context.lease


async def test_every_convention_is_shown_in_turn() -> None:
    config = replace(QUESTION, output_activation="tanh")
    screen, app = ConventionsScreen(PageContext(config=config)), Shell()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        assert "▸ fvcore ◂" in drawn(screen)
        assert "all numbers counted" in shown(screen)
        ledger = count(config)
        for convention in CONVENTIONS:
            assert screen.state.convention is convention
            assert convention.leaves_out.split(",")[0] in drawn(screen)
            assert f"{units.count(ledger.reported(convention))} {convention.unit}" in drawn(screen)
            await pilot.press("down")
            await pilot.pause()
        assert screen.state.at == 0
        await pilot.press("up")
        assert screen.state.convention.key == "tuisim"
        await pilot.press("home")
        assert screen.state.at == 0
        await pilot.press("end")
        assert screen.state.convention.key == "tuisim"
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is not screen


WHOLE = Measured(STEPS, FUNCTIONS)


@pytest.mark.parametrize("width", [56, 76, 116, 196])
@pytest.mark.parametrize("layers", [(30, 30, 30), (5,) * 65, (10**6, 10**6, 10**6)])
def test_the_page_fits_its_width(layers: tuple[int, ...], width: int) -> None:
    lines = answer_lines(AnswerState(RunConfig(layers=layers), WHOLE), Frame(width, 24))
    assert max(map(width_of, lines)) <= width
    whole = "\n".join(map(text, lines))
    assert all(f"S{number}" in whole for number in range(1, 8))
    assert all(kind in whole for kind in ("counted", "measured", "projected"))


@pytest.mark.parametrize(("width", "height"), [(56, 16), (76, 20), (116, 32), (196, 56)])
@pytest.mark.parametrize("layers", [(30, 30, 30), (5,) * 65, (10**6, 10**6, 10**6)])
def test_the_conventions_fit_their_frame(layers: tuple[int, ...], width: int, height: int) -> None:
    ledger = count(RunConfig(layers=layers, optimizer="adamw", weight_decay=0.1, hidden_activation="gelu"))
    for at in range(len(CONVENTIONS)):
        lines = convention_lines(ConventionsState(ledger, at), Frame(width, height))
        assert max(map(width_of, lines)) <= width, [text(line) for line in lines if width_of(line) > width]
        assert len(lines) <= height
        assert CONVENTIONS[at].name.removeprefix("FlopCounterMode ") in "\n".join(map(text, lines))
