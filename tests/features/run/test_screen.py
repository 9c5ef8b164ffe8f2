"""The run screen over a scripted worker: no thread, no waiting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.color import Color

from tests.support.run_screen import CONFIG, running
from tests.support.scripted import ScriptedWorker, snapshot
from tuisim.config import RunConfig
from tuisim.engine.events import Ended, RunFailed, State
from tuisim.engine.health.hint import Hint
from tuisim.features.run.screen import ROUND, RunScreen
from tuisim.stages import Stage
from tuisim.terminal.lines import text
from tuisim.tui.panel import Panel, ViewCanvas

FOUR = ["operations", "curves", "gradients", "throughput"]
"""The panels of the page; the fifth is only shown on the whole page."""
SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


def shown(screen: RunScreen) -> str:
    """Return the characters on the screen."""
    return "\n".join("".join(segment.text for segment in strip) for strip in screen._compositor.render_strips())


def canvas(screen: RunScreen, name: str) -> ViewCanvas:
    return screen.query_one(f"#{name}", Panel).canvas


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_first_second_shows_state_network_loss_and_throughput(size):
    async with running(ScriptedWorker([snapshot()]), size=size) as (screen, _):
        picture = shown(screen)
    assert "● training" in picture
    assert "64-32-10 relu" in picture
    assert "0.0312" in picture
    assert ("1,428,571 examples/s" if size != (200, 60) else "╺┻╸ examples/s") in picture
    assert "10,293.31 = 2.17 ×" in picture
    assert "until stopped" in picture
    for kind in ("counted", "measured"):
        assert kind in picture


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layers", [(64, 10), (784, 1024, 1024, 10), (64, *[128] * 63, 10)], ids=len)
async def test_panels_fold_and_do_not_clip(size, layers):
    config = RunConfig(layers=layers, epochs=100, dataset="teacher")
    async with running(ScriptedWorker([snapshot(config, total_steps=10**9)]), config, size) as (screen, _):
        for panel in screen.query(Panel):
            room = panel.scrollable_content_region
            assert len(panel.canvas.lines) <= room.height
            if panel.canvas.lines:
                assert max(sum(len(span[0]) for span in line) for line in panel.canvas.lines) <= room.width, panel.id
            assert not panel.show_vertical_scrollbar


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_key_line_shows_whole_words(size):
    async with running(ScriptedWorker([snapshot()]), size=size) as (screen, pilot):
        await pilot.pause()
        line = shown(screen).splitlines()[-1]
        assert "space pause" in line
        assert "[] speed" in line


async def test_the_worker_is_stopped_with_the_screen():
    worker = ScriptedWorker([snapshot()])
    async with running(worker):
        assert worker.stopped_for is None
    assert worker.stopped_for is not None


async def test_a_run_that_starts_says_so_and_shows_its_ledger():
    async with running(ScriptedWorker([None])) as (screen, _):
        picture = shown(screen)
    assert "starting" in picture
    assert "2.17 × the naive count of 4,736" in picture
    assert "examples/s" not in picture


STAGES = (
    Stage("data", 0.456, is_done=True, done=19_199_306, total=19_199_306, unit="B"),
    Stage("backend", 0.001, is_done=True),
    Stage("compile", 3.21, is_done=False, done=21, total=53, unit="kernels"),
)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_starting_run_shows_its_stages_with_their_times_and_progress(size):
    worker = ScriptedWorker([None])
    worker.stages = STAGES
    async with running(worker, size=size) as (screen, _):
        before = shown(screen)
        worker.stages = (replace(STAGES[0], is_done=False, done=9_599_653),)
        screen.tick()
        after = shown(screen)
    assert "compile" in before
    assert "21 of 53 kernels, 3.2 s" in before
    assert "data 456 ms" in before
    assert "backend" not in before, "it took no time"
    assert ("━━━━━───────" in before) == (size[0] >= 80)
    assert "50 % of 18.3 MiB, 0.5 s" in after


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
async def test_esc_leaves_a_run_in_each_stage_of_its_start(stage):
    worker = ScriptedWorker([None])
    worker.stages = (replace(stage, is_done=False),)
    async with running(worker) as (screen, pilot):
        await pilot.press("escape")
        assert worker.stopped_for == "left for the setup screen"
        assert screen.app.left


async def test_the_stages_are_shown_until_the_first_step():
    worker = ScriptedWorker([snapshot(state=State.STARTING, step=0), snapshot()])
    worker.stages = (*(replace(one, is_done=True) for one in STAGES), Stage("peaks", 0.5, is_done=False))
    async with running(worker) as (screen, _):
        assert "compile 3.21 s   peaks 0.5 s" in shown(screen)
        worker.advance()
        screen.tick()
        assert "peaks 0.5 s" not in shown(screen)


async def test_the_status_follows_every_snapshot_and_panels_are_drawn_in_turn():
    moments = [snapshot(step=step, loss=step / 1000, gradient_step=step) for step in (1_000, 2_000)]
    worker = ScriptedWorker(moments)
    async with running(worker) as (screen, _):
        worker.advance()
        drawn = []
        for _ in range(ROUND):
            before = [list(canvas(screen, name).lines) for name in ("curves", "gradients")]
            screen.tick()
            after = [list(canvas(screen, name).lines) for name in ("curves", "gradients")]
            drawn.append([a != b for a, b in zip(before, after, strict=True)])
            assert "2,000" in "".join(text(line) for line in screen.query_one("#run-status", ViewCanvas).lines)
        assert [any(column) for column in zip(*drawn, strict=True)] == [True, True]
        assert max(map(sum, drawn)) == 1  # one heavy panel at a time


async def test_an_unchanged_snapshot_draws_nothing():
    async with running(ScriptedWorker([snapshot()])) as (screen, _):
        for _ in range(ROUND):
            screen.tick()
        asked: list[ViewCanvas] = []
        for one in screen.query(ViewCanvas):
            one._draw_lines = lambda *_, one=one: asked.append(one) or []  # type: ignore[misc]
        for _ in range(2 * ROUND):
            screen.tick()
        assert asked == []


async def test_only_lines_that_changed_are_repainted():
    worker = ScriptedWorker([snapshot(), snapshot(operations_done=9_990_000_000_000)])
    async with running(worker) as (screen, pilot):
        await pilot.pause()
        panel = canvas(screen, "operations")
        panel._repaint_regions.clear()
        worker.advance()
        for _ in range(ROUND):
            screen.tick()
        assert sum(region.height for region in panel._repaint_regions) == 1


@pytest.mark.parametrize(
    ("keys", "state", "speed_limit", "calls"),
    [
        (["space"], State.TRAINING, None, ["pause"]),
        (["space"], State.PAUSED, None, ["resume"]),
        (["."], State.TRAINING, None, ["step"]),
        ([".", "."], State.PAUSED, None, ["step", "step"]),
        (["x"], State.TRAINING, None, ["stop"]),
        (["["], State.TRAINING, None, [("speed_limit", 100.0)]),
        (["[", "["], State.TRAINING, None, [("speed_limit", 100.0), ("speed_limit", 10.0)]),
        (["]"], State.TRAINING, 100.0, [("speed_limit", None)]),
        (["["], State.TRAINING, 1.0, [("speed_limit", 0.0)]),
        (["+"], State.TRAINING, None, [("rate", 0.2)]),
        (["=", "+"], State.TRAINING, None, [("rate", 0.2), ("rate", 0.5)]),
        (["-"], State.TRAINING, None, [("rate", 0.05)]),
    ],
)
async def test_keys_control_the_run(keys, state, speed_limit, calls):
    worker = ScriptedWorker([snapshot(state=state, speed_limit=speed_limit)])
    async with running(worker) as (_, pilot):
        await pilot.press(*keys)
        found = [call if call[0] in ("speed_limit", "rate") else call[0] for call in worker.control.calls]
        assert found == calls


async def test_the_next_speed_limit_starts_from_the_one_that_was_reached():
    worker = ScriptedWorker([snapshot(), snapshot(speed_limit=100.0), snapshot(speed_limit=None)])
    async with running(worker) as (screen, pilot):
        await pilot.press("[")
        for _ in range(2):  # the run takes it up, and later leaves it by itself
            worker.advance()
            screen.tick()
        await pilot.press("[")
        assert worker.control.calls == [("speed_limit", 100.0), ("speed_limit", 100.0)]


async def test_run_again_asks_for_the_same_run():
    worker = ScriptedWorker([snapshot()])
    async with running(worker) as (screen, pilot):
        await pilot.press("R")
        await pilot.pause()
        assert screen.app.restarts == [CONFIG]  # type: ignore[attr-defined]


async def test_a_number_key_zooms_its_panel_and_escape_goes_back():
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        await pilot.press("3")
        await pilot.pause()
        assert [panel.id for panel in screen.query(Panel) if panel.display] == ["gradients"]
        assert screen.query_one("#gradients").size.width > 100
        await pilot.press("escape")
        await pilot.pause()
        assert [panel.id for panel in screen.query(Panel) if panel.display] == FOUR
        await pilot.press("1", "1")
        assert [panel.id for panel in screen.query(Panel) if panel.display] == FOUR
        assert screen.is_current


async def test_a_click_on_a_title_zooms_and_elsewhere_does_not():
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        await pilot.click("#throughput", offset=(8, 5))
        await pilot.pause()
        assert [panel.id for panel in screen.query(Panel) if panel.display] == FOUR
        await pilot.click("#throughput", offset=(8, 0))
        await pilot.pause()
        assert [panel.id for panel in screen.query(Panel) if panel.display] == ["throughput"]


async def test_a_zoomed_ledger_scrolls_to_its_last_line():
    config = RunConfig(layers=(64, *[128] * 63, 10))
    async with running(ScriptedWorker([snapshot(config)]), config) as (screen, pilot):
        await pilot.press("1")
        await pilot.pause()
        await pilot.press("end")
        await pilot.pause()
        assert "operations so far" in shown(screen)
        assert "layer" not in shown(screen).splitlines()[2]


async def test_a_long_run_is_stopped_by_two_presses():
    worker = ScriptedWorker([snapshot(training_seconds=3_600.0)])
    async with running(worker) as (screen, pilot):
        await pilot.press("escape")
        await pilot.pause()
        assert worker.stopped_for is None
        assert not screen.app.left  # type: ignore[attr-defined]
        await pilot.press("escape")
        await pilot.pause()
        assert worker.stopped_for == "left for the setup screen"
        assert screen.app.left  # type: ignore[attr-defined]


async def test_escape_stops_a_training_run_and_leaves():
    worker = ScriptedWorker([snapshot()])
    async with running(worker) as (screen, pilot):
        await pilot.press("escape")
        await pilot.pause()
        assert worker.stopped_for == "left for the setup screen"
        assert screen.app.left  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "symbol"), [(State.PAUSED, "‖ paused"), (State.STOPPED, "■ stopped"), (State.DIVERGED, "✕ diverged")]
)
async def test_a_state_is_a_symbol_a_word_and_a_reason(state, symbol):
    worker = ScriptedWorker([snapshot(state=state, message="because of this")], [Ended(state, 5, "because of this")])
    async with running(worker) as (screen, _):
        picture = shown(screen)
        assert symbol in picture
        assert "because of this" in picture
        assert "1,428,571 examples/s" in picture  # what was measured stays to be read


async def test_a_run_that_fails_before_its_first_step_says_why():
    worker = ScriptedWorker([None], [RunFailed(0, "layers = 10: too large; use 5")])
    async with running(worker) as (screen, _):
        picture = shown(screen)
        assert "✕ failed" in picture
        assert "layers = 10: too large; use 5" in picture
        assert "naive count of 4,736" in picture
        assert "Traceback" not in picture


async def test_a_run_that_fails_later_keeps_what_it_showed():
    worker = ScriptedWorker([snapshot()])
    async with running(worker) as (screen, pilot):
        worker.tell(RunFailed(7, "[bold]out of memory[/]"))
        screen.tick()
        await pilot.pause()
        picture = shown(screen)
        assert "✕ failed" in picture
        assert "[bold]out of memory[/]" in picture
        assert "10,293.31" in picture


async def test_the_chart_style_changes_every_picture():
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        assert any("⠀" < character <= "⣿" for character in shown(screen))
        await pilot.press("c", "c")
        await pilot.pause()
        assert not any("⠀" < character <= "⣿" for character in shown(screen))
        assert "*" in "".join(text(line) for line in canvas(screen, "curves").lines)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "nord", "ansi-dark"])
async def test_a_change_of_theme_recolours_what_is_there(theme):
    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        before = shown(screen)
        screen.app.theme = "dracula"
        await pilot.pause()
        first = {segment.style for strip in screen._compositor.render_strips() for segment in strip}
        screen.app.theme = theme
        await pilot.pause()
        second = {segment.style for strip in screen._compositor.render_strips() for segment in strip}
        assert shown(screen) == before
        assert first != second


def contrast(one: Color, other: Color) -> float:
    """WCAG 2's ratio of two colours."""

    def luminance(color: Color) -> float:
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


