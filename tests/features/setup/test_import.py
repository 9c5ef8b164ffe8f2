"""The import of a file: options, roles by key, mistakes, and the form that it fills."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from tests.support.scripted import ScriptedWorker, snapshot
from tuisim import data
from tuisim.cli.options import Options, described
from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.engine.job import Job
from tuisim.features.setup.import_file.options import ImportOptions
from tuisim.features.setup.import_file.reading import read
from tuisim.features.setup.import_file.screen import ImportScreen
from tuisim.terminal.lines import text
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.file_picker import FileTree, PathEntry, completed, is_data_file
from tuisim.tui.form.form import SetupForm
from tuisim.tui.panel import Panel
from tuisim.units import AUTO

ROWS = 40
NET = RunConfig(layers=(64, 24, 10), dataset="digits", batch_size=16)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a table with text, blanks and semicolons, one with a mistake, and files that are no data."""
    monkeypatch.chdir(tmp_path)
    lines = ["id;age;sex;income;bought"]
    for row in range(ROWS):
        age = "" if row in (3, 9) else str(20 + row * 7 % 31)
        lines.append(f"{100 + row};{age};{('male', 'female')[row % 2]};{1000 + row * 37 % 500};{('no', 'yes')[row % 2]}")
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "mistake.csv").write_text(
        "a,b,c\n" + "".join(f"{row * 3 % 7},{row / 4},{row % 2}\n" for row in range(30)) + "1,x,0\n"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "rows.tsv").write_text("1\t2\n")
    (tmp_path / "letter.doc").write_text("Dear Ada")
    (tmp_path / ".hidden.csv").write_text("1,2\n")
    return tmp_path


@asynccontextmanager
async def importing(path: str = "", size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[ImportScreen, Pilot[None]]]:
    app = TuisimApp(NET, worker_factory=lambda config: ScriptedWorker([snapshot(config)]))  # type: ignore[arg-type, return-value]
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+o")
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ImportScreen)
        if path:
            await choose(screen, pilot, path)
        yield screen, pilot


async def choose(screen: ImportScreen, pilot: Pilot[None], path: str) -> None:
    entry = screen.query_one("#import-path", PathEntry)
    entry.value = path
    entry.focus()
    await pilot.pause()
    await pilot.press("enter")
    await is_read(screen, pilot)


async def is_read(screen: ImportScreen, pilot: Pilot[None]) -> None:
    for _ in range(500):
        if screen.state.options.path and not screen.state.is_reading and screen.job is None:
            return
        await pilot.pause(0.01)
    raise AssertionError("the file is not read")


def roles(screen: ImportScreen) -> dict[str, str]:
    return {column.name: column.role for column in screen.state.columns}


def result(screen: ImportScreen) -> str:
    return "\n".join(text(line) for line in screen.query_one("#import-result").canvas.lines)  # type: ignore[attr-defined]


def form(pilot: Pilot[Any]) -> SetupForm:
    return pilot.app.screen.query_one(SetupForm)


def test_a_column_has_one_role_and_loses_it_by_the_same_key() -> None:
    options = ImportOptions("a.csv").with_role("age", "drop").with_role("sex", "drop").with_role("age", "keep")
    assert (options.drop, options.keep) == (("sex",), ("age",))
    options = options.with_role("sex", "target").with_role("age", "target")
    assert (options.drop, options.keep, options.target) == ((), (), ("age",))
    assert options.with_role("age", "target").target == ()


@pytest.mark.parametrize("base", [NET, *(preset.config for preset in PRESETS)], ids=str)
def test_a_new_file_gets_the_run_of_the_first_command(folder: Path, base: RunConfig) -> None:
    base = replace(base, backend="scalar", seed=3)
    config = ImportOptions("people.csv").config(base)
    assert config == replace(described(None, Options(dataset="people.csv"), None), backend="scalar", seed=3)
    assert data.fitted(config).layers == (4, RunConfig().layers[1], 2)


