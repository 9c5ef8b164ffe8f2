"""The answer page and the convention dial as a person meets them, over a setup or a run that goes on beneath."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.support.scripted import ScriptedWorker, snapshot
from tuisim import units
from tuisim.accounting import count
from tuisim.accounting.conventions import CONVENTIONS
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS
from tuisim.config.presets import PRESETS
from tuisim.engine import RunFailed, State
from tuisim.engine.step_time import StepTime
from tuisim.features.explain.answer.answer import Measured, claims
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, ElementTime
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.features.explain.answer.view import page
from tuisim.features.explain.conventions.screen import DialScreen
from tuisim.features.explain.conventions.view import dial
from tuisim.features.run.screen import RunScreen
from tuisim.features.setup.screen import SetupScreen
from tuisim.terminal.lines import text, width_of
from tuisim.tui import navigation as pages
from tuisim.tui.app import TuisimApp
from tuisim.tui.canvas import Canvas
from tuisim.tui.form.form import SetupForm

QUESTION = PRESETS[0].config
STEPS = (StepTime("numpy", "some BLAS ×1", 1.4e-5, 1e-6), StepTime("scalar", "plain Python ×1", 4.7e-3, 2e-4))
FUNCTIONS = tuple(
    ElementTime(name, elements, 2e-9, 1e-10, 3.0) for name in ("multiply", *ACTIVATIONS[1:]) for elements in (CACHED, LARGE)
)


class Worker(ScriptedWorker):
    """A scripted run in the state it is told to be in."""

    failure: RunFailed | None = None

    def __init__(self, config: RunConfig) -> None:
        super().__init__([snapshot(config.resolved()), snapshot(config.resolved(), state=State.PAUSED)])

    def join(self, timeout: float | None = None) -> bool:
        return True


class Method:
    """Measures nothing and says so at once; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[RunConfig, Measured]] = []

    def __call__(self, config: RunConfig, known: Measured, wanted: Any) -> Iterator[Measured]:
        self.asked.append((config, known))
        yield Measured(steps=STEPS, functions=known.functions)
        yield Measured(steps=STEPS, functions=FUNCTIONS)


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Method:
    scripted = Method()
    monkeypatch.setattr(
        pages, "AnswerScreen", type("Scripted", (AnswerScreen,), {"__init__": _with(scripted), "__module__": __name__})
    )
    monkeypatch.setattr(pages, "PAGES", (*pages.PAGES, pages.AnswerScreen))
    return scripted


def _with(scripted: Method) -> Any:
    def init(self: AnswerScreen, config: RunConfig, busy: Any = lambda: False, hush: Any = lambda: None) -> None:
        AnswerScreen.__init__(self, config, busy, hush, scripted)

    return init


@asynccontextmanager
async def running(size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[TuisimApp, Pilot[None], list[Worker]]]:
    made: list[Worker] = []

    def make(config: RunConfig) -> Worker:
        made.append(Worker(config))
        return made[-1]

    app = TuisimApp(worker_factory=make)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot, made


def shown(app: TuisimApp) -> str:
    return "\n".join(text(line) for line in app.screen.query_one(Canvas).lines)


async def until(pilot: Pilot[None], condition: Any) -> None:
    for _ in range(60):
        if condition():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came to be")


async def test_the_page_counts_at_once_measures_and_follows_the_inputs(method: Method) -> None:
    async with running() as (app, pilot, _):
        await pilot.press("f3")
        await pilot.pause()
        assert isinstance(app.screen, AnswerScreen)
        assert "1,860 derivatives" in shown(app)
        await until(pilot, lambda: "plain Python" in shown(app) and "used here" in shown(app))
        assert "under a millisecond with numpy" in shown(app)
        await pilot.press("e", "ctrl+u", *"8", "minus", "4")
        await until(pilot, lambda: "8 → 4" in shown(app))
        await until(pilot, lambda: len(method.asked) == 2 and "plain Python" in shown(app))
        config, known = method.asked[1]
        assert config.layers == (8, 4)
        assert known == Measured(functions=FUNCTIONS)
        await pilot.press("tab", "ctrl+u", "3", "2")
        await until(pilot, lambda: "at batch 32" in shown(app))
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert app.screen.query_one(SetupForm).field("layers").control.text == "30-30-30"


