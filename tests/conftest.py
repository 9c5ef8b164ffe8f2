"""What every test has: a folder of its own for what tuisim keeps, and an app that does not measure the machine by itself.

So no test reads or writes a person's own, and none is disturbed by seconds of measuring.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual import _wait


@pytest.fixture(autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that a test starts inherit it."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("TUISIM_HOME", str(folder))
    monkeypatch.setenv("TUISIM_CALIBRATION", "never")
    return folder


@pytest.fixture(autouse=True)
def idle_is_the_apps_own_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot waits until the process uses no CPU time, or for a second: not for the threads that train and measure."""
    monkeypatch.setattr(_wait, "process_time", time.thread_time)
