"""The configuration and the theme of the last start, the words of the first one, and the question before a long run is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Static

from tests.support.screens import AppRun
from tests.support.scripted import snapshot
from tuisim.config import RunConfig
from tuisim.engine.events import State
from tuisim.features.setup.screen import FIRST_START
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.form import SetupForm
from tuisim.tui.session import NAME, Session
from tuisim.tui.themes import DARK, LIGHT

CONFIG = RunConfig(layers=(64, 17, 10), dataset="digits", optimizer="adam", learning_rate=0.003, epochs=None)


async def test_the_last_configuration_and_the_theme_are_there_at_the_next_start() -> None:
    session = Session()
    app = TuisimApp(session=session)
    assert session.is_first
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert str(app.screen.query_one("#setup-first", Static).content) == FIRST_START
        app.use(replace(CONFIG, loss="auto"))
        app.theme = LIGHT.name
        await pilot.pause()
    app.save_session()
    session = Session()
    assert (session.config, session.theme, session.problem) == (CONFIG, LIGHT.name, "")
    app = TuisimApp(session.config, session=session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.theme == LIGHT.name
        assert app.screen.query_one(SetupForm).values["layers"] == "64-17-10"
        assert not app.screen.query("#setup-first"), "it is not the first start"
        app.screen.query_one(SetupForm).field("layers").control.value = "64-x"
        await pilot.pause()
    app.save_session()
    assert Session().config == CONFIG, "a form with mistakes leaves the last configuration"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '{"kind": "session", "version": 9}', '{"kind": "session", "version": 1}',
        json.dumps({"kind": "session", "version": 1, "config": {"no_such": 1}, "theme": "x"}),
        json.dumps({"kind": "session", "version": 1, "config": {"layers": [0]}, "theme": "x"}),
        json.dumps({"kind": "session", "version": 1, "config": {"dataset": "./\x1b[31m.csv"}, "theme": "x"}),
    ],
)  # fmt: skip
async def test_a_broken_file_is_ignored_with_one_notice(own_folder: Path, text: str) -> None:
    (own_folder / NAME).write_text(text)
    session = Session()
    assert session.config is None
    app = TuisimApp(session=session)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        notices = [one for one in app._notifications if one.title == "the last configuration was not restored"]
        assert [one.message for one in notices] == [session.problem]
        assert app.theme == DARK.name
        await pilot.press("f2")
    app.save_session()
    assert Session().config is not None, "it is written again"


def test_a_folder_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path / "file" / "home"))
    app = TuisimApp(session=Session())
    app.setup = type("Form", (), {"described": CONFIG})
    app.save_session()
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("seconds", "state", "asks"), [(31.0, State.TRAINING, True), (29.0, State.TRAINING, False), (31.0, State.COMPLETED, False)]
)
async def test_quitting_a_long_run_asks_first(seconds: float, state: State, asks: bool) -> None:
    shown = snapshot(CONFIG.resolved(), training_seconds=seconds, state=state)
    app = TuisimApp(CONFIG, worker_factory=lambda _: AppRun([shown]))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+r")
        await pilot.pause()
        if asks:
            app.quit_soon()  # as the thread that reads the terminal does at each press
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert (app.return_code is None) is asks
        if asks:
            assert any("press ctrl+q again" in one.message for one in app._notifications)
            app.quit_soon()
            await pilot.pause()
            assert app.return_code == 0
