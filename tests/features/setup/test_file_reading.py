"""The form reads a file on a thread: it says so, the newest path wins, and a start waits for the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Static

from tests.features.setup.test_screen import Shell, form, put, setup, text_of
from tuisim.config import RunConfig
from tuisim.data import shape
from tuisim.errors import MemoryNeeded
from tuisim.stages import report


class SlowFiles:
    """Files that are read when a test says so; reading one reports half of its bytes first."""

    def __init__(self, read: Any) -> None:
        self.begun: list[str] = []
        self.released: dict[str, Event] = {}
        self.errors: dict[str, Exception] = {}
        self._read = read

    def read(self, config: RunConfig) -> Any:
        name = Path(config.dataset).name
        self.begun.append(name)
        report(512, 1024, "B")
        assert self.released.setdefault(name, Event()).wait(20)
        report(1024, 1024, "B")
        if name in self.errors:
            raise self.errors[name]
        return self._read(config)

    def release(self, name: str) -> None:
        self.released.setdefault(name, Event()).set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SlowFiles]:
    for name, columns in (("two.csv", 2), ("three.csv", 3)):
        rows = ("1," * columns + "a", "2," * columns + "b", "3," * columns + "a")
        (tmp_path / name).write_text("\n".join(rows) + "\n")
    files = SlowFiles(shape._read)
    monkeypatch.setattr(shape, "_read", files.read)
    monkeypatch.chdir(tmp_path)
    yield files
    for event in files.released.values():
        event.set()


async def typed(app: Shell, pilot: Pilot[None], path: str) -> None:
    form(app).field("dataset").control.value = "file…"
    await pilot.pause()
    await put(app, pilot, path=path)


async def until(pilot: Pilot[None], holds: Any) -> None:
    for _ in range(400):
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(text_of(pilot.app))


def config(app: Shell) -> RunConfig | None:
    found: RunConfig | None = app.screen.config  # type: ignore[attr-defined]
    return found


async def test_a_path_is_read_in_the_background_and_then_the_form_fits_it(slow: SlowFiles) -> None:
    async with setup() as (app, pilot):
        await typed(app, pilot, "two.csv")
        await until(pilot, lambda: "reading two.csv: 50 % of 1.0 KiB" in text_of(app))
        assert config(app) is None
        assert "nothing to count until the file is read" in text_of(app)
        assert not form(app).field("path").mistake
        await put(app, pilot, seed="5")
        slow.release("two.csv")
        await until(pilot, lambda: config(app) is not None)
        found = config(app)
        assert found is not None
        assert (found.layers[0], found.layers[-1], found.loss, found.seed) == (2, 2, "cross_entropy", 5)
        assert "reading" not in text_of(app)
        assert "two.csv · 3 rows" in text_of(app)
        assert slow.begun == ["two.csv"], "neither another field nor the sizes that were found read it again"


async def test_the_newest_path_wins(slow: SlowFiles) -> None:
    async with setup() as (app, pilot):
        await typed(app, pilot, "two.csv")
        await until(pilot, lambda: slow.begun == ["two.csv"])
        await put(app, pilot, path="three.csv")
        await until(pilot, lambda: slow.begun == ["two.csv", "three.csv"])
        assert "reading three.csv" in text_of(app)
        slow.release("two.csv")
        await pilot.pause(0.2)
        assert config(app) is None
        slow.release("three.csv")
        await until(pilot, lambda: config(app) is not None)
        found = config(app)
        assert found is not None
        assert found.layers[0] == 3


async def test_a_start_waits_for_the_file_unless_the_form_is_edited(slow: SlowFiles) -> None:
    async with setup() as (app, pilot):
        await typed(app, pilot, "two.csv")
        await pilot.press("ctrl+r")
        assert "starts when it is read" in str(app.screen.query_one("#setup-why", Static).render())
        await put(app, pilot, seed="5")
        assert "starts when it is read" not in str(app.screen.query_one("#setup-why", Static).render())
        app.screen.query_one("#start", Button).press()
        await pilot.pause()
        assert app.asked == []
        slow.release("two.csv")
        await until(pilot, lambda: app.asked)
        assert [(one.dataset, one.layers[0], one.seed) for one in app.asked] == [("two.csv", 2, 5)]


async def test_a_file_for_which_memory_is_short_is_refused_and_not_read_again_and_again(slow: SlowFiles) -> None:
    slow.errors["two.csv"] = MemoryNeeded("two.csv: about 9 rows need 9 TiB")
    slow.release("two.csv")
    async with setup() as (app, pilot):
        await typed(app, pilot, "two.csv")
        await until(pilot, lambda: form(app).field("path").mistake)
        assert "need 9 TiB" in form(app).field("path").mistake
        await pilot.pause(0.5)
        assert slow.begun == ["two.csv"]
        assert app.screen.query_one("#start", Button).disabled


async def test_a_file_that_cannot_be_read_says_why_and_is_read_again_once_it_changed(slow: SlowFiles, tmp_path: Path) -> None:
    slow.release("two.csv")
    (tmp_path / "two.csv").write_text("1,2,3\n1,2\n")
    async with setup() as (app, pilot):
        await typed(app, pilot, "two.csv")
        await until(pilot, lambda: form(app).field("path").mistake)
        assert "line 2 has 2 cells" in form(app).field("path").mistake
        await put(app, pilot, seed="5")
        assert slow.begun == ["two.csv"]
        (tmp_path / "two.csv").write_text("1,2,0\n1,2,1\n3,4,1\n")
        await put(app, pilot, seed="6")
        await until(pilot, lambda: config(app) is not None)
