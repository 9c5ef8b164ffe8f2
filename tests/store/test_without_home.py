"""Starting without a home folder: training works, nothing is written elsewhere, and one line explains it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shell import until
from tuisim.backends.cupy import gpu as cupy_gpu
from tuisim.errors import DataError
from tuisim.features.runs.view import no_runs
from tuisim.files import is_writable
from tuisim.predict import predictor, profiles
from tuisim.store.folder import create_data_folder, data_folder, unavailable_reason
from tuisim.store.runs import StoredRuns, read
from tuisim.tui.app import TuisimApp

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX homes")

HOMES = {
    "no variable and no entry": {"HOME": None},
    "empty": {"HOME": ""},
    "relative": {"HOME": "somewhere"},
    "missing": {"HOME": os.devnull + "/none/such"},
    "no folder": {"HOME": os.devnull},
    "no data home": {"XDG_DATA_HOME": os.devnull + "/data"},
    "nonsense elsewhere": {"HOME": "", "XDG_DATA_HOME": "relative", "XDG_CACHE_HOME": "\x1b", "XDG_CONFIG_HOME": "~"},
    "variable on a file": {"TUISIM_HOME": os.devnull},
}


@pytest.fixture(params=HOMES.values(), ids=HOMES)
def homeless(request, tmp_path, monkeypatch):
    """A folder to start in, with such a home and a user without an entry."""
    for name in ("TUISIM_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in request.param.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr("pwd.getpwuid", _no_entry)
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def _no_entry(_):
    raise KeyError("uid not found")


def test_every_user_of_the_folder_says_the_same(homeless):
    why = unavailable_reason()
    assert "TUISIM_HOME" in why
    assert len(why.splitlines()) == 1
    assert read() == StoredRuns()
    assert profiles.own().trouble == predictor.missing() == why
    assert profiles.others() == {}
    assert profiles.stamp() == ()
    assert why in no_runs()
    for ask in (create_data_folder, predictor.own_predictor, profiles.check_keeping, lambda: profiles.export(Path("copy.json"))):
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value) == why
    assert list(homeless.iterdir()) == []


def test_a_relative_home_is_none(monkeypatch):
    monkeypatch.delenv("TUISIM_HOME")
    monkeypatch.setenv("HOME", "somewhere")
    monkeypatch.setattr("pwd.getpwuid", _no_entry)
    assert data_folder() is None


CHILD = """
import os, pwd, sys

def none(*_):
    raise KeyError("uid not found")

pwd.getpwuid = pwd.getpwnam = none
from tuisim.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "rel", "XDG_CACHE_HOME": "rel"}])
def test_training_needs_no_home_and_leaves_nothing_behind(home, tmp_path):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")}
    result = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, "run", "5-4-3", "--epochs", "1", "--examples", "100"],
        check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=kept | home,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "completed" in result.stdout
    assert len(result.stderr.splitlines()) == 1
    assert "TUISIM_HOME" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_compilers_create_no_folder_called_tilde(homeless, monkeypatch):
    """They would keep compiled code in a folder `~` of the current folder."""
    compiler = pytest.importorskip("tuisim.backends.numba.compiler")
    for name in ("NUMBA_CACHE_DIR", "CUPY_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compiler, "is_writable", lambda _: False)  # the program's own folder is the system's
    known = os.path.isabs(os.path.expanduser("~"))
    assert compiler._has_folder() is known
    assert cupy_gpu._has_folder() is (known and is_writable(Path.home()))
    monkeypatch.setenv("CUPY_CACHE_DIR", str(homeless / "cupy"))
    assert cupy_gpu._has_folder()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(homeless / "numba"))
    assert compiler._has_folder()
    assert list(homeless.iterdir()) == []


def on_screen(app: TuisimApp) -> str:
    return " ".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def test_the_apps_pages_say_why_nothing_is_kept(homeless):
    app = TuisimApp()
    async with app.run_test(size=(140, 40), notifications=True) as pilot:
        for key in ("f8", "f12"):
            await pilot.press(key)
            await until(pilot, lambda: "TUISIM_HOME" in on_screen(app))
            await pilot.press("escape")
        for _ in range(2):
            app._say_not_kept(unavailable_reason())
        await pilot.pause()
        assert [notice.title for notice in app._notifications] == ["this run was not kept"], "once"
