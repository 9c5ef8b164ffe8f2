"""`tuisim` with layers, options or a file opens the app with the form filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuisim import __main__ as program
from tuisim import tui
from tuisim.config import RunConfig
from tuisim.errors import ExitCode


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig | None]:
    """The configurations that the app was opened with."""
    found: list[RunConfig | None] = []

    def run_app(config: RunConfig | None = None) -> int:
        found.append(config)
        return 0

    monkeypatch.setattr(tui, "run_app", run_app)
    monkeypatch.setattr(program.threads, "fit_blas", lambda _: "")
    return found


def start(*words: str) -> int:
    return program._run(list(words))


def test_layers_options_and_a_file_fill_the_form(opened: list[RunConfig | None], tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('layers = "64-17-10"\noptimizer = "adam"\n')
    assert start() == 0
    assert start("64-32-10", "--dataset", "digits") == 0
    assert start("--dataset", "digits", "64-32-10") == 0
    assert start("--config", str(file)) == 0
    assert start("--config", str(file), "--optimizer", "sgd") == 0
    assert start("--dataset", "moons") == 0
    digits = RunConfig(layers=(64, 32, 10), dataset="digits")
    from_file = RunConfig(layers=(64, 17, 10), optimizer="adam")
    assert opened[:4] == [None, digits, digits, from_file]
    assert opened[4:] == [RunConfig(layers=(64, 17, 10), optimizer="sgd"), RunConfig(dataset="moons")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trian",), "trian"),
        (("64-0-10",), "layers"),
        (("64-32-10", "--optimiser", "adam"), "--optimiser"),
        (("64-32-10", "--dataset", "digits", "--epochs", "many"), "epochs"),
        (("--config", "no_such.toml"), "no_such.toml"),
    ],
)
def test_a_mistake_is_one_line(
    opened: list[RunConfig | None], capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert start(*words) == ExitCode.BAD_CONFIGURATION
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not opened


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_and_version_open_no_app(opened: list[RunConfig | None], option: str) -> None:
    assert start(option) == 0
    assert not opened
