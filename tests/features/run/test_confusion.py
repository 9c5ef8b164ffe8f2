"""The validation figures: the confusion matrix on the run page and in the text of `tuisim run`, the errors of a regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.run_screen import running
from tests.support.scripted import ScriptedWorker, run_state, snapshot
from tuisim.config import RunConfig
from tuisim.engine.figures import Confusion
from tuisim.features.run.confusion import confusion_lines, matrix_lines
from tuisim.features.run.curves import curves_lines
from tuisim.terminal.lines import Frame, Tone, text, width_of

THREE = Confusion(("ant", "bee", "cat"), ((9, 1, 0), (0, 5, 5), (0, 0, 0)))
MANY = Confusion(
    tuple(f"class {n}" for n in range(40)), tuple(map(tuple, (np.eye(40, dtype=int) * 7 + np.eye(40, k=3, dtype=int)).tolist()))
)
REGRESSION = RunConfig(layers=(30, 30, 30), loss="mse")


def words(lines) -> str:
    return "\n".join(text(line) for line in lines)


def test_the_matrix_has_targets_as_rows_and_the_share_that_is_correct() -> None:
    lines = matrix_lines(THREE, 60)
    assert lines is not None
    assert [text(line).split() for line in lines] == [
        ["ant", "bee", "cat", "correct"],
        ["ant", "9", "1", "·", "90.0", "%"],
        ["bee", "·", "5", "5", "50.0", "%"],
        ["cat", "·", "·", "·"],
    ]
    tones = {characters.strip(): tone for characters, tone in lines[1]}
    assert (tones["9"], tones["1"], tones["·"]) == (Tone.GOOD, Tone.WARNING, Tone.FAINT)
    assert matrix_lines(THREE, 20) is None


def test_a_matrix_that_does_not_fit_gives_way_to_the_most_frequent_confusions() -> None:
    shown = replace(MANY, counts=tuple((0, 3, *row[2:]) if n == 0 else row for n, row in enumerate(MANY.counts)))
    drawn = words(confusion_lines(run_state(snapshot(confusion=shown)), Frame(60, 8)))
    assert "most frequent confusions" in drawn
    assert drawn.splitlines()[4].split() == ["class", "0", "class", "1", "3"]
    perfect = Confusion(MANY.classes, tuple(map(tuple, np.eye(40, dtype=int).tolist())))
    assert "no row is confused" in words(confusion_lines(run_state(snapshot(confusion=perfect)), Frame(60, 8)))


@pytest.mark.parametrize("frame", [Frame(28, 6), Frame(76, 18), Frame(190, 55)], ids=str)
@pytest.mark.parametrize("confusion", [THREE, MANY, None], ids=["three", "many", "none"])
def test_the_panel_stays_in_its_frame(frame: Frame, confusion: Confusion | None) -> None:
    for state in (run_state(snapshot(confusion=confusion)), run_state()):
        lines = confusion_lines(state, frame)
        assert len(lines) <= frame.height
        assert all(width_of(line) <= frame.width for line in lines)


def test_figures_of_each_kind_of_target_in_words() -> None:
    frame = Frame(90, 20)
    multi_label = snapshot(validation_baseline_accuracy=0.9)
    assert "accuracy 96.1 %, all no 90.0 %" in words(confusion_lines(run_state(multi_label), frame))
    regression = run_state(snapshot(REGRESSION, validation_rmse=43.21, validation_r2=0.8768))
    assert "RMSE 43.2, R² 0.877" in words(confusion_lines(regression, frame))
    assert "validation  RMSE" in words(curves_lines(regression, frame))
    assert "not measured yet" in words(confusion_lines(run_state(), frame))
    nothing = run_state(snapshot(validation_loss=None, validation_accuracy=None))
    assert words(confusion_lines(nothing, frame)) == "no validation rows"


async def test_5_shows_the_validation_panel_and_hides_it_again() -> None:
    worker = ScriptedWorker([snapshot(confusion=THREE)])
    async with running(worker) as (screen, pilot):
        panel = screen.query_one("#validation")
        assert not panel.display
        await pilot.press("5")
        await pilot.pause()
        assert panel.display
        assert not screen.query_one("#curves").display
        assert panel.size.width > 100
        await pilot.press("5")
        await pilot.pause()
        assert not panel.display
        assert screen.query_one("#curves").display
