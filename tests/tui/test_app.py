"""The app: runs, pages, help, palette, themes, small terminals, and leaving it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.binding import Binding
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Static

from tests.support.made_machine_profile import entry, machine_profile
from tests.support.scripted import ScriptedWorker, snapshot
from tests.support.shell import until
from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.engine import RunFailed
from tuisim.features import sub_pages
from tuisim.features.run.screen import RunScreen
from tuisim.features.setup.screen import SetupLedger, SetupScreen
from tuisim.predict import profiles
from tuisim.terminal.lines import Tone
from tuisim.tui import restart
from tuisim.tui.app import TuisimApp
from tuisim.tui.failure import failure_line
from tuisim.tui.form.form import SetupForm
from tuisim.tui.help import HelpScreen
from tuisim.tui.navigation import PAGE_BINDINGS
from tuisim.tui.page_strip import PageStrip
from tuisim.tui.themes import DARK_COLOURS, contrast
from tuisim.tui.too_small import SmallScreen


class Worker(ScriptedWorker):
    """A scripted run that remembers what it was made for."""

    run_failed: RunFailed | None = None

    def __init__(self, config: RunConfig) -> None:
        super().__init__([snapshot(config.resolved())])
        self.config = config

    def join(self, timeout: float | None = None) -> bool:
        return True


class Workers:
    """Makes workers and keeps them."""

    def __init__(self) -> None:
        self.made: list[Worker] = []

    def __call__(self, config: RunConfig) -> Worker:
        self.made.append(Worker(config))
        return self.made[-1]


@asynccontextmanager
async def running(size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[TuisimApp, Pilot[None], list[Worker]]]:
    workers = Workers()
    app = TuisimApp(worker_factory=workers)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot, workers.made


@pytest.fixture(autouse=True)
def runs_may_follow_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.tui.app.START_SECONDS", 0.0)


def text_of(app: TuisimApp) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def test_start_restart_and_back_each_have_a_worker_of_their_own() -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert workers[0].started
        assert workers[0].config == PRESETS[0].config.fitted()
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert [worker.config for worker in workers] == [PRESETS[0].config.fitted()] * 2
        assert workers[0].stopped_for is not None
        assert workers[1].started
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert workers[1].stopped_for is not None


async def test_a_failed_run_is_mentioned_again_on_the_setup_page() -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        workers[0].run_failed = RunFailed(0, "digits has 64 inputs, the layers begin with 30")
        await pilot.press("escape")
        await pilot.pause()
        assert any("digits has 64 inputs" in toast.message for toast in app._notifications)


@pytest.mark.parametrize(("keys", "code"), [(["ctrl+q"], 0), (["ctrl+c"], 130), (["f1", "ctrl+q"], 0)])
async def test_leaving_the_app_stops_the_run(keys: list[str], code: int) -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        assert app.return_code == code
        assert workers[0].stopped_for is not None


async def test_q_is_a_letter_while_typing_and_control_c_copies_what_is_selected() -> None:
    async with running() as (app, pilot, _):
        await pilot.press("down", "q")
        field = app.screen.query_one(SetupForm).field("layers").control
        assert field.value == "q"
        await pilot.press("shift+left", "ctrl+c")
        assert app.clipboard == "q"
        assert app.return_code is None
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.return_code == 0


@pytest.mark.parametrize("binding", PAGE_BINDINGS, ids=lambda binding: binding.key)
async def test_every_page_has_a_key_and_leads_back(binding: Binding) -> None:
    """With a machine profile made by hand."""
    profiles.keep(machine_profile(entry("numpy"), entry("numba")))
    name = binding.action.removeprefix("page('").removesuffix("')")
    app = TuisimApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press(binding.key)
        await pilot.pause()
        if name in ("setup", "run"):
            assert isinstance(app.screen, SetupScreen), "there is no run yet"
            return
        assert app.page is not None
        assert name in (app.page.name, app.page.parent)
        for page in [*sub_pages(name)[1:], *sub_pages(name)[:1]]:
            await pilot.press("tab")
            await pilot.pause()
            assert app.page is page
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)


async def test_a_page_opens_its_last_sub_page_and_shift_tab_goes_back() -> None:
    async with running() as (app, pilot, _):
        await pilot.press("f9", "tab", "tab")
        await pilot.pause()
        assert app.page is not None
        last = app.page
        assert last is sub_pages("explain")[2]
        await pilot.press("escape", "f9")
        await pilot.pause()
        assert app.page is last
        await pilot.press("shift+tab")
        await pilot.pause()
        assert app.page is sub_pages("explain")[1]


async def test_a_click_on_a_sub_page_opens_it() -> None:
    async with running() as (app, pilot, _):
        await pilot.press("f9")
        await pilot.pause()
        names = str(app.screen.query_one(PageStrip).render()).splitlines()[1]
        await pilot.click(PageStrip, offset=(1 + names.index("Conventions"), 1))
        await pilot.pause()
        assert app.page is not None
        assert app.page.name == "conventions"


async def test_a_run_goes_on_while_the_setup_is_in_front() -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        run = app.screen
        await pilot.press("f2")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert workers[0].stopped_for is None
        await pilot.press("f3")
        await pilot.pause()
        assert app.screen is run
        await pilot.press("f2", "ctrl+r")
        await pilot.pause()
        assert workers[0].stopped_for == "another run was started"
        assert isinstance(app.screen, RunScreen)
        assert app.screen is not run


async def test_a_message_of_the_run_before_does_not_cover_the_next() -> None:
    async with running() as (app, pilot, _):
        app.notify("out of memory", title="the run failed", timeout=60)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert not list(app._notifications)


async def test_a_theme_chosen_during_a_run_recolours_it_at_once() -> None:
    async with running() as (app, pilot, _):
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.pause(0.3)

        def colours() -> set[Any]:
            strips = [strip for canvas in app.screen.query("ViewCanvas") for strip in canvas._strips]
            styles = [segment.style for strip in strips for segment in strip if segment.style]
            return {style.bgcolor for style in styles} | {style.color for style in styles}

        before = colours()
        app.theme = "tuisim-light"
        await pilot.pause()
        await pilot.pause(0.3)
        assert before
        assert not before & colours(), "no cell keeps a colour of the old theme"


async def test_an_answer_of_the_budget_fills_the_form() -> None:
    app = TuisimApp()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("f7")
        app.use(RunConfig(layers=(64, 77, 10), epochs=4))
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        values = app.screen.query_one(SetupForm).values
        assert (values["layers"], values["epochs"]) == ("64-77-10", "4")


async def test_a_terminal_too_small_says_so_and_recovers() -> None:
    async with running(size=(59, 20)) as (app, pilot, _):
        assert isinstance(app.screen, SmallScreen)
        words = str(app.screen.query_one("#small", Static).content)
        assert words == "tuisim needs 60×20; this terminal is 59×20 (ctrl+q quits)"
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        await pilot.resize_terminal(80, 19)
        await pilot.pause()
        assert isinstance(app.screen, SmallScreen)
        assert "80×19" in text_of(app)
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.return_code == 0


def described(app: TuisimApp, *kinds: type[Any]) -> list[tuple[str, str]]:
    """Every key of these classes that says what it does, as (key as shown, words)."""
    bindings = [binding for kind in kinds for binding in Binding.make_bindings(kind.BINDINGS) if binding.description]
    return [(app.get_key_display(Binding(one.key, one.action)), one.tooltip or one.description) for one in bindings]


async def test_help_lists_every_key_of_the_app_its_screens_and_its_widgets() -> None:
    from tuisim.tui.form.layers import LayerEditor
    from tuisim.tui.form.presets import PresetBar

    async with running(size=(120, 36)) as (app, pilot, _):
        await pilot.press("question_mark")
        await until(pilot, lambda: any(str(one.content) for one in app.screen.query("#help-text").results(Static)))
        assert isinstance(app.screen, HelpScreen)
        lines = str(app.screen.query_one("#help-text", Static).content).splitlines()
        for key, words in described(app, TuisimApp, SetupScreen, RunScreen, LayerEditor, PresetBar):
            assert any(key in line[:18].split() and line[18:].lower().startswith(words[:40].lower()) for line in lines), (
                key,
                words,
            )
        assert any("Passes over the training examples" in line for line in lines)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)


async def test_the_palette_offers_presets_and_themes() -> None:
    async with running() as (app, pilot, _):
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        titles["Preset: digits"].callback()
        titles["Theme: light"].callback()
        await pilot.pause()
        assert app.screen.query_one(SetupForm).field("layers").control.value == "64-32-10"
        assert app.theme == "tuisim-light"
        await pilot.press("ctrl+r")
        await pilot.pause()
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        assert "Race" in titles
        titles["Preset: spirals"].callback()
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert app.screen.query_one(SetupForm).field("layers").control.value == "2-32-32-3"


def test_every_theme_defines_the_colours_of_phases_series_and_health() -> None:
    app = TuisimApp()
    for name in app.available_themes:
        app.set_reactive(TuisimApp.theme, name)
        assert set(DARK_COLOURS) <= set(app.get_css_variables()), name


async def test_every_theme_of_the_palette_shows_every_tone_readably() -> None:
    async with TuisimApp().run_test(size=(120, 36)) as pilot:
        app = pilot.app
        ledger = app.screen.query_one(SetupLedger)
        for name in [name for name in app.available_themes if not name.startswith("ansi")]:  # whose colours are the terminal's
            app.theme = name
            await pilot.pause()
            ledger._rebuild()
            for tone in Tone:
                style = ledger._look(tone)
                assert style.color is not None
                assert style.bgcolor is not None
                shown, behind = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
                least = {Tone.FAINT: 1.2, Tone.AREA: 2.0}.get(tone, 3.0)
                assert contrast(shown, behind) >= least, (name, tone, shown, behind)
            variables = app.theme_variables
            for text in ("foreground", "secondary", "accent", "error", "text-quiet", "footer-key-foreground"):
                for behind in (Color.parse(variables[one]) for one in ("background", "surface", "panel")):
                    assert contrast(Color.parse(variables[text]), behind) >= 3, (name, text, behind)


async def test_a_click_on_a_key_presses_it() -> None:
    async with running() as (app, pilot, workers):
        at = text_of(app).splitlines()[-1].index("start")
        await pilot.click("KeyLine", offset=(at, 0))
        await pilot.pause()
        assert workers[0].started


async def test_no_size_breaks_the_app() -> None:
    async with running() as (app, pilot, _):
        for size in ((1, 1), (300, 100), (60, 20), (2, 90), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert isinstance(app.screen, SetupScreen)


def test_a_failure_is_one_printable_line() -> None:
    line = failure_line(ValueError("bad\nthing\x1b[31m"))
    assert line.startswith("tuisim: the app failed: an unexpected fault: bad")
    assert "\n" not in line
    assert "\x1b" not in line


async def test_holding_down_the_restart_key_starts_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.tui.app.START_SECONDS", 60.0)
    async with running() as (app, pilot, workers):
        app._started_at = -100.0
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.press("R", "R", "R")
        await pilot.pause()
        assert len(workers) == 1
        assert workers[0].stopped_for is None  # the run in progress goes on


async def test_tuisim_can_be_restarted_only_after_a_lost_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        workers[0].run_failed = RunFailed(3, "out of memory")
        await pilot.press("ctrl+n")
        assert not app.restart_asked
        workers[0].run_failed = RunFailed(3, "the GPU failed", device_lost=True)
        await pilot.press("ctrl+n")
        await pilot.pause()
        assert app.restart_asked
        assert app.return_code == 0


def test_a_restarted_tuisim_restores_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig(layers=(7, 5, 3), hidden_activation="tanh", loss="mse", backend="cupy", epochs=None)
    begun: list[dict[str, str]] = []
    monkeypatch.setattr(restart.os, "name", "nt")
    monkeypatch.setattr(restart.subprocess, "call", lambda command, env: begun.append(env) or 0)
    assert restart.start(config) == 0
    monkeypatch.setenv("TUISIM_FORM", begun[0]["TUISIM_FORM"])
    assert restart.passed_config() == config
    assert restart.passed_config() is None, "it is not passed on to child processes"
    codes = json.dumps(config.to_dict() | {"dataset": "./\x1b[31m.csv"})
    for odd in ("{", "[]", '{"layers": "x"}', '{"no_such": 1}', "[" * 60_000, codes):
        monkeypatch.setenv("TUISIM_FORM", odd)
        assert restart.passed_config() is None


async def test_a_run_that_a_page_has_paused_goes_on_once_the_page_is_left() -> None:
    async with running() as (app, pilot, workers):
        await pilot.press("ctrl+r")
        await pilot.pause()
        await pilot.press("f7")
        await pilot.pause()
        app.pause_run()
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert [name for name, *_ in workers[0].control.calls] == ["pause", "resume"]
        await pilot.press("f9")
        await pilot.press("escape")
        await pilot.pause()
        assert len(workers[0].control.calls) == 2, "a run that no page has paused is left alone"


async def test_the_help_opens_the_manual_at_the_panel_in_focus() -> None:
    from tuisim.features.manual.screen import ManualScreen

    async with running() as (app, pilot, _):
        await pilot.press("ctrl+r")
        await pilot.pause()
        app.screen.query_one("#gradients").focus()
        await pilot.press("f1", "m")
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, ManualScreen)
        assert (app.screen.page, app.screen._anchor) == ("glossary", "gradients")
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
