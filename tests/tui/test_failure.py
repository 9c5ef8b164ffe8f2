"""A fault in a widget, a page or a timer never ends the app or the training: it is logged, told once, and the page stays."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from rich.style import Style
from textual import events
from textual._styles_cache import StylesCache
from textual.app import App
from textual.color import Color
from textual.command import CommandPalette
from textual.driver import Driver
from textual.events import Key
from textual.geometry import Size
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList

from tests.support.scripted import ScriptedWorker, snapshot
from tuisim.config import RunConfig
from tuisim.engine import RunFailed
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.features.run.screen import RunScreen
from tuisim.features.setup.screen import SetupScreen
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.page import PageScreen


class Worker(ScriptedWorker):
    """A scripted run."""

    run_failed: RunFailed | None = None

    def __init__(self, config: RunConfig) -> None:
        super().__init__([snapshot(config.resolved())])

    def join(self, timeout: float | None = None) -> bool:
        return True


@asynccontextmanager
async def running() -> AsyncIterator[tuple[TuisimApp, Pilot[None], Any]]:
    """The app with a run in front. The test fails on any fault that it does not take with `forgiven`."""
    app = TuisimApp(worker_factory=Worker)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        yield app, pilot, app.worker


def forgiven(app: TuisimApp) -> str:
    """The fault that the app has survived, as a word; it is not raised at the end of the test."""
    error, app._exception = app._exception, None
    return repr(error)


def notices(app: TuisimApp) -> list[str]:
    return [toast.message for toast in app._notifications if "tuisim.log" in toast.message]


def broken(*_: object) -> NoReturn:
    raise KeyError(0)


async def test_a_fault_in_a_key_leaves_the_run_and_the_screen_as_they_are(
    monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    monkeypatch.setattr(RunScreen, "action_chart_style", broken)
    async with running() as (app, pilot, worker):
        await pilot.press("c")
        await pilot.pause()
        assert forgiven(app) == "KeyError(0)"
        assert worker.stopped_for is None
        assert len(notices(app)) == 1
        assert "KeyError" not in notices(app)[0]
        assert "in broken" in (own_folder / "tuisim.log").read_text()
        await pilot.press("space")  # the screen still listens
        assert [name for name, *_ in worker.control.calls] == ["pause"]
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.return_code == 0
        assert app.failure is None


async def test_a_fault_at_every_tick_is_reported_and_logged_once(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    whole = RunScreen._follow
    monkeypatch.setattr(RunScreen, "_follow", broken)
    async with running() as (app, pilot, worker):
        for _ in range(4):
            await pilot.pause(0.1)
        monkeypatch.setattr(RunScreen, "_follow", whole)  # a tick after the fault was taken would be raised at the end
        assert forgiven(app) == "KeyError(0)"
        assert len(notices(app)) == 1
        assert (own_folder / "tuisim.log").read_text().count("Traceback") == 1
        assert worker.stopped_for is None


async def test_a_fault_in_drawing_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.features.run.screen.curves_lines", broken)
    async with running() as (app, pilot, worker):
        await pilot.pause(0.2)
        assert forgiven(app) == "KeyError(0)"
        assert worker.stopped_for is None
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.return_code == 0


@pytest.mark.parametrize("part", ["compose", "on_mount"])
async def test_a_page_that_cannot_be_built_is_taken_away(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(AnswerScreen, part, broken)
    async with running() as (app, pilot, worker):
        await pilot.press("f9")
        await pilot.pause()
        await pilot.pause()
        assert forgiven(app) == "KeyError(0)"
        assert isinstance(app.screen, RunScreen)
        await pilot.press("x")
        assert [name for name, *_ in worker.control.calls] == ["stop"]


async def test_a_page_key_before_the_palette_is_laid_out_does_nothing() -> None:
    async with running() as (app, pilot, _):
        for key in ("ctrl+p", "pagedown", "pageup", "down", "end", "home"):
            app.post_message(Key(key, None))  # at once, as a slow connection delivers them
        await pilot.pause()
        assert isinstance(app.screen, CommandPalette)
        assert app._exception is None


async def test_a_page_key_before_a_list_of_names_is_laid_out_does_nothing() -> None:
    app = TuisimApp(worker_factory=Worker)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#field-optimizer").query_one("Choice").focus()
        await pilot.pause()
        for key in ("enter", "pagedown", "pageup"):
            app.post_message(Key(key, None))
        await pilot.pause()
        assert app._exception is None


async def test_leaving_while_a_page_is_being_built_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, _, _):
        monkeypatch.setattr(AnswerScreen, "on_mount", broken)
        app.action_page("explain")
        app.leave_soon(143)
    assert app.return_code == 143
    assert app.failure is None


@pytest.mark.parametrize("left", [True, False])
async def test_a_page_removed_while_it_is_built_causes_no_failure(
    monkeypatch: pytest.MonkeyPatch, own_folder: Path, left: bool
) -> None:
    monkeypatch.setattr(InputLine, "on_mount", broken)  # as where its fields are gone already
    async with running() as (app, pilot, _):
        app.action_page("budget")
        if left:
            app.screen.dismiss(None)
        else:
            app.exit(return_code=0)
        await pilot.pause()
        assert app._exception is None
    assert not (own_folder / "tuisim.log").exists()


async def test_a_request_to_leave_before_the_app_runs_ends_it_without_the_terminal() -> None:
    app = TuisimApp()
    app.leave_soon(129)
    await app.run_async(headless=True)
    assert app.return_code == 129
    assert not any(isinstance(screen, SetupScreen) for stack in app._screen_stacks.values() for screen in stack)
    app.leave_soon(143)  # too late, and no error


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (MessagePump, ("_dispatch_message",)),
        (App, ("_handle_exception", "_fatal_error", "_print_error_renderables", "_close_messages_no_wait", "panic")),
        (OptionList, ("_move_page", "_on_click")),
        (Screen, ("dismiss", "get_widget_and_offset_at")),
        (StylesCache, ("get_inner_outer",)),
        (Driver, ("no_automatic_restart", "suspend_application_mode", "resume_application_mode", "process_message")),
    ],
)
def test_the_private_parts_of_textual_exist(owner: type, names: tuple[str, ...]) -> None:
    assert [name for name in names if not callable(getattr(owner, name, None))] == []


async def test_the_private_attributes_of_the_app_exist() -> None:
    app = TuisimApp()
    async with app.run_test():
        for name in ("_exit", "_exception", "_exception_event", "_exit_renderables"):
            assert hasattr(app, name), name
        assert app._driver is not None
        assert app._driver._auto_restart is True
        assert app._driver._loop is not None
    from textual._context import active_app, active_message_pump
    from textual._xterm_parser import XTermParser

    assert (active_app.name, active_message_pump.name) == ("active_app", "active_message_pump")
    assert [type(event) for event in XTermParser().feed("a")] == [events.Key]


def test_the_private_attributes_of_the_driver_exist() -> None:
    drivers = pytest.importorskip("textual.drivers.linux_driver", reason="there is none on Windows")
    source = Path(drivers.__file__).read_text()
    for name in ("_key_thread", "_writer_thread", "_must_signal_resume", "_run_input_thread", "run_input_thread", "exit_event"):
        assert f"self.{name} = " in source or f"def {name}(" in source, name
    assert "target=self._run_input_thread" in source
    assert "signal.signal(signal.SIGTSTP" in source


async def test_a_screen_that_is_not_in_front_is_not_dismissed() -> None:
    async with running() as (app, pilot, worker):
        await pilot.press("f9")
        await pilot.pause()
        page = app.screen
        page.dismiss(None)
        page.dismiss(None)  # its second key was waiting already
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert worker.stopped_for is None


@pytest.mark.parametrize("key", ["f1", "f6", "f7", "f8", "f9", "f12"])
async def test_a_callback_of_a_page_that_was_left_is_not_called(
    monkeypatch: pytest.MonkeyPatch, own_folder: Path, key: str
) -> None:
    async with running() as (app, pilot, _):
        await pilot.press(key)
        await pilot.pause()
        page, called = app.screen, []
        assert isinstance(page, PageScreen)
        page.call_after_refresh(called.append, "there")
        await pilot.pause()
        assert called == ["there"]
        page.every(0.001, lambda: called.append("timer"))
        asked: list[Message] = []
        with monkeypatch.context() as patched:
            patched.setattr(page, "post_message", asked.append)
            page.call_after_refresh(called.append, "gone")
        page.dismiss(None)
        # Its own queue has handed it on to the screen in front, which comes to it after the page has gone.
        app.screen.post_message(asked[0])
        called.clear()
        await pilot.pause(0.05)
        assert isinstance(app.screen, RunScreen)
        assert called == []
        assert app._exception is None
        assert not (own_folder / "tuisim.log").exists()


async def test_a_page_that_was_left_takes_no_edits(own_folder: Path) -> None:
    async with running() as (app, pilot, _):
        await pilot.press("f9")
        await pilot.pause()
        page = app.screen
        assert isinstance(page, AnswerScreen)
        edited = InputLine.Edited({"layers": (2, 2), "batch_size": 32}, "")
        edited._sender = page.query_one(InputLine)
        await page.query_one("#answer-claims").remove()  # as far as a page that is being taken away may be
        page.post_message(edited)
        page.dismiss(None)
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app._exception is None
        assert not (own_folder / "tuisim.log").exists()


async def test_a_click_on_an_option_that_is_gone_does_nothing() -> None:
    async with running() as (app, pilot, _):
        options = OptionList("one", "two")
        await app.screen.mount(options)
        await pilot.pause()
        click = events.Click(options, 1, 1, 0, 0, 1, False, False, False, style=Style.from_meta({"option": 2}))
        before = options.highlighted
        await options._on_click(click)
        assert options.highlighted == before


async def test_a_button_pressed_on_a_widget_that_is_gone_selects_nothing() -> None:
    async with running() as (app, pilot, _):
        header = app.screen.query_one("#run-header")
        x, y = header.region.offset
        assert app.screen.get_widget_and_offset_at(x, y)[0] is header
        parent = header.parent
        header._detach()  # what is drawn knows it until the next refresh
        try:
            app.screen._forward_event(events.MouseDown(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y))
            assert app.screen.get_widget_and_offset_at(x, y) == (None, None)
        finally:
            header._attach(parent)
        await pilot.pause()
        assert app._exception is None


def test_the_colour_cache_keeps_no_rendered_lines() -> None:
    TuisimApp()
    cache = StylesCache()
    first = cache.get_inner_outer(Color(1, 2, 3), Color(4, 5, 6, 0.5))
    assert first == StylesCache().get_inner_outer(Color(1, 2, 3), Color(4, 5, 6, 0.5))
    assert [style.background for style in first] == [Color(1, 2, 3) + Color(4, 5, 6, 0.5), Color(1, 2, 3)]
    gone = weakref.ref(cache)
    del cache
    assert gone() is None


async def test_a_screen_ignores_sizes_other_than_the_terminals() -> None:
    """Two screens of different sizes would keep resizing each other without end."""
    async with running() as (app, pilot, _):
        app.screen.post_message(events.Resize(Size(60, 20), Size(60, 20)))
        await pilot.pause()
        assert app.screen.size == (120, 36)
        await pilot.resize_terminal(80, 24)
        assert [screen.size for screen in app.screen_stack[1:]] == [(80, 24)]
