"""From the first screen through a table with text, blanks and semicolons to a trained network, in a real terminal."""

import re
import sys

import pytest

pytestmark = [pytest.mark.pty, pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")]
if sys.platform != "win32":
    from tests.support.terminal import Terminal

ROWS = 200


def test_a_table_is_imported_and_trained_to_an_accuracy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["id;age;city;income;bought"]
    for row in range(ROWS):
        age = "" if row % 20 == 3 else str(20 + row * 7 % 41)
        city = ("Rome", "Oslo", "Lima")[row * 5 % 3]
        income = 1000 + row * 37 % 900
        lines.append(f"C{row:03};{age};{city};{income};{'yes' if income > 1450 else 'no'}")
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    with Terminal([sys.executable, "-m", "tuisim"]) as terminal:
        terminal.wait_for("30-30-30")
        terminal.press("\x0f")  # ctrl+o
        terminal.wait_for("people.csv")
        terminal.press(*"peo")
        terminal.wait_for("file  people.csv")  # the completion
        terminal.press("tab", "enter")
        shown = terminal.wait_for("190 used, 10 dropped", 30)
        assert re.search(r"age +number +number +1 +10", shown)
        assert re.search(r"city +text +category +3", shown)
        assert "loss cross_entropy" in shown
        assert "2 classes by their values: no, yes" in shown
        terminal.press("n")
        terminal.wait_for("200 used · missing values become the training mean")
        terminal.press("enter")
        terminal.wait_for("start training")
        terminal.press("ctrl+r")
        text = terminal.wait_for(lambda text: any(float(found) > 85 for found in re.findall(r"([\d.]+) ?%", accuracy(text))), 60)
        assert "✗" not in text
        terminal.press("ctrl+q")
        assert terminal.wait_end(5) == 0


def accuracy(text):
    """Return the lines of the screen that name an accuracy."""
    return "\n".join(line for line in text.splitlines() if "accuracy" in line)