async def test_a_mistake_is_said_beneath_and_the_page_stays(method: Method) -> None:
    async with running() as (app, pilot, _):
        await pilot.press("f3")
        await pilot.pause()
        mistake = app.screen.query_one("InputLine .mistake", Static)
        for keys, words in ((("e", "ctrl+u", "7"), "give at least inputs and outputs"), (("minus", "2"), "")):
            await pilot.press(*keys)
            await pilot.pause()
            assert mistake.display == bool(words)
            assert words in str(mistake.content)
        await pilot.press("tab", "ctrl+u", "x")
        await pilot.pause()
        assert "batch size: not a number" in str(mistake.content)
        assert "7 → 2" in shown(app)


async def test_a_run_goes_on_beneath_and_nothing_is_timed_beside_it(method: Method) -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        for key, kind in (("f4", DialScreen), ("f3", AnswerScreen)):
            await pilot.press(key)
            await pilot.pause(0.15)
            assert isinstance(app.screen, kind)
            assert len([screen for screen in app.screen_stack if isinstance(screen, RunScreen)]) == 1
        assert workers[0].stopped_for is None
        assert workers[0].control.calls == []
        assert method.asked == []
        assert "not measured yet" in shown(app)
        await pilot.press("m")
        assert [call[0] for call in workers[0].control.calls] == ["pause"]
        workers[0].advance()
        await until(pilot, lambda: "plain Python" in shown(app))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert workers[0].stopped_for is None


async def test_a_form_that_is_wrong_has_no_page() -> None:
    async with running() as (app, pilot, _):
        app.screen.query_one(SetupForm).field("layers").control.value = "7"
        await pilot.pause()
        await pilot.press("f4")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert any("mend" in toast.message for toast in app._notifications)


async def test_the_dial_turns_round_and_every_tool_has_a_number() -> None:
    async with running() as (app, pilot, _):
        form = app.screen.query_one(SetupForm)
        form.field("output_activation").control.value = "tanh"
        await pilot.pause()
        await pilot.press("f4")
        await pilot.pause()
        assert isinstance(app.screen, DialScreen)
        assert "◂ fvcore ▸" in shown(app)
        ledger = count(replace(QUESTION, output_activation="tanh"))
        for convention in CONVENTIONS:
            assert app.screen.convention is convention
            assert convention.leaves_out.split(",")[0] in shown(app)
            assert f"{units.count(ledger.reported(convention))} {convention.unit}" in shown(app)
            await pilot.press("space")
            await pilot.pause()
        assert app.screen.at == 0
        await pilot.press("left")
        assert app.screen.convention.key == "tuisim"


async def test_keys_and_palette_offer_the_pages_and_a_preset_leaves_them(method: Method) -> None:
    async with running() as (app, pilot, _):
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        assert {"Proof", "Answer", "Conventions"} <= set(titles)
        titles["Conventions"].callback()
        await pilot.pause()
        assert isinstance(app.screen, DialScreen)
        assert {"f2", "f3", "f4"} <= set(app.screen.active_bindings)
        titles["Preset: digits"].callback()
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        field = app.screen.query_one(SetupForm).field("layers").control
        assert field.text == "64-32-10"
        field.focus()
        await pilot.press("f3")
        await pilot.pause()
        assert isinstance(app.screen, AnswerScreen)
        assert field.text == "64-32-10"


WHOLE = Measured(STEPS, FUNCTIONS)


@pytest.mark.parametrize("width", [56, 76, 116, 196])
@pytest.mark.parametrize("layers", [(30, 30, 30), (5,) * 65, (10**6, 10**6, 10**6)])
def test_the_page_fits_its_width(layers: tuple[int, ...], width: int) -> None:
    lines = page(claims(RunConfig(layers=layers), WHOLE), width)
    assert max(map(width_of, lines)) <= width
    whole = "\n".join(map(text, lines))
    assert all(f"S{number}" in whole for number in range(1, 8))
    assert all(kind in whole for kind in ("counted", "measured", "projected"))


@pytest.mark.parametrize(("width", "height"), [(56, 16), (76, 20), (116, 32), (196, 56)])
@pytest.mark.parametrize("layers", [(30, 30, 30), (5,) * 65, (10**6, 10**6, 10**6)])
def test_the_dial_fits_its_room(layers: tuple[int, ...], width: int, height: int) -> None:
    ledger = count(RunConfig(layers=layers, optimizer="adamw", weight_decay=0.1, hidden_activation="gelu"))
    for at in range(len(CONVENTIONS)):
        lines = dial(ledger, at, width, height)
        assert max(map(width_of, lines)) <= width, [text(line) for line in lines if width_of(line) > width]
        assert len(lines) <= height
        assert CONVENTIONS[at].name.removeprefix("FlopCounterMode ") in "\n".join(map(text, lines))
