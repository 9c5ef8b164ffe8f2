"""Text from outside is printed without control codes and markup: names of files, variables and devices, and their contents."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.store.test_store import RUN
from tests.support.made_machine_profile import ELSEWHERE, entry, machine_profile
from tuisim.backends.numpy.blas import blas
from tuisim.cli import main
from tuisim.cli.console import CommandConsole
from tuisim.config import RunConfig
from tuisim.errors import ExitCode, visible
from tuisim.predict import profiles
from tuisim.store import document
from tuisim.store.runs import VERSION
from tuisim.tui.app import TuisimApp
from tuisim.tui.panel import Panel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names that Windows has none of")

STEERING = {
    "ESC": "\x1b[31mred",
    "OSC": "\x1b]0;title\x07",
    "C1": "\x9b2J\x9d0;t\x9c\x85",
    "bell, backspace, return": "a\x07\x08\rb",
    "bidirectional": "\u202egnp.\u202c\u2066x\u2069\u200f",
    "no width": "a\u200b\u200d\ufeffb\u2028c",
    "no encoding": os.fsdecode(b"\xff\xfe"),
    "markup": "[red]x[bold]:smile:[@click=x",
}
ALL = "".join(STEERING.values())
"""No longer than the name of a file may be."""
TEXT = ALL + "[/red][/]"
"""With what no name of a file can hold."""


def control_characters(text: str) -> list[str]:
    return [c for c in text if not c.isprintable() and c != "\n"]


@pytest.fixture
def said(capsys):
    """Run a command and return its output, which must have no control codes and show the text it was given."""

    def run(*arguments: str, shown: str | None = "[red]x[bold]:smile:") -> str:
        main(arguments)
        written = capsys.readouterr()
        text = written.out + written.err
        assert text.strip()
        assert control_characters(text) == []
        if shown is not None:
            assert shown in "".join(text.split("\n"))
        return text

    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with that name, with the profile of a machine with that name, and one imported under it."""
    data = tmp_path / ALL
    monkeypatch.setenv("TUISIM_HOME", str(data))
    (data / "cards").mkdir(parents=True)
    return data


def test_control_characters_are_escaped():
    for text in STEERING.values():
        assert visible(text).isprintable()
    assert visible("plain 64·32 ′ ✓ ⣿") == "plain 64·32 ′ ✓ ⣿"
    assert visible("two\nlines\r", "\n") == "two\nlines\\r"


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_a_profiles_file_name(text, said, home):
    (home / "cards").mkdir(exist_ok=True)
    place = home / "cards" / f"{text}.json"
    elsewhere = machine_profile(machine=replace(ELSEWHERE, processor=text))
    document.write(place, profiles.KIND, profiles.VERSION, elsewhere.to_dict())
    said("predict", "5-4-3", "--threads", "1", "--as", str(place), shown=visible(text, "")[:20])
    said("budget", "5-4-3", "--threads", "1", "--as", str(place), "--seconds", "10", shown=None)
    said("project", "5-4-3", shown=visible(text)[:20])
    said("project", "5-4-3", "--examples", "100", shown=visible(text)[:20])
    said("predict", "5-4-3", "--as", text, shown=None)
    said("calibrate", "--import", str(place), "--name", text, shown=None)
    said("calibrate", "--import", str(place) + "?", shown=None)
    said("calibrate", "--import", str(place), shown=None)
    profiles.keep(machine_profile())
    said("calibrate", "--export", str(home / text), shown=visible(text))


def test_this_machines_profile(said, home, monkeypatch):
    here = replace(profiles.this_machine(), processor=visible(TEXT))
    for module in ("profiles", "machine", "record"):
        monkeypatch.setattr(f"tuisim.predict.{module}.this_machine", lambda: here)
    profiles.keep(machine_profile(entry("numpy", 1), machine=here))
    said("predict", "5-4-3", "--threads", "1")
    said("budget", "5-4-3", "--threads", "1", "--seconds", "10")
    said("project", "5-4-3", "--examples", "100", shown=None)
    (home / profiles.OWN).write_text("{" + TEXT, encoding="utf-8", errors="replace")
    said("project", "5-4-3", shown=None)
    said("predict", "5-4-3", "--as", str(home / profiles.OWN), shown=None)


