"""The lines of the run page's panels, header and status line, read as text: no app, no thread."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.scripted import curves, layer_gradients, run_state, snapshot
from tuisim.backends.numpy.blas import Blas
from tuisim.config import RunConfig
from tuisim.engine.events import RunFailed, State
from tuisim.engine.history import History
from tuisim.engine.speed_limits import SPEED_LIMITS, next_rate, next_speed_limit, speed_limit_text
from tuisim.features.run.curves import curves_lines, is_log
from tuisim.features.run.gradients import gradients_lines
from tuisim.features.run.operations import operations_lines
from tuisim.features.run.status import header_lines, status_lines
from tuisim.features.run.throughput import throughput_lines
from tuisim.measure.gradients import Health
from tuisim.measure.peaks import Peaks
from tuisim.terminal.lines import Frame, Tone, text, width_of
from tuisim.terminal.plot import ChartStyle

SMALL, MIDDLE, LARGE = Frame(38, 8), Frame(56, 15), Frame(96, 28)
QUESTION = RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1, epochs=None, learning_rate=0.02)
NETWORKS = [
    RunConfig(layers=(64, 10)),
    QUESTION,
    RunConfig(layers=(64, 32, 10), optimizer="adam"),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=256, dataset="teacher"),
    RunConfig(layers=(64, *[128] * 63, 10)),
    RunConfig(layers=(10**9, 10**12, 10**6), dataset="teacher"),
]


def words(lines):
    return "\n".join(text(line) for line in lines)


@pytest.mark.parametrize("frame", [Frame(28, 6), SMALL, MIDDLE, LARGE], ids=str)
@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: f"{len(config.layers) - 1} layers, {config.optimizer}")
def test_no_view_draws_outside_its_frame(config, frame):
    moment = snapshot(config, gradients=layer_gradients(len(config.layers) - 1), operations_done=10**27, step=10**12)
    failure = RunFailed(7, "layer 2: out of memory " * 3, log="/var/log/tuisim.log")
    for view in (operations_lines, curves_lines, gradients_lines, throughput_lines):
        for state in (
            run_state(config=config),
            run_state(moment),
            run_state(replace(moment, speed_limit=1.0, throughput=None)),
            run_state(moment, failure=failure),
            run_state(config=config, failure=failure),
        ):
            lines = view(state, frame)
            assert len(lines) <= frame.height, view
            assert max((width_of(line) for line in lines), default=0) <= frame.width, words(lines)


def test_the_question_is_answered_with_its_exact_numbers():
    drawn = words(operations_lines(run_state(snapshot(QUESTION)), MIDDLE))
    assert "11,070 = 3.08 × the naive count of 3,600" in drawn
    assert "including the loss 11,190 = 3.11 ×" in drawn
    backward = next(line for line in drawn.splitlines() if "backward" in line and "1,830" in line)
    assert backward.split() == ["backward", "1,830", "870", "·", "30", "2,730"]
    assert "operations so far 7.04 G" in drawn


def test_a_small_panel_folds_the_layers_and_keeps_the_answer():
    drawn = words(operations_lines(run_state(config=RunConfig(layers=(64, 32, 10))), SMALL))
    assert [line.split()[0] for line in drawn.splitlines()][:6] == ["phase", "forward", "backward", "update", "total", "loss"]
    assert "2.17 ×" in drawn
    assert "naive count 4,736" in drawn


def test_many_layers_fold_into_a_group_and_nothing_is_lost():
    config = RunConfig(layers=(64, *[128] * 63, 10), batch_size=1)
    lines = operations_lines(run_state(config=config), Frame(60, 15))
    table = [text(line).split() for line in lines]
    group = next(row for row in table if "–" in row[0])
    total = next(row for row in table if row[0] == "total")
    layers = [row for row in table if row[0].isdigit() or row is group]
    assert sum(int(row[2].replace(",", "")) for row in layers) == int(total[1].replace(",", ""))


def test_a_zoomed_ledger_shows_each_operation_with_its_formula_and_bytes():
    drawn = words(operations_lines(run_state(config=QUESTION), Frame(140, 40, zoomed=True)))
    assert "(B−1)·N·M" in drawn
    assert "FLOP/byte" in drawn
    assert "fvcore 1,800" in drawn


def test_curves_have_axes_units_and_a_legend():
    drawn = words(curves_lines(run_state(snapshot()), MIDDLE))
    assert "training  0.0312" in drawn
    assert "validation  0.0943" in drawn
    assert "99.5 %" in drawn
    assert "100 %┤" in drawn
    assert drawn.rstrip().endswith("steps")


def test_a_regression_has_no_accuracy():
    drawn = words(curves_lines(run_state(snapshot(QUESTION)), MIDDLE))
    assert "accuracy" not in drawn


def test_a_changed_rate_is_marked_where_it_changed():
    changed = replace(curves(), learning_rates=((0, 0.1), (10_000, 0.5)))
    drawn = words(curves_lines(run_state(snapshot(curves=changed)), MIDDLE))
    assert "rate 0.5" in drawn
    assert "┊" in drawn


@pytest.mark.parametrize("chart_style", ChartStyle)
def test_losses_that_are_not_finite_are_reported_and_drawn_safely(chart_style):
    broken = replace(curves(), losses=np.full(400, np.nan))
    lines = curves_lines(run_state(snapshot(loss=math.nan, curves=broken)), replace(MIDDLE, chart_style=chart_style))
    assert ("    nan", Tone.BAD) in lines[0]
    assert words(curves_lines(run_state(snapshot(curves=History(0.1).curves())), MIDDLE))


def test_ascii_is_ascii():
    frame = replace(LARGE, chart_style=ChartStyle.ASCII)
    drawn = words(curves_lines(run_state(snapshot()), frame)) + words(throughput_lines(run_state(snapshot()), frame))
    assert set(drawn) - set("±µ") <= set(map(chr, range(128)))


def test_gradients_are_figures_words_and_a_histogram():
    sick = (
        replace(layer_gradients(1)[0], norm=3.1e-9, update_ratio=2e-9, health=Health.VANISHING),
        replace(layer_gradients(1)[0], layer=2, norm=math.inf, update_ratio=math.nan, health=Health.NON_FINITE),
    )
    lines = gradients_lines(run_state(snapshot(gradients=sick)), MIDDLE)
    drawn = words(lines)
    assert "3.1e-9" in drawn
    assert "vanishing" in drawn
    assert "non-finite" in drawn
    assert "1e-12" in drawn
    assert "|g|" in drawn
    assert any(span == ("non-finite", Tone.BAD) for line in lines for span in line)


def test_many_layers_are_grouped_and_show_the_worst_gradients():
    gradients = layer_gradients(64)
    gradients = (*gradients[:40], replace(gradients[40], health=Health.EXPLODING), *gradients[41:])
    drawn = words(gradients_lines(run_state(snapshot(gradients=gradients)), MIDDLE))
    assert drawn.count("exploding") == 1
    assert "else the worst" in drawn
    zoomed = gradients_lines(run_state(snapshot(gradients=gradients)), replace(MIDDLE, zoomed=True))
    assert len(zoomed) > 64


def test_an_older_gradient_sample_says_how_old_it_is():
    shown = words(gradients_lines(run_state(snapshot(step=38, gradient_step=1)), MIDDLE))
    assert "step 1, sampled 37 steps ago" in shown
    assert "ago" not in words(gradients_lines(run_state(snapshot(step=38, gradient_step=38)), MIDDLE))


def test_a_sampled_histogram_says_so():
    sampled = layer_gradients(1, sampled=65_536, total=1_000_000)
    assert "65.5 k of 1.00 M values" in words(gradients_lines(run_state(snapshot(gradients=sampled)), MIDDLE))


def test_throughput_has_its_denominator_and_its_phases():
    drawn = words(throughput_lines(run_state(snapshot()), MIDDLE))
    assert "1,428,571 examples/s" in drawn
    assert "6.2 % of peak (235 GFLOP/s, measured" in drawn
    for phase in ("data", "forward", "loss", "backward", "update"):
        assert phase in drawn
    assert "7.40 µs" in drawn
    assert "until stopped" in drawn


def test_throughput_is_not_shown_while_throttled():
    drawn = words(throughput_lines(run_state(snapshot(speed_limit=10.0)), MIDDLE))
    assert "throughput is not shown while throttled" in drawn
    assert "examples/s" not in drawn
    assert "GFLOP/s" not in drawn


def test_a_rate_is_blank_until_known_and_a_short_run_has_its_mean():
    unknown = snapshot(throughput=None, throughput_history=(), mean_examples_per_second=None)
    assert "examples/s" not in words(throughput_lines(run_state(unknown), MIDDLE))
    short = snapshot(throughput=None, throughput_history=(), mean_examples_per_second=1234.4, state=State.COMPLETED)
    drawn = words(throughput_lines(run_state(short), MIDDLE))
    assert "1,234 examples/s" in drawn
    assert "mean of the run" in drawn


def test_a_pinned_kernel_is_pointed_out_even_where_there_is_little_room():
    peaks = Peaks("float32", 1, 235e9, 21e9, Blas("OpenBLAS 0.3.31", "Haswell", "OPENBLAS_CORETYPE=Haswell"))
    for frame in (SMALL, Frame(56, 14), MIDDLE, LARGE):
        assert "OPENBLAS_CORETYPE=Haswell" in words(throughput_lines(run_state(snapshot(peaks=peaks)), frame)), frame


def test_a_rate_above_the_measured_peak_is_marked_and_explained():
    peaks = Peaks("float32", 1, 1e3, 21e9, None, flops_spread=0.02)
    for frame in (Frame(56, 14), MIDDLE, LARGE):
        drawn = words(throughput_lines(run_state(snapshot(peaks=peaks)), frame))
        assert "% ▲ of peak (1.00 kFLOP/s" in drawn, frame
        explained = "▲ above the measured peak, which was measured at another moment (square matrix product, 1 thread"
        assert explained in " ".join(drawn.split()) or frame.height < MIDDLE.height
    assert "▲" not in words(throughput_lines(run_state(snapshot()), LARGE))


def test_time_left_is_projected():
    drawn = words(throughput_lines(run_state(snapshot(total_steps=100_000, seconds_left=754.0)), MIDDLE))
    assert "12 min 34 s left projected" in drawn
    assert " 22 %" in drawn


def test_the_header_says_network_device_and_state():
    drawn = words(header_lines(run_state(snapshot(QUESTION, current_learning_rate=0.05)), Frame(120, 1)))
    assert "30-30-30 relu · mse · sgd 0.05 · batch 1" in drawn
    assert "numpy · OpenBLAS SkylakeX ×1" in drawn
    assert "● training" in drawn
    assert drawn.rstrip().endswith("00:12")


@pytest.mark.parametrize("frame", [Frame(80, 2), Frame(120, 1), Frame(200, 1)], ids=str)
@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: f"{len(config.layers) - 1} layers")
def test_the_header_folds_and_keeps_the_state(config, frame):
    lines = header_lines(run_state(snapshot(config, state=State.DIVERGED)), frame)
    assert len(lines) <= frame.height
    assert "✕ diverged" in text(lines[0])
    assert all(width_of(line) <= frame.width for line in lines)


def test_the_status_line_begins_with_the_message():
    paused = snapshot(state=State.PAUSED, message="layer 2 went non-finite first, at step 17")
    drawn = words(status_lines(run_state(paused), Frame(80, 1)))
    assert drawn.strip().startswith("layer 2 went non-finite first")
    single = words(status_lines(run_state(snapshot(speed_limit=0.0)), Frame(80, 1))).strip()
    assert single.startswith("single steps  epoch")
    assert single.endswith("684,414  counted")


def test_control_codes_never_reach_the_terminal():
    nasty = snapshot(message="\x1b]52;c;evil\x07 why", state=State.FAILED)
    config = replace(nasty.config, dataset="/tmp/\x1b[31mred.csv")
    drawn = words(status_lines(run_state(nasty), Frame(120, 1)))
    drawn += words(header_lines(run_state(replace(nasty, config=config)), Frame(200, 1)))
    assert drawn.replace("\n", "").isprintable()


def test_a_failed_run_names_its_log_in_the_loss_panel():
    failure = RunFailed(7, "out of memory", log="/home/me/.local/state/tuisim/tuisim.log")
    for shown in (None, snapshot()):
        drawn = " ".join(words(curves_lines(run_state(shown, failure=failure), MIDDLE)).split())
        assert drawn.startswith("out of memory; see /home/me/.local/state/tuisim/tuisim.log")
    assert "training 0.0312" in drawn


def test_the_loss_axis_is_logarithmic_or_linear():
    for log in (True, False):
        state = run_state(snapshot(), log_scale=log)
        assert is_log(state) is log
        drawn = words(curves_lines(state, LARGE))
        assert ("0.0┤" in drawn or " 0┤" in drawn) is not log
    assert is_log(run_state(snapshot())), "the losses span more than a factor of 20"
    assert not is_log(run_state())


def test_speed_limits_step_up_and_down_and_stay_at_the_ends():
    for slower, faster in pairwise(SPEED_LIMITS):
        assert next_speed_limit(slower, 1) == faster
        assert next_speed_limit(faster, -1) == slower
    assert next_speed_limit(None, 1) is None
    assert next_speed_limit(0.0, -1) == 0
    assert len({speed_limit_text(limit) for limit in SPEED_LIMITS}) == len(SPEED_LIMITS)


def test_rates_follow_1_2_5():
    rates = [0.1]
    for _ in range(4):
        rates.append(next_rate(rates[-1], 1))
    assert rates == [0.1, 0.2, 0.5, 1.0, 2.0]
    assert next_rate(0.1, -1) == 0.05
    assert next_rate(0.03, 1) == 0.05
    assert next_rate(0.03, -1) == 0.02


@given(st.floats(min_value=2e-9, max_value=5e8))
def test_a_step_up_and_down_is_always_a_step(rate):
    assert next_rate(rate, 1) > rate
    assert next_rate(rate, -1) < rate


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_each_layer_has_its_histogram_in_a_small_terminal(layers: int) -> None:
    """38 × 7 cells are the panel's room at 80 × 24."""
    (healthy,) = layer_gradients(1)
    found = [replace(healthy, layer=layer + 1) for layer in range(layers)]
    found[-1] = replace(found[-1], health=Health.VANISHING)
    lines = [text(line) for line in gradients_lines(run_state(snapshot(gradients=tuple(found))), Frame(38, 7))]
    drawn = [line for line in lines if any(block in line for block in "▁▂▃▄▅▆▇█")]
    assert len(drawn) >= layers
    assert all(len(line) <= 38 for line in lines)
    assert any("1e-12" in line for line in lines)
    assert any("vanishing" in line or " ! " in line for line in lines), "the health can be read without colour"