async def test_every_tone_is_readable_on_its_background():
    """At least 3:1, in both of the app's own themes."""
    from tuisim.terminal.lines import Tone
    from tuisim.tui.themes import DARK, LIGHT

    async with running(ScriptedWorker([snapshot()])) as (screen, pilot):
        for theme in (DARK, LIGHT):
            screen.app.register_theme(theme)
            screen.app.theme = theme.name
            await pilot.pause()
            for tone in Tone:
                if tone is not Tone.FAINT:
                    style = canvas(screen, "curves").get_component_styles(f"canvas--{tone}")
                    background = screen.query_one("#curves").background_colors[1]
                    assert contrast(background + style.color, background) >= 3, (theme.name, tone)


async def test_resizing_draws_in_the_new_room():
    async with running(ScriptedWorker([snapshot()]), size=(120, 36)) as (screen, pilot):
        for size in ((80, 24), (200, 60), (1, 1), (60, 20), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert "1,428,571 examples/s" in shown(screen)
        assert replace(snapshot(), step=1) != snapshot()


RATE = Hint("rate_too_high", "learning rate too high", "the loss rose from 0.31 to 2.4", "learning_rate", 0.01)
LOSS = Hint("mismatched_loss", "mismatched loss", "mse on 10 classes", "loss", "cross_entropy")
BALANCE = Hint("class_imbalance", "class imbalance", "class 0 alone is 90 % of the rows, the accuracy is 90 %")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_hints_are_below_the_panels_with_their_figures_and_edits(size):
    async with running(ScriptedWorker([snapshot(hints=(RATE, LOSS))]), size=size) as (screen, pilot):
        await pilot.pause()
        picture = shown(screen).splitlines()
        said = [line for line in picture if "learning rate too high" in line]
        assert len(said) == 1
        assert "the loss rose from 0.31 to 2.4" in said[0]
        assert "h learning rate 0.01" in "\n".join(picture)
        hints = screen.query_one("#run-hints")
        assert hints.region.height == len(hints.lines) <= 4
        assert all(panel.region.bottom <= hints.region.y for panel in screen.query(Panel) if panel.display)
        assert "epoch" in picture[hints.region.bottom]  # the status line is still there


async def test_without_hints_the_panels_have_all_the_room():
    async with running(ScriptedWorker([snapshot(), snapshot(hints=(RATE,)), snapshot()])) as (screen, pilot):
        heights = []
        for _ in range(3):
            await pilot.pause()
            heights.append(sum(panel.region.height for panel in screen.query(Panel) if panel.display))
            screen._worker.advance()
            screen._hints_at = -9.0
            screen.tick()
        assert heights[0] == heights[2] > heights[1]


async def test_a_key_applies_the_hints_in_turn():
    worker = ScriptedWorker([snapshot(hints=(BALANCE, LOSS, RATE))])
    async with running(worker) as (screen, pilot):
        await pilot.press("h")
        assert worker.control.calls == []
        assert screen.app.edits == [("loss", "cross_entropy")]
        await pilot.press("h")
        assert worker.control.calls == [("rate", 0.01)]
        assert screen.app.edits[1:] == [("learning_rate", "0.01")]
        await pilot.press("h", "R")
        assert len(screen.app.edits) == 2  # nothing is left to apply
        assert [(one.loss, one.learning_rate) for one in screen.app.restarts] == [("cross_entropy", 0.01)]


async def test_a_click_applies_a_hint():
    worker = ScriptedWorker([snapshot(hints=(LOSS, RATE))])
    async with running(worker) as (_, pilot):
        await pilot.pause()
        await pilot.click("#run-hints", offset=(4, 1))
        await pilot.pause()
        assert worker.control.calls == [("rate", 0.01)]


@pytest.mark.parametrize("state", [State.COMPLETED, State.STOPPED, State.DIVERGED])
async def test_no_key_of_an_ended_run_does_nothing(state):
    controls = {"toggle_pause", "single_step", "speed(-1)", "speed(1)", "rate(-1)", "rate(1)", "stop"}
    worker = ScriptedWorker([snapshot(), snapshot(state=state)])
    async with running(worker) as (screen, pilot):

        def offered() -> set[str]:
            return {one.binding.action for one in screen.active_bindings.values() if one.enabled}

        assert controls <= offered()
        worker.advance()
        screen.tick()
        await pilot.pause()
        assert not controls & offered()
        await pilot.press("space", "full_stop", "plus", "left_square_bracket", "x")
        assert worker.control.calls == []


async def test_a_failure_is_shown_in_the_page_and_covered_by_no_message():
    worker = ScriptedWorker([snapshot()])
    async with running(worker, notices=True) as (screen, pilot):
        worker.tell(RunFailed(5, "out of memory"))
        screen.tick()
        await pilot.pause()
        assert not list(screen.app._notifications)
        assert "out of memory" in "".join(text for line in screen._panels[1].canvas.lines for text, _ in line)


async def test_an_ended_run_keeps_its_rate():
    worker = ScriptedWorker([snapshot(state=State.COMPLETED, hints=(RATE,))])
    async with running(worker) as (screen, pilot):
        await pilot.press("h")
        assert worker.control.calls == []
        assert screen.app.edits == [("learning_rate", "0.01")]


async def test_the_key_is_offered_only_with_something_to_apply():
    async with running(ScriptedWorker([snapshot(hints=(BALANCE,))]), size=(200, 60)) as (screen, pilot):
        await pilot.pause()
        assert "apply hint" not in shown(screen)


async def test_fewer_threads_are_applied_in_the_run():
    threads = Hint("waiting_threads", "threads wait for a core", "31 steps/s with 2, 4,900 with 1 thread", "threads", 1)
    worker = ScriptedWorker([snapshot(hints=(threads,))])
    async with running(worker) as (screen, pilot):
        await pilot.press("h")
        assert worker.control.calls == [("threads", 1)]
        assert screen.app.edits == [("threads", "1")]