def test_past_runs(said, home):
    fields = {name: getattr(RUN, name) for name in RUN.__dataclass_fields__}
    hostile = dict.fromkeys(("machine", "backend", "dtype", "optimizer", "loss", "ended"), TEXT)
    lines = [
        json.dumps({"version": VERSION, **fields, **hostile, "batch": batch, "bytes_per_step": 1_000 * batch})
        for batch in (1, 8, 64, 512)
    ]
    (home / "runs.jsonl").write_text("\n".join([*lines, TEXT.replace("\r", "")]), encoding="utf-8", errors="replace")
    said("runs", shown="\\x1b[31mred")
    said("runs", "--backend", TEXT, shown="\\x1b[31mred")
    (home / "runs.jsonl").write_text(json.dumps({"version": VERSION, **fields, "dtype": "[red]x[/]", "backend": "[/]"}))
    assert "[red]x[/]" in said("runs", shown="[/]@2")


def test_environment_variables(said, home, monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "NUMBA_DISABLE_JIT", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "NPY_DISABLE_CPU_FEATURES"):
        monkeypatch.setenv(name, TEXT.replace(os.fsdecode(b"\xff\xfe"), ""))
    monkeypatch.setattr("tuisim.backends.registry._found", {})
    blas.cache_clear()
    try:
        said("run", "5-4-3", "--epochs", "1", "--examples", "100", shown="OPENBLAS_CORETYPE=\\x1b[31mred")
        said("doctor", shown="OPENBLAS_CORETYPE=\\x1b[31mred")
        said("run", "5-4-3", "--backend", "numba", shown="NUMBA_DISABLE_JIT=\\x1b")
    finally:
        blas.cache_clear()


def test_a_home_that_cannot_be_written_to(said, tmp_path, monkeypatch):
    (tmp_path / ALL).write_text("in the way")
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path / ALL))
    said("run", "5-4-3", "--epochs", "1", "--examples", "100", shown="[red]x[bold]:smile:")
    said("runs", shown="[red]x[bold]:smile:")


def test_data_files_and_their_contents(said, tmp_path):
    label = TEXT.replace("\r", "").replace("\x85", "").replace("\u2028", "").replace(os.fsdecode(b"\xff\xfe"), "")
    good, bad, wrong = (tmp_path / f"{name}{ALL}.csv" for name in ("good", "bad", "wrong"))
    rows = [f"{i}.5,{i % 7},{label if i % 2 else 'other'}" for i in range(60)]
    good.write_text("\n".join([f"a{label},b,c{label}", *rows]), encoding="utf-8")
    bad.write_text("\n".join(["a,b,c", *rows[:20], f"{label},2,other"]), encoding="utf-8")
    wrong.write_bytes(b"\x93NUMPY" + ALL.encode("utf-8", "replace"))
    said("run", "2-4-2", "--epochs", "1", "--dataset", str(good), shown=None)
    for options in ((), ("--target", label), ("--target", "c" + label), ("--loss", "mse")):
        said("run", "2-4-3", "--epochs", "1", "--dataset", str(good), *options, shown=None)
    for path in (bad, wrong, tmp_path / (ALL + "absent.csv"), tmp_path):
        said("run", "2-4-2", "--epochs", "1", "--dataset", str(path), shown=None)


def test_configuration_files(said, tmp_path):
    path = tmp_path / f"{ALL}.toml"
    said("count", "--config", str(path), shown=None)
    for text in (
        "layers = [",
        f"layers = [4, 2]\nloss = {json.dumps(TEXT)}",
        f"{json.dumps(TEXT)} = 1",
        f"a = {json.dumps(TEXT)}\n" * 2,
    ):
        path.write_text(text, encoding="utf-8", errors="replace")
        said("count", "--config", str(path), shown=None)


