"""The curves' options: smoothing, the x axis, and the cursor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.run_screen import running
from tests.support.scripted import ScriptedWorker, curves, snapshot
from tuisim.accounting import count
from tuisim.engine.events import Branch
from tuisim.features.run.curves import curves_lines, curves_title
from tuisim.features.run.state import RunState
from tuisim.terminal.chart import LABEL
from tuisim.terminal.lines import ChartStyle, Frame, Tone, text
from tuisim.terminal.plot import smoothed

FRAME = Frame(100, 24)


def state(**changes: Any) -> RunState:
    shown = snapshot(curves=replace(curves(), losses=np.linspace(2.0, 1.0, 400)), step=20_000, training_seconds=2.0)
    return replace(RunState(shown.config, count(shown.config), shown), **changes)


def drawn(cursor: int | None = None, **changes: Any) -> str:
    return "\n".join(text(line) for line in curves_lines(state(**changes), replace(FRAME, cursor=cursor)))


def test_a_moving_average_is_unbiased_and_keeps_gaps():
    assert smoothed(np.full(50, 3.0), 0.9) == pytest.approx(np.full(50, 3.0))
    assert smoothed(np.array([1.0, 3.0]), 0.5) == pytest.approx([1.0, (0.25 * 1 + 0.5 * 3) / 0.75])
    gap = smoothed(np.array([np.nan, 2.0, np.nan, 2.0]), 0.6)
    assert np.isnan(gap).tolist() == [True, False, True, False]
    assert gap[[1, 3]] == pytest.approx([2.0, 2.0])
    noise = np.random.default_rng(0).normal(size=500)
    assert smoothed(noise, 0.98)[100:].std() < noise.std() / 5


def test_the_raw_values_are_faint_behind_a_smoothed_curve():
    noisy = snapshot()
    tones = {
        smoothing: {tone for line in curves_lines(replace(state(smoothing=smoothing), snapshot=noisy), FRAME) for _, tone in line}
        for smoothing in (0.0, 0.9)
    }
    assert Tone.FAINT not in tones[0.0]
    assert {Tone.FAINT, Tone.TRAINING, Tone.VALIDATION} <= tones[0.9]
    plain = [
        text(line)
        for line in curves_lines(replace(state(smoothing=0.9), snapshot=noisy), replace(FRAME, chart_style=ChartStyle.ASCII))
    ]
    body = "".join(line[LABEL + 1 :] for line in plain)
    assert all(glyph in body for glyph in "*o."), "training, validation and raw values have a character each"


@pytest.mark.parametrize(("axis", "last"), [("steps", "16 k"), ("epochs", "300"), ("seconds", "1.4")])
def test_the_x_axis_is_of_steps_epochs_or_seconds(axis: str, last: str):
    """1,618 examples in batches of 32 are 51 steps per epoch, so 20,000 steps are 392 epochs."""
    line = drawn(x_axis=axis).splitlines()[-1]
    assert line.rstrip().endswith(axis)
    assert last in line


def test_steps_are_as_far_apart_as_their_time():
    """The first half of the steps took a tenth of the time."""
    clock = {"clock_steps": np.array([10_000.0]), "clock_seconds": np.array([0.2])}
    straight = replace(curves(), losses=np.linspace(2.0, 1.0, 400), **clock)
    slow = replace(state(x_axis="seconds"), snapshot=snapshot(curves=straight, step=20_000, training_seconds=2.0))
    first = text(curves_lines(slow, replace(FRAME, cursor=round(0.1 * (100 - LABEL - 2))))[0])
    assert "at 0.20 s" in first
    assert "1.5" in first


def test_the_cursor_shows_the_values_under_it():
    middle = (100 - LABEL - 2) // 2
    lines = drawn(cursor=middle).splitlines()
    assert "loss at step 10,000" in lines[0]
    assert "1.50" in lines[0]
    assert sum(line[LABEL + 1 + middle] == "┊" for line in lines[1:-1]) > 5
    assert "at step 20,000" in drawn(cursor=10_000).splitlines()[0], "beyond the plot it is at its end"
    assert "at step" not in drawn()


def test_the_title_says_what_was_chosen():
    assert curves_title(state(log_scale=False)) == "loss and accuracy"
    assert (
        curves_title(state(smoothing=0.6, x_axis="seconds", log_scale=True)) == "loss and accuracy · seconds · log · smooth 0.6"
    )


async def test_the_keys_choose_smoothing_axis_and_cursor():
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        panel = screen._panels[1]

        async def shown(*keys: str) -> tuple[str, str]:
            await pilot.press(*keys)
            return str(panel.border_title), text(panel.canvas.lines[0])

        assert "smooth 0.6" in (await shown("S"))[0]
        assert "smooth 0.98" in (await shown("S", "S"))[0]
        assert "smooth" not in (await shown("S"))[0]
        assert "epochs" in (await shown("A"))[0]
        assert "seconds" in (await shown("A"))[0]
        assert "epochs" not in (await shown("A"))[0]
        assert "at step" in (await shown("left", "left"))[1]
        assert "at step" not in (await shown("right", "right"))[1]


async def test_the_mouse_moves_the_cursor():
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        panel = screen._panels[1]
        await pilot.hover(panel, offset=(LABEL + 20, 6))
        await pilot.pause()
        assert "at step" in text(panel.canvas.lines[0])
        await pilot.hover(screen._panels[3], offset=(5, 3))
        await pilot.pause()
        assert "at step" not in text(panel.canvas.lines[0])


def test_an_earlier_branch_is_drawn_behind_the_present_one() -> None:
    left = replace(curves(last_step=20_000), learning_rates=((0, 0.1),))
    branch = Branch(8_000, left, ())
    past = snapshot(curves=curves(last_step=10_000), step=10_000, head=10_000, branches=(branch,), learning_rate=0.05)
    lines = curves_lines(replace(state(), snapshot=past), Frame(120, 24))
    assert "earlier branch: learning rate 0.1" in "\n".join(map(text, lines))
    assert "18 k" in text(lines[-1])
    dots = [span for line in lines for span in line if span[1] is Tone.DIM and any("⠁" <= one <= "⣿" for one in span[0])]
    assert dots


def test_the_present_step_of_the_past_is_marked() -> None:
    past = snapshot(curves=curves(last_step=20_000), step=5_000, head=20_000)
    assert "step 5,000" in "\n".join(map(text, curves_lines(replace(state(), snapshot=past), Frame(120, 24))))