def test_a_file_that_the_form_has_keeps_its_hidden_layers_and_training() -> None:
    base = replace(NET, dataset="people.csv", loss="cross_entropy", output_activation="identity", validation=0.3)
    config = ImportOptions("./people.csv", "more.csv", target=("age",), missing="mean").config(base)
    assert (config.layers, config.batch_size, config.loss, config.output_activation) == ((AUTO, 24, AUTO), 16, "auto", "auto")
    assert (config.dataset, config.validation_data, config.validation) == ("./people.csv", "more.csv", 0.1)
    assert (config.target, config.missing) == (("age",), "mean")
    assert ImportOptions.of(config) == ImportOptions("./people.csv", "more.csv", target=("age",), missing="mean")


def test_a_bare_name_is_a_path() -> None:
    assert ImportOptions("people").config(NET).dataset == "./people"


def test_a_file_is_read_once_for_the_preview_and_the_form(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ImportOptions("people.csv").config(NET)
    preview = read(config)
    assert (preview.rows, preview.rows_dropped, preview.classes) == (ROWS, 2, ("no", "yes"))
    assert preview.config is not None
    assert (preview.config.layers, preview.config.loss) == ((4, 64, 2), "cross_entropy")
    monkeypatch.setattr("tuisim.data.files.read", None)
    assert data.fitted(config) == preview.config


def test_a_path_is_completed_by_folders_and_data_files(folder: Path) -> None:
    assert completed("pe") == "people.csv"
    assert completed("mo") == "more/"
    assert completed("more/r") == "more/rows.tsv"
    assert completed(f"{folder}/peo") == f"{folder}/people.csv"
    assert completed("let") is None
    assert completed("absent/x") is None
    assert [is_data_file(name) for name in ("a.CSV", "a.csv.gz", "t10k-images-idx3-ubyte", "a.py")] == [True, True, True, False]


async def test_the_tree_lists_folders_and_data_files(folder: Path) -> None:
    async with importing() as (screen, pilot):
        tree = screen.query_one(FileTree)
        while not tree.root.children:
            await pilot.pause(0.01)
        assert [str(node.label) for node in tree.root.children] == ["more", "mistake.csv", "people.csv"]
        await pilot.press("down", "down", "down", "down", "enter")  # the first leaves the path
        await is_read(screen, pilot)
        assert screen.state.options.path == "people.csv"
        assert roles(screen)["id"] == "left out"
        await pilot.press("g", "backspace")
        assert Path(tree.path) == folder.parent


async def test_a_typed_name_may_be_of_the_folder_that_is_shown(folder: Path) -> None:
    (folder / "more" / "people.tsv").write_bytes((folder / "people.csv").read_bytes())
    async with importing() as (screen, pilot):
        await pilot.press(*"more", "enter")
        await pilot.press("e", *["backspace"] * 20, *"people.tsv", "enter")
        await is_read(screen, pilot)
        assert screen.state.options.path == os.path.join("more", "people.tsv")


async def test_roles_and_the_missing_rule_change_by_key_and_fill_the_form(folder: Path) -> None:
    async with importing("people.csv") as (screen, pilot):
        assert roles(screen) == {"id": "left out", "age": "number", "sex": "category", "income": "number", "bought": "target"}
        assert "38 used, 2 dropped" in result(screen)
        assert "4-64-2 · loss cross_entropy" in result(screen)
        assert "sgd · learning rate 0.1 · batch 32 · up to" in result(screen)
        await pilot.press("k")
        await is_read(screen, pilot)
        assert "5-64-2" in result(screen)
        await pilot.press("down", "d")
        await is_read(screen, pilot)
        assert "40 used · no missing values" in result(screen)
        await pilot.press("u", "n")
        await is_read(screen, pilot)
        assert "40 used · missing values become the training mean" in result(screen)
        await pilot.press("t")
        await is_read(screen, pilot)
        assert roles(screen)["age"] == "target"
        assert "one number by their values" in result(screen)
        assert "loss mse" in result(screen)
        await pilot.press("u")
        await is_read(screen, pilot)
        await pilot.press("enter")
        await pilot.pause()
        values = form(pilot).values
        assert (values["dataset"], values["keep"], values["missing"], values["loss"]) == ("people.csv", "id", "mean", "auto")
        config = pilot.app.screen.config  # type: ignore[attr-defined]
        assert (config.layers, config.loss, config.batch_size) == ((5, 64, 2), "cross_entropy", 32)
        await pilot.press("ctrl+o")
        await pilot.pause()
        again = pilot.app.screen
        assert isinstance(again, ImportScreen)
        await is_read(again, pilot)
        assert (again.state.options.keep, again.state.options.missing) == (("id",), "mean")


async def test_several_targets_and_the_task_are_chosen_by_key(folder: Path) -> None:
    async with importing("people.csv") as (screen, pilot):
        assert "selected   id · left out" in result(screen)
        await pilot.press("down", "t", "down", "down", "T")
        await is_read(screen, pilot)
        assert [name for name, role in roles(screen).items() if role == "target"] == ["age", "income"]
        assert "2 numbers" in result(screen)
        await pilot.press("T", "T", "T")
        await is_read(screen, pilot)
        assert screen.state.options.target == ("age",)
        await pilot.press("u", "a", "a")
        await is_read(screen, pilot)
        assert "2 numbers as chosen" in result(screen)
        await pilot.press("enter")
        await pilot.pause()
        assert (form(pilot).values["target"], form(pilot).values["task"]) == ("age,income", "regression")
        await pilot.press("ctrl+o")
        await pilot.pause()
        again = pilot.app.screen
        assert isinstance(again, ImportScreen)
        assert (again.state.options.target, again.state.options.task) == (("age", "income"), "regression")


async def test_the_target_by_place_stays_when_another_is_added(folder: Path) -> None:
    async with importing("mistake.csv") as (screen, pilot):
        await pilot.press("down", "d")
        await is_read(screen, pilot)
        before = [name for name, role in roles(screen).items() if role == "target"]
        await pilot.press("up", "T")
        await is_read(screen, pilot)
        assert len(before) == 1
        assert screen.state.options.target == (*before, screen.state.columns[0].name)


async def test_panels_have_no_provenance_before_a_file_is_read(folder: Path) -> None:
    async with importing() as (screen, pilot):
        assert [panel.border_subtitle for panel in screen.query(Panel)] == ["", ""]
        await choose(screen, pilot, "people.csv")
        await is_read(screen, pilot)
        assert [panel.border_subtitle for panel in screen.query(Panel)] == ["counted", "counted"]


async def test_a_mistake_of_the_file_is_shown_and_cured_by_a_key(folder: Path) -> None:
    async with importing("mistake.csv") as (screen, pilot):
        assert "line 32, column 2 (b) is 'x'" in result(screen).replace("\n", " ")
        assert screen.query_one("#use", Button).disabled
        assert screen.config is None
        await pilot.press("down", "d")
        await is_read(screen, pilot)
        assert "1-64-2" in result(screen)
        assert not screen.query_one("#use", Button).disabled
        await choose(screen, pilot, "absent.csv")
        assert "✗ absent.csv: no such file" in result(screen).replace("\n", " ")
        assert screen.state.columns == ()


async def test_a_second_file_has_the_validation_rows(folder: Path) -> None:
    (folder / "test.csv").write_text("".join((folder / "people.csv").read_text().splitlines(True)[:13]))
    async with importing("people.csv") as (screen, pilot):
        screen.query_one("#import-validation", PathEntry).focus()
        await pilot.press(*"test.csv", "enter")
        await pilot.pause()
        await is_read(screen, pilot)
        assert "10 rows of test.csv" in result(screen)
        await pilot.click("#use")
        await pilot.pause()
        assert form(pilot).values["validation_data"] == "test.csv"


async def test_clicks_select_a_column_and_the_form_links_to_the_page(folder: Path) -> None:
    async with importing("people.csv", (160, 40)) as (screen, pilot):
        await pilot.click("#import-columns", offset=(6, 4))
        assert screen.state.column is not None
        assert screen.state.column.name == "sex"
        await pilot.press("f2")
        await pilot.pause()
        field = form(pilot).field("dataset")
        await pilot.click(field, offset=(field.control.region.right - field.region.x + 3, 0))
        await pilot.pause()
        assert isinstance(pilot.app.screen, ImportScreen)
        await pilot.press("left")
        await pilot.pause()
        assert pilot.app.screen is pilot.app.setup  # type: ignore[attr-defined]


async def test_a_large_file_does_not_block_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    released = Event()

    def slow(self: ImportScreen, config: RunConfig) -> Job[None, Any]:
        return Job("read file", lambda job: (released.wait(20), read(config))[1])

    monkeypatch.setattr(ImportScreen, "make_job", slow)
    async with importing() as (screen, pilot):
        screen.query_one("#import-path", PathEntry).value = "people.csv"
        await pilot.press("enter")
        await pilot.pause()
        assert screen.state.is_reading
        assert screen.query_one("#use", Button).disabled
        await pilot.press("g", "down", "escape")
        await pilot.pause()
        assert pilot.app.screen is pilot.app.setup  # type: ignore[attr-defined]
        released.set()


async def test_the_page_opens_while_the_form_has_mistakes(folder: Path) -> None:
    async with importing("people.csv") as (_, pilot):
        await pilot.press("f2")
        form(pilot).field("layers").control.value = "7"
        await pilot.pause()
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ImportScreen)


