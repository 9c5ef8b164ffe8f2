"""Presets of the user on the setup page and in the palette."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.features.setup.test_screen import form, put, setup, text_of
from tests.support.screens import NET, ScriptedPredictor
from tuisim.config import RunConfig
from tuisim.store.presets import own_presets, save_preset
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.name_dialog import NameDialog
from tuisim.tui.form.presets import PresetBar

MINE = RunConfig(layers=(64, 20, 10), dataset="digits", seed=7)


def bar(app: App[Any]) -> PresetBar:
    return app.screen.query_one(PresetBar)


async def saved_as(pilot: Pilot[Any], name: str) -> None:
    await pilot.press("s")
    await pilot.pause()
    assert isinstance(pilot.app.screen, NameDialog)
    await pilot.press("ctrl+u", *name, "enter")
    await pilot.pause()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36), (200, 60)], ids=str)
async def test_the_form_is_saved_under_a_name_and_chosen_again(size: tuple[int, int]) -> None:
    async with setup(size=size) as (app, pilot):
        await put(app, pilot, layers="30-17-30", seed="9")
        bar(app).focus()
        await saved_as(pilot, "mine")
        assert [(one.name, one.config.layers) for one in own_presets() if one.config] == [("mine", (30, 17, 30))]
        assert bar(app).chosen == "mine"
        assert "•mine" in text_of(app), "it is in sight, whatever fits"
        await pilot.press("home", *["left"] * 6, "enter")
        assert form(app).values["layers"] == "30-30-30"
        await pilot.press(*["right"] * 6, "enter")
        assert (form(app).values["layers"], form(app).values["seed"]) == ("30-17-30", "9")


async def test_a_name_that_cannot_be_is_refused_where_it_is_typed() -> None:
    async with setup() as (app, pilot):
        await pilot.press("s", *"digits", "enter")
        await pilot.pause()
        assert isinstance(app.screen, NameDialog)
        assert "digits is built in" in text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        assert own_presets() == ()


async def test_the_last_entry_saves_by_a_click() -> None:
    async with setup(size=(200, 60)) as (app, pilot):
        place = text_of(app).splitlines()
        row = next(number for number, line in enumerate(place) if "+ save" in line)
        await pilot.click(offset=(place[row].index("+ save") + 2, row))
        await pilot.pause()
        assert isinstance(app.screen, NameDialog)


async def test_only_an_own_preset_can_be_deleted_and_it_comes_back() -> None:
    save_preset("mine", MINE)
    async with setup(MINE) as (app, pilot):
        assert bar(app).chosen == "mine"
        await pilot.press("s")
        await pilot.pause()
        await pilot.press(*"second", "enter")
        await pilot.pause()
        assert [one.name for one in own_presets()] == ["mine", "second"], "typing replaces the name that is suggested"
        for _ in own_presets():
            await pilot.press("d")
            await pilot.pause()
        assert own_presets() == ()
        assert "mine" not in [one.name for one in bar(app).entries]
        await pilot.press("home", "left", "d")
        assert len(bar(app).entries) == 6, "a built-in one stays"
        app.screen.restore_preset("mine")  # type: ignore[attr-defined]
        assert own_presets()[0].config == MINE
        assert bar(app).entries[-1].name == "mine"


async def test_a_damaged_preset_says_why_and_leaves_the_form_alone(own_folder: Path) -> None:
    save_preset("good", MINE)
    (own_folder / "presets" / "bad.toml").write_text("batch_size = 0")
    async with setup(size=(200, 60)) as (app, pilot):
        await pilot.press(*["right"] * 6)
        assert "batch_size" in text_of(app)
        await pilot.press("enter")
        assert form(app).values["layers"] == "30-30-30"
        await pilot.press("right", "enter")
        assert form(app).values["layers"] == "64-20-10"


async def test_a_form_with_mistakes_is_not_saved() -> None:
    async with setup() as (app, pilot):
        await put(app, pilot, layers="0")
        bar(app).focus()
        await pilot.press("s")
        await pilot.pause()
        assert not isinstance(app.screen, NameDialog)


async def test_without_a_folder_the_notice_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUISIM_HOME", os.devnull)
    async with setup() as (app, pilot):
        await saved_as(pilot, "mine")
        assert any("set TUISIM_HOME to another folder" in notice.message for notice in app._notifications)


async def test_the_palette_saves_deletes_and_restores() -> None:
    app = TuisimApp(NET, predictor=ScriptedPredictor)

    def commands() -> dict[str, Any]:
        return {one.title: one.callback for one in app.get_system_commands(app.screen)}

    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        commands()["Save as preset…"]()
        await pilot.pause()
        await pilot.press(*"net", "enter")
        await pilot.pause()
        assert "Preset: net" in commands()
        commands()["Delete preset net"]()
        assert "Preset: net" not in commands()
        commands()["Restore preset net"]()
        assert "Restore preset net" not in commands()
        commands()["Preset: net"]()
        await pilot.pause()
        assert app.setup.described == NET
