"""The whole job in a real terminal: start, train on the digits, pause, step, slow down, change the rate, resume, stop, quit."""

import re
import sys
import time

import pytest

pytestmark = [pytest.mark.pty, pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")]
if sys.platform != "win32":
    from tests.support.terminal import Terminal


def step_of(text):
    """Return the number of the step; the "10" in "trains one step   10 steps/s", which a paused run shows, is none."""
    found = re.search(r"step\s+([\d,]+)\s{2}", text.splitlines()[-2])
    return int(found[1].replace(",", "")) if found else None


def test_a_run_from_start_to_quit():
    with Terminal([sys.executable, "-m", "tuisim"]) as terminal:
        terminal.wait_for("30-30-30")
        terminal.wait_for("11,070")
        terminal.press("right", "enter")  # the digits preset
        terminal.wait_for("64-32-10")
        terminal.press("ctrl+r")
        terminal.wait_for("● training")
        terminal.wait_for(lambda text: "examples/s" in text and "of peak" in text)
        terminal.wait_for(lambda text: (step_of(text) or 0) > 500)

        terminal.press("space")
        terminal.wait_for("paused")
        terminal.read(0.4)
        held = step_of(terminal.text)
        terminal.read(0.4)
        assert step_of(terminal.text) == held

        terminal.press(".")
        terminal.wait_for(lambda text: step_of(text) == held + 1)
        terminal.press(".")
        terminal.wait_for(lambda text: step_of(text) == held + 2)

        terminal.press("[")  # from full speed to 100 steps/s
        terminal.press("[")  # to 10
        terminal.press("space")
        terminal.wait_for("10 steps/s")
        terminal.wait_for("throughput is not shown while throttled")
        start, begun = step_of(terminal.text), time.monotonic()
        terminal.wait_for(lambda text: step_of(text) >= start + 10)
        assert time.monotonic() - begun > 0.5  # ten steps at ten a second, not at full speed

        terminal.press("-")
        terminal.wait_for("sgd 0.05")
        terminal.press("]", "]")
        terminal.wait_for("full speed")
        resumed = step_of(terminal.text)
        terminal.wait_for(lambda text: step_of(text) > resumed + 500)

        terminal.press("x")
        terminal.wait_for("stopped")
        terminal.read(0.4)
        ended = step_of(terminal.text)
        terminal.read(0.3)
        assert step_of(terminal.text) == ended  # what has ended stays to be read

        begun = time.monotonic()
        terminal.press("ctrl+q")
        assert terminal.wait_end(5) == 0
        assert time.monotonic() - begun < 2
        assert terminal.current_modes() == terminal.modes


def test_a_network_too_large_to_train_is_refused_at_its_field_and_counted():
    with Terminal([sys.executable, "-m", "tuisim"]) as terminal:
        terminal.wait_for("30-30-30")
        terminal.press("down", "ctrl+u", "1000000-1000000-10")
        terminal.wait_for("first: layers")
        terminal.wait_for("would fit")
        terminal.wait_for("5,000,074,000,050")
        terminal.press("ctrl+q")
        assert terminal.wait_end(5) == 0


def test_a_changed_panel_looks_like_a_full_repaint():
    with Terminal([sys.executable, "-m", "tuisim"]) as terminal:
        terminal.wait_for("30-30-30")
        terminal.press("right", "enter", "ctrl+r")
        terminal.wait_for(lambda text: (step_of(text) or 0) > 2000)
        terminal.press("space")
        terminal.wait_for("paused")
        terminal.read(1.0)
        written, looks = terminal.text, dict(terminal.screen.buffer)
        terminal.press("?")
        terminal.wait_for("Four panels over the run")
        terminal.press("escape")
        terminal.wait_for("paused")
        terminal.read(0.5)
        assert terminal.text == written
        assert all(terminal.screen.buffer[row] == cells for row, cells in looks.items())
        terminal.press("ctrl+q")
        assert terminal.wait_end(5) == 0
