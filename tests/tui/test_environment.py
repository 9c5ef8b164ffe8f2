"""Textual's environment variables: what it would take passes, what would end it with a traceback is named with a remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuisim.tui.environment import mistakes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEXTUAL_DRIVER", "textual.drivers.headless_driver:HeadlessDriver"),
        ("TEXTUAL_COLOR_SYSTEM", "auto"),
        ("TEXTUAL_COLOR_SYSTEM", "256"),
        ("TEXTUAL_LOG", "log.txt"),
    ],
)
def test_values_that_textual_accepts_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    assert mistakes() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TEXTUAL_DRIVER", value)
            for value in ("", ":", "::", "no.such:Driver", "os", "os:path", "os:nope", "textual.app:App")
        ),
        ("TEXTUAL_COLOR_SYSTEM", ""),
        ("TEXTUAL_COLOR_SYSTEM", "nonsense"),
        ("TEXTUAL_LOG", ""),
        ("TEXTUAL_LOG", "."),
        ("TEXTUAL_LOG", "no/such/folder"),
    ],
)
def test_values_that_would_end_textual_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    (mistake,) = mistakes()
    assert mistake.field == name
    assert "unset it" in mistake.remedy
    assert "Error" not in str(mistake)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_a_pipe_as_the_log_file_does_not_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv("TEXTUAL_LOG", str(tmp_path / "pipe"))
    assert "not a regular file" in mistakes()[0].remedy
