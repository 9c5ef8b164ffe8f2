"""The log: one file with tracebacks, which rotates, holds what TUISIM_LOG asks for, and never stops the program."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuisim import RunConfig, Trainer
from tuisim.engine import RunFailed, Worker
from tuisim.store import log


@pytest.fixture(autouse=True)
def closed_log() -> Iterator[None]:
    yield
    logging.getLogger("tuisim").removeHandler(log._handler)
    log._handler.close()


def failing(message: str) -> Exception:
    try:
        raise KeyError(message)
    except KeyError as error:
        return error


def test_an_exception_is_recorded_with_its_traceback(own_folder: Path) -> None:
    assert log.record_words(failing("\udc80 nobody's"), "a part failed") == f"see {own_folder / 'tuisim.log'}"
    text = (own_folder / "tuisim.log").read_text(encoding="utf-8")
    assert "ERROR tuisim: a part failed" in text
    assert "in failing" in text
    assert r"\udc80 nobody" in text


def test_the_file_is_created_by_its_first_record(own_folder: Path) -> None:
    log.start_logging()
    logging.getLogger("tuisim.data").info("below the level")
    assert log.log_file() == str(own_folder / "tuisim.log")
    assert not list(own_folder.iterdir())


def test_the_log_rotates(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "MAX_BYTES", 2_000)
    for number in range(40):
        log.record_words(failing(str(number)))
    assert sorted(path.name for path in own_folder.iterdir()) == ["tuisim.log", "tuisim.log.1", "tuisim.log.2"]
    assert all(path.stat().st_size <= 2_500 for path in own_folder.iterdir())
    assert "KeyError: '39'" in (own_folder / "tuisim.log").read_text()


def test_handled_exceptions_are_logged_with_tuisim_log_debug(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUISIM_LOG", "debug")
    log.start_logging()
    logging.getLogger("tuisim.data").debug("handled", exc_info=failing("why"))
    assert "KeyError: 'why'" in (own_folder / "tuisim.log").read_text()


@pytest.mark.parametrize("obstacle", ["a folder", "a pipe", "a file for a folder"])
def test_a_log_that_cannot_be_written_is_no_log(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], obstacle: str
) -> None:
    if obstacle == "a folder":
        (own_folder / "tuisim.log").mkdir()
    elif obstacle == "a pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no pipes by name here")
        os.mkfifo(own_folder / "tuisim.log")
    else:
        (own_folder / "file").write_text("in the way")
        monkeypatch.setenv("TUISIM_HOME", str(own_folder / "file"))
    assert log.record_words(failing("anything")) == "TUISIM_DEBUG=1 shows where"
    assert capfd.readouterr() == ("", "")


def test_without_a_home_there_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "state_folder", lambda: None)
    assert log.record_words(failing("anything")) == "TUISIM_DEBUG=1 shows where"
    assert log.log_file() == ""


def test_a_failed_run_names_the_log_file(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr("tuisim.engine.session.Session.advance", broken)
    log.start_logging()
    worker = Worker(RunConfig(layers=(4, 2), examples=10))
    worker.start()
    assert worker.join(20)
    assert worker.run_failed is not None
    assert worker.run_failed.log == str(own_folder / "tuisim.log")
    assert "nobody thought of this" in Path(worker.run_failed.log).read_text()


def test_a_script_gets_no_words_on_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tuisim.engine.session.Session.advance", broken)
    seen: list[object] = []
    Trainer(RunConfig(layers=(4, 2), examples=10)).run(seen.append)
    assert [item.log for item in seen if isinstance(item, RunFailed)] == [""]
    assert capfd.readouterr().err == ""
