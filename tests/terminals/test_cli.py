"""`tuisim run` in a real terminal: asked to stop by a key it says so at once, keeps its summary and leaves the cursor visible."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tuisim import RunConfig, Trainer
from tuisim.features.run import training

pytestmark = [pytest.mark.pty, pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")]
if sys.platform != "win32":
    from tests.support.terminal import Terminal

LONG = ["784-1500-1500-10", "--backend", "scalar", "--batch-size", "64", "--dataset", "teacher", "--examples", "640"]
"""A step of plain Python takes half a minute."""
SHORT = ["64-32-10", "--epochs", "none"]
STOPPING = "stopping after this step; ctrl+c again ends now"


def run(arguments: list[str]) -> Terminal:
    terminal = Terminal([sys.executable, "-m", "tuisim", "run", *arguments])
    terminal.wait_for(lambda text: "first step" in text or "epoch" in text, 60)
    return terminal


def ends(terminal: Terminal) -> str:
    """The rest of its output, once it has ended."""
    assert terminal.wait_end(20) is not None
    terminal.drain()
    return terminal.raw.decode(errors="replace")


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x1c", 131)])
def test_a_long_step_answers_the_first_key_and_a_second_key_ends_it(key: str, code: int) -> None:
    with run(LONG) as terminal:
        terminal.read(0.5)
        os.write(terminal.fd, key.encode())
        terminal.wait_for(STOPPING, 5)
        terminal.read(training.REPEAT_SECONDS + 0.2)
        assert terminal.code is None
        os.write(terminal.fd, key.encode())
        assert "interrupted in the middle of a step" in ends(terminal)
        assert terminal.code == code
        assert terminal.left_on() == []


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="Numba is not installed")
def test_the_kernels_that_are_compiled_are_counted_and_ctrl_c_ends_the_compilation(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tuisim", "run", "64-32-10", "--backend", "numba", "--json"]
    with Terminal(command, environment={"NUMBA_CACHE_DIR": str(tmp_path)}) as terminal:
        terminal.wait_for(lambda text: re.search(r"compile \S+ \d+ of \d\d kernels, \d+\.\d s", text), 60)
        os.write(terminal.fd, b"\x03")
        assert "{" not in ends(terminal), "no JSON of a run that did not begin"
        assert terminal.code == -signal.SIGINT
        assert terminal.left_on() == []


@pytest.mark.parametrize("gap", [0.0, 0.005, 0.02, 0.06])
def test_an_echo_of_the_key_loses_neither_summary_nor_cursor(gap: float) -> None:
    with run(SHORT) as terminal:
        terminal.read(0.5)
        os.write(terminal.fd, b"\x03")
        time.sleep(gap)
        os.write(terminal.fd, b"\x03")
        assert "interrupted SIGINT" in ends(terminal)
        assert terminal.code == 130
        assert terminal.left_on() == []


def test_the_cursor_is_visible_after_a_kill() -> None:
    with run(SHORT) as terminal:
        terminal.read(0.5)
        terminal.signal(signal.SIGKILL)
        ends(terminal)
        assert terminal.left_on() == []


def test_an_echo_during_the_answer_to_a_signal_is_the_same_request(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(training, "monotonic", lambda: now[0])

    def say(text: str) -> None:
        now[0] += 5 * training.REPEAT_SECONDS  # a busy machine
        asked._signalled(signal.SIGINT, None)  # an echo in the middle

    trainer = Trainer(RunConfig(layers=(2, 1), loss="mse", examples=4, epochs=1, validation=0))
    asked = training.Training(trainer, lambda item: None, say)
    asked._signalled(signal.SIGINT, None)
    asked._signalled(signal.SIGINT, None)  # and one that waited for the end of it
    summary = asked.run()
    assert asked.code == 130
    assert summary is not None
    assert summary.ended.value == "interrupted"
    asked._waiting, now[0] = True, now[0] + 2 * training.REPEAT_SECONDS
    with pytest.raises(training.EndNow):  # a later one is a request of its own
        asked._signalled(signal.SIGINT, None)