@pytest.mark.parametrize("keys", ["people.csv", "/people.csv", "~/people.csv", "./people.csv", "2.csv"])
@pytest.mark.parametrize("first", [(), ("down",), ("down", "down")], ids=["at once", "in the list", "lower in the list"])
async def test_what_is_typed_is_the_path(folder: Path, keys: str, first: tuple[str, ...]) -> None:
    async with importing() as (screen, pilot):
        await pilot.press(*first, *("full_stop" if one == "." else "slash" if one == "/" else one for one in keys))
        await pilot.pause()
        assert screen.query_one("#import-path", PathEntry).value == keys
        assert screen.focused is screen.query_one("#import-path")
        assert screen.state.options.path == ""


async def test_the_path_and_the_list_are_left_by_arrows_and_escape(folder: Path) -> None:
    async with importing() as (screen, pilot):
        entry, tree = screen.query_one("#import-path", PathEntry), screen.query_one(FileTree)
        await pilot.press("down")
        assert screen.focused is tree
        await pilot.press("up")
        await pilot.pause()
        assert screen.focused is entry
        await pilot.press(*"peo", "escape")
        assert (screen.focused, entry.value) == (tree, "")
        await pilot.press("up")
        await pilot.pause()
        await pilot.press("left")
        await pilot.pause()
        assert pilot.app.screen is pilot.app.setup  # type: ignore[attr-defined]
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is pilot.app.setup  # type: ignore[attr-defined]


async def test_a_slash_over_the_columns_begins_another_path(folder: Path) -> None:
    async with importing("people.csv") as (screen, pilot):
        await pilot.press("slash", *"tmp")
        await pilot.pause()
        assert screen.query_one("#import-path", PathEntry).value == "/tmp"
        await pilot.press("escape")
        assert screen.query_one("#import-path", PathEntry).value == "people.csv"
        assert roles(screen)["id"] == "left out"


async def test_the_file_again_keeps_what_was_set_for_it_and_lengths_that_follow_the_data(folder: Path) -> None:
    async with importing("people.csv") as (_, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert form(pilot).values["epochs"] == "auto"
        form(pilot).field("layers").control.value = "4-7-2"
        form(pilot).field("batch_size").control.value = "8"
        await pilot.pause()
        await pilot.press("ctrl+o")
        await pilot.pause()
        again = pilot.app.screen
        assert isinstance(again, ImportScreen)
        await is_read(again, pilot)
        await pilot.press("enter")
        await pilot.pause()
        values = form(pilot).values
        assert (values["layers"], values["batch_size"], values["epochs"]) == ("auto-7-auto", "8", "auto")
