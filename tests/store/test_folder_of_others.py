"""Programs started in a folder with modules of somebody else's: none of them is executed, whatever is started from there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuisim.backends import gpu_probe
from tuisim.config import RunConfig
from tuisim.tui import restart

NAMES = ("numpy", "cupy", "tuisim", "textual", "json", "platformdirs", "random", "sitecustomize")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, whose modules say that they were executed."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\nraise SystemExit(66)\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_restarting_after_a_lost_gpu(hostile, monkeypatch):
    started = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: started.append((command, environment)))
    monkeypatch.setattr(subprocess, "call", lambda command, env: started.append((command, env)))
    restart.start(RunConfig(layers=(4, 2)))
    command, environment = started[0]
    # Without a terminal it only says so, having imported what it needs to say it.
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert (result.returncode, "needs a terminal" in result.stderr) == (2, True), result.stderr
    assert not (hostile / "executed").exists()


def test_asking_for_a_gpu(hostile):
    found = gpu_probe.ask()
    assert found.get("stage") != "start", found
    assert not (hostile / "executed").exists()


def test_the_installed_program(hostile):
    program = Path(sys.executable).with_name("tuisim")
    if not program.exists():
        pytest.skip("not installed")
    for command in (["count", "4-2"], ["run", "4-2", "--epochs", "1", "--examples", "64"], ["doctor"]):
        result = subprocess.run([program, *command], capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr
    assert not (hostile / "executed").exists()


def test_nothing_else_starts_python():
    """Every Python process is started with -P; add a new one to the tests above."""
    source = Path(restart.__file__).parents[1]
    starting = {
        path.relative_to(source).as_posix() for path in source.rglob("*.py") if "sys.executable" in path.read_text("utf-8")
    }
    assert starting == {"tui/restart.py", "backends/gpu_probe.py", "features/machine/doctor/doctor.py"}  # which tells its name
    for name in ("tui/restart.py", "backends/gpu_probe.py"):
        assert '"-P"' in (source / name).read_text("utf-8")