def test_every_option_and_the_command_name(said):
    said(TEXT, shown=None)
    said("count", TEXT, shown=None)
    said("count", "4-2", f"--{TEXT}", "1", shown=None)
    for option in ("loss", "epochs", "learning-rate", "hidden-activation", "backend", "dataset"):
        said("run", "4-2", f"--{option}", TEXT, shown=None)
    said("compare", "4-2", "--backends", f"numpy,{TEXT}", shown=None)
    said("crossover", "--widths", TEXT, shown=None)
    said("budget", "4-2", "--memory", TEXT, shown=None)
    said("calibrate", "--threads", TEXT, shown=None)
    said("score", "--backends", TEXT, shown=None)
    said("bench", "--threads", TEXT, shown=None)


def test_device_names(said, monkeypatch):
    names = {"nvmlDeviceGetName": TEXT, "nvmlSystemGetDriverVersion": "550.1", "nvmlDeviceGetCount": 1, "nvmlInit": None}
    names |= {"nvmlShutdown": None, "nvmlDeviceGetHandleByIndex": 0, "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=9, free=5)}
    functions = {name: lambda *_, answer=answer: answer for name, answer in names.items()}
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(__spec__=object(), **functions))
    said("doctor", shown="driver 550.1")


def test_text_without_markup_is_printed_unchanged(capsys):
    CommandConsole().print("[red]a[/]\x1b and :smile:\\")
    assert capsys.readouterr().out == "[red]a[/]\\x1b and :smile:\\\n"


def test_json_escapes_control_characters(capsys, tmp_path):
    path = tmp_path / f"{ALL}.csv"
    path.write_text("\n".join(f"{i},{i % 2}" for i in range(40)))
    assert main(["run", "1-2", "--epochs", "1", "--dataset", str(path), "--json"]) == ExitCode.DONE
    out = capsys.readouterr().out
    assert out.isascii()
    assert control_characters(out) == []
    assert json.loads(out)["config"]["dataset"] == str(path)


# ── the app ──


def seen(app: TuisimApp) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def test_pages_and_notices_of_the_app(home):
    elsewhere = machine_profile(machine=replace(ELSEWHERE, processor=TEXT))
    document.write(home / "cards" / f"{ALL}.json", profiles.KIND, profiles.VERSION, elsewhere.to_dict())
    test_line = json.dumps(
        {"version": VERSION, **{name: getattr(RUN, name) for name in RUN.__dataclass_fields__}, "backend": TEXT}
    )
    (home / "runs.jsonl").write_text(test_line + "\n")
    app = TuisimApp(RunConfig(layers=(5, 4, 3), dataset=f"./{ALL}.csv", target=TEXT))
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        await pilot.pause()
        assert control_characters(seen(app)) == []
        app.setup.fill(RunConfig(layers=(5, 4, 3)))
        await pilot.pause()
        for key in ("f8", "f12"):
            await pilot.press(key)
            await pilot.pause()
            text = seen(app)
            assert control_characters(text) == []
            assert "\\x1b[31mred" in text
            await pilot.press("escape")
        app.notify(TEXT, title=TEXT, markup=True)
        await pilot.pause(0.1)
        assert control_characters(seen(app)) == []
        assert "[red]x[bold]" in seen(app)
        for panel in app.screen.query(Panel):
            panel.border_subtitle = ALL
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert control_characters(seen(app)) == []


@pytest.mark.parametrize("home", ["", "relative", None])
async def test_a_screenshot_is_saved_or_the_reason_is_shown(home, tmp_path, monkeypatch):
    place = tmp_path / ALL
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("none")))
    monkeypatch.setenv("HOME", str(tmp_path) if home is None else home)
    app = TuisimApp()
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.pause()
        app.deliver_screenshot()
        monkeypatch.setattr("tuisim.tui.plain_text._downloads", lambda: Path(os.devnull))
        app.deliver_screenshot()
        await pilot.pause()
        saved, refused = app._notifications
    assert (saved.title, refused.title) == ("screenshot saved", "the screenshot was not saved")
    assert control_characters(saved.message + refused.message) == []
    assert "Not a directory" in refused.message
    assert [path.suffix for path in place.iterdir()] == [".svg"]
