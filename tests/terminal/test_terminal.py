"""What the run screen's charts, tables and panels draw, read as text: no app, no thread."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.scripted import curves, layer_gradients, snapshot
from tuisim.accounting import count
from tuisim.backends.numpy.blas import Blas
from tuisim.config import RunConfig
from tuisim.engine.events import Curves, State
from tuisim.features.run.curves import CurvesView
from tuisim.features.run.gradients import GradientsView
from tuisim.features.run.operations import OperationsView
from tuisim.features.run.speed_limits import SPEED_LIMITS, next_rate, next_speed_limit, speed_limit_text
from tuisim.features.run.status import HeaderView, StatusView
from tuisim.features.run.throughput import ThroughputView
from tuisim.measure.gradients import Health
from tuisim.measure.peaks import Peaks
from tuisim.terminal.lines import Block, Frame, Tone, fold, text, width_of
from tuisim.terminal.plot import (
    DOTS,
    ChartStyle,
    Scale,
    bar,
    characters,
    columns_of,
    dashed,
    loss_scale,
    string,
    tick_text,
    ticks,
    trace,
)

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
numbers = st.floats(allow_nan=True, allow_infinity=True)


def words(lines):
    return "\n".join(text(line) for line in lines)


# ── Kernels ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_straight_line_is_one_dot_a_column_from_corner_to_corner():
    values = np.arange(10.0)
    dots = trace(values, values, Scale(0, 9), Scale(0, 9), 10, 10)
    assert (dots == np.eye(10, dtype=bool)[::-1]).all()


def test_neighbouring_columns_are_connected():
    dots = trace(np.array([0.0, 1.0]), np.array([0.0, 1.0]), Scale(0, 1), Scale(0, 1), 2, 8)
    assert dots.any(axis=1).all()


def test_every_peak_is_drawn_however_many_points_share_a_column():
    y = np.zeros(100_000)
    y[51_234] = 1.0
    dots = trace(np.arange(y.size, dtype=float), y, Scale(0, y.size), Scale(0, 1), 20, 12)
    assert dots[0].sum() == 1


@pytest.mark.parametrize("hole", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_a_gap(hole):
    x = np.arange(20.0)
    y = np.ones(20)
    y[8:12] = hole
    dots = trace(x, y, Scale(0, 19), Scale(0, 2), 20, 4)
    assert dots.any(axis=0).tolist() == [True] * 8 + [False] * 4 + [True] * 8


def test_a_log_scale_has_no_place_for_zero_and_below():
    placed = Scale(0.01, 100, log=True).place(np.array([0.0, -1.0, 0.01, 1.0, 100.0]))
    assert np.isnan(placed[:2]).all()
    assert placed[2:] == pytest.approx([0, 0.5, 1])


@given(st.lists(numbers, max_size=30), st.integers(1, 40), st.integers(1, 12))
def test_any_losses_can_be_drawn(values, columns, rows):
    y = np.array(values, dtype=np.float64)
    x = np.arange(y.size, dtype=np.float64)
    scale = loss_scale(y)
    if scale is None:
        assert not np.isfinite(y).any()
        return
    assert scale.low < scale.high
    assert all(math.isfinite(tick) for tick in ticks(scale, 5))
    dots = trace(x, y, Scale(0, max(1.0, y.size)), scale, columns, rows)
    assert dots.shape == (rows, columns)


@given(st.lists(numbers, max_size=30))
@example([0.0, 5e-324])
def test_a_loss_scale_holds_every_loss_it_can_place(values):
    y = np.array(values, dtype=np.float64)
    scale = loss_scale(y)
    if scale is not None:
        placed = scale.place(y[np.isfinite(y)])
        assert np.nanmin(placed) >= -1e-9
        assert np.nanmax(placed) <= 1 + 1e-9


def test_losses_over_decades_get_a_log_scale_and_others_do_not():
    assert loss_scale(np.array([2.3, 0.01])).log
    assert not loss_scale(np.array([2.3, 1.9])).log
    assert not loss_scale(np.array([2.3, 0.0])).log


def test_ticks_are_round_and_inside():
    assert ticks(Scale(0, 23_000), 4) == [0, 10_000, 20_000]
    assert ticks(Scale(1e-4, 1, log=True), 5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
    assert [tick_text(v) for v in (0.0, 0.05, 250_000.0, 1e-5, 3.0)] == ["0", "0.05", "250 k", "1e-5", "3"]


@pytest.mark.parametrize("chart_style", ChartStyle)
def test_every_marker_draws_the_same_size(chart_style):
    rows, columns = DOTS[chart_style]
    dots = np.ones((3 * rows, 7 * columns), dtype=bool)
    codes, owner = characters([dots], chart_style, 3, 7)
    assert [len(string(row)) for row in codes] == [7, 7, 7]
    assert (owner == 0).all()
    assert string(codes[0])[0] in "⣿█*"


def test_two_series_differ_without_colour():
    dots = np.ones((4, 20), dtype=bool)
    assert dashed(dots).sum() < dots.sum()
    ascii_dots = [np.array([[True, False]]), np.array([[False, True]])]
    codes, _ = characters(ascii_dots, ChartStyle.ASCII, 1, 2)
    assert string(codes[0]) == "*o"


def test_columns_rise_from_the_bottom_and_show_a_trace_of_anything():
    assert columns_of([0, 1, 8, 16], 4, 2, ChartStyle.BRAILLE) == ["   █", " ▁██"]
    assert columns_of([0.0001, 1000.0], 2, 1, ChartStyle.BRAILLE) == ["▁█"]
    assert columns_of([0, 0, 9, 0], 2, 1, ChartStyle.BRAILLE) == [" █"]
    assert columns_of([], 3, 2, ChartStyle.BLOCK) == ["   ", "   "]
    assert columns_of([math.nan, 1.0], 2, 1, ChartStyle.ASCII) == [" @"]


@given(numbers, st.integers(0, 60), st.sampled_from(ChartStyle))
def test_a_bar_is_as_wide_as_asked(share, width, chart_style):
    drawn, rest = bar(share, width, chart_style)
    assert len(drawn) + len(rest) == width


# ── Ladders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_paces_step_along_the_ladder_and_stay_at_its_ends():
    for slower, faster in pairwise(SPEED_LIMITS):
        assert next_speed_limit(slower, 1) == faster
        assert next_speed_limit(faster, -1) == slower
    assert next_speed_limit(None, 1) is None
    assert next_speed_limit(0.0, -1) == 0
    assert len({speed_limit_text(pace) for pace in SPEED_LIMITS}) == len(SPEED_LIMITS)


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


# ── Panels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("frame", [Frame(28, 6), SMALL, MIDDLE, LARGE], ids=str)
@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: f"{len(config.layers) - 1} layers, {config.optimizer}")
def test_no_view_draws_outside_its_frame(config, frame):
    ledger = count(config)
    moment = snapshot(config, gradients=layer_gradients(len(config.layers) - 1), operations_done=10**27, step=10**12)
    views = [OperationsView(ledger), CurvesView(), GradientsView(), ThroughputView()]
    for view in views:
        for at in (None, moment, replace(moment, speed_limit=1.0, throughput=None)):
            lines = view.lines(at, frame)
            assert len(lines) <= frame.height, type(view)
            assert max((width_of(line) for line in lines), default=0) <= frame.width, words(lines)


def test_the_question_is_answered_with_its_exact_numbers():
    drawn = words(OperationsView(count(QUESTION)).lines(snapshot(QUESTION), MIDDLE))
    assert "11,070 = 3.08 × the naive 3,600" in drawn
    assert "with the loss 11,190 = 3.11 ×" in drawn
    backward = next(line for line in drawn.splitlines() if "backward" in line and "1,830" in line)
    assert backward.split() == ["backward", "1,830", "870", "·", "30", "2,730"]
    assert "operations so far 7.04 G" in drawn


def test_a_small_panel_folds_the_layers_and_keeps_the_answer():
    drawn = words(OperationsView(count(RunConfig(layers=(64, 32, 10)))).lines(None, SMALL))
    assert [line.split()[0] for line in drawn.splitlines()][:6] == ["phase", "forward", "backward", "update", "total", "loss"]
    assert "2.17 ×" in drawn
    assert "naive 4,736" in drawn


def test_many_layers_fold_into_a_group_and_nothing_is_lost():
    config = RunConfig(layers=(64, *[128] * 63, 10), batch_size=1)
    lines = OperationsView(count(config)).lines(None, Frame(60, 15))
    table = [text(line).split() for line in lines]
    group = next(row for row in table if "–" in row[0])
    total = next(row for row in table if row[0] == "total")
    layers = [row for row in table if row[0].isdigit() or row is group]
    assert sum(int(row[2].replace(",", "")) for row in layers) == int(total[1].replace(",", ""))


def test_a_zoomed_ledger_shows_each_operation_with_its_formula_and_bytes():
    drawn = words(OperationsView(count(QUESTION)).lines(None, Frame(140, 40, zoomed=True)))
    assert "(B−1)·N·M" in drawn
    assert "FLOP/byte" in drawn
    assert "fvcore 1,800" in drawn


def test_curves_have_axes_units_and_a_legend():
    drawn = words(CurvesView().lines(snapshot(), MIDDLE))
    assert "training  0.0312" in drawn
    assert "validation  0.0943" in drawn
    assert "99.5 %" in drawn
    assert "100 %┤" in drawn
    assert drawn.rstrip().endswith("steps")


def test_a_regression_has_no_accuracy():
    drawn = words(CurvesView().lines(snapshot(QUESTION), MIDDLE))
    assert "accuracy" not in drawn


def test_a_changed_rate_is_marked_where_it_changed():
    changed = replace(curves(), learning_rates=((0, 0.1), (10_000, 0.5)))
    drawn = words(CurvesView().lines(snapshot(curves=changed), MIDDLE))
    assert "rate 0.5" in drawn
    assert "┊" in drawn


@pytest.mark.parametrize("chart_style", ChartStyle)
def test_losses_that_are_not_finite_are_said_and_drawn_safely(chart_style):
    broken = replace(curves(), losses=np.full(400, np.nan))
    lines = CurvesView().lines(snapshot(loss=math.nan, curves=broken), replace(MIDDLE, chart_style=chart_style))
    assert ("    nan", Tone.BAD) in lines[0]
    assert words(CurvesView().lines(snapshot(curves=Curves()), MIDDLE))


def test_ascii_is_ascii():
    frame = replace(LARGE, chart_style=ChartStyle.ASCII)
    drawn = words(CurvesView().lines(snapshot(), frame)) + words(ThroughputView().lines(snapshot(), frame))
    assert set(drawn) - set("±µ") <= set(map(chr, range(128)))


def test_gradients_are_figures_words_and_a_histogram():
    sick = (
        replace(layer_gradients(1)[0], norm=3.1e-9, update_ratio=2e-9, health=Health.VANISHING),
        replace(layer_gradients(1)[0], layer=2, norm=math.inf, update_ratio=math.nan, health=Health.NON_FINITE),
    )
    lines = GradientsView().lines(snapshot(gradients=sick), MIDDLE)
    drawn = words(lines)
    assert "3.1e-9" in drawn
    assert "vanishing" in drawn
    assert "non-finite" in drawn
    assert "1e-12" in drawn
    assert "|g|" in drawn
    assert any(span == ("non-finite", Tone.BAD) for line in lines for span in line)


def test_many_layers_gradients_are_grouped_by_their_worst():
    gradients = layer_gradients(64)
    gradients = (*gradients[:40], replace(gradients[40], health=Health.EXPLODING), *gradients[41:])
    drawn = words(GradientsView().lines(snapshot(gradients=gradients), MIDDLE))
    assert drawn.count("exploding") == 1
    assert "otherwise the worst" in drawn
    zoomed = GradientsView().lines(snapshot(gradients=gradients), replace(MIDDLE, zoomed=True))
    assert len(zoomed) > 64


def test_a_sampled_histogram_says_so():
    sampled = layer_gradients(1, sampled=65_536, total=1_000_000)
    assert "65.5 k of 1.00 M values" in words(GradientsView().lines(snapshot(gradients=sampled), MIDDLE))


def test_throughput_has_its_denominator_and_its_phases():
    drawn = words(ThroughputView().lines(snapshot(), MIDDLE))
    assert "1,428,571 examples/s" in drawn
    assert "6.2 % of 235 GFLOP/s measured here" in drawn
    for phase in ("data", "forward", "loss", "backward", "update"):
        assert phase in drawn
    assert "7.40 µs" in drawn
    assert "until stopped given" in drawn


def test_throughput_is_not_shown_while_throttled():
    drawn = words(ThroughputView().lines(snapshot(speed_limit=10.0), MIDDLE))
    assert "throughput is not shown while throttled" in drawn
    assert "examples/s" not in drawn
    assert "GFLOP/s" not in drawn


def test_a_rate_is_blank_until_known_and_a_short_run_has_its_mean():
    unknown = snapshot(throughput=None, throughput_history=(), mean_examples_per_second=None)
    assert "examples/s" not in words(ThroughputView().lines(unknown, MIDDLE))
    short = snapshot(throughput=None, throughput_history=(), mean_examples_per_second=1234.4, state=State.COMPLETED)
    drawn = words(ThroughputView().lines(short, MIDDLE))
    assert "1,234 examples/s" in drawn
    assert "mean of the run" in drawn


def test_a_pinned_kernel_is_pointed_out_even_where_there_is_little_room():
    peaks = Peaks("float32", 1, 235e9, 21e9, Blas("OpenBLAS 0.3.31", "Haswell", "OPENBLAS_CORETYPE=Haswell"))
    for frame in (SMALL, Frame(56, 14), MIDDLE, LARGE):
        assert "OPENBLAS_CORETYPE=Haswell" in words(ThroughputView().lines(snapshot(peaks=peaks), frame)), frame


def test_a_rate_above_the_measured_peak_is_marked_and_explained():
    peaks = Peaks("float32", 1, 1e3, 21e9, None, flops_spread=0.02)
    for frame in (Frame(56, 14), MIDDLE, LARGE):
        drawn = words(ThroughputView().lines(snapshot(peaks=peaks), frame))
        assert "% ▲ of 1.00 kFLOP/s" in drawn, frame
        explained = "▲ above the measured peak, which was measured at another moment (square matrix product, 1 thread"
        assert explained in " ".join(drawn.split()) or frame.height < MIDDLE.height
    assert "▲" not in words(ThroughputView().lines(snapshot(), LARGE))


def test_time_left_is_projected():
    drawn = words(ThroughputView().lines(snapshot(total_steps=100_000, seconds_left=754.0), MIDDLE))
    assert "12 min 34 s left projected" in drawn
    assert " 22 %" in drawn


def test_the_header_says_network_device_and_state():
    drawn = words(HeaderView(QUESTION).lines(snapshot(QUESTION, current_learning_rate=0.05), Frame(120, 1)))
    assert "30-30-30 relu · mse · sgd 0.05 · batch 1" in drawn
    assert "numpy · OpenBLAS SkylakeX ×1" in drawn
    assert "● training" in drawn
    assert drawn.rstrip().endswith("00:12")


@pytest.mark.parametrize("frame", [Frame(80, 2), Frame(120, 1), Frame(200, 1)], ids=str)
@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: f"{len(config.layers) - 1} layers")
def test_the_header_folds_and_keeps_the_state(config, frame):
    lines = HeaderView(config).lines(snapshot(config, state=State.DIVERGED), frame)
    assert len(lines) <= frame.height
    assert "✕ diverged" in text(lines[0])
    assert all(width_of(line) <= frame.width for line in lines)


def test_the_status_says_why_before_how_far():
    paused = snapshot(state=State.PAUSED, message="layer 2 went non-finite first, at step 17")
    drawn = words(StatusView().lines(paused, Frame(80, 1)))
    assert drawn.strip().startswith("layer 2 went non-finite first")
    assert "single steps given" in words(StatusView().lines(snapshot(speed_limit=0.0), Frame(80, 1)))


def test_control_codes_never_reach_the_terminal():
    nasty = snapshot(message="\x1b]52;c;evil\x07 why", state=State.FAILED)
    config = replace(nasty.config, dataset="/tmp/\x1b[31mred.csv")
    drawn = words(StatusView().lines(nasty, Frame(120, 1)))
    drawn += words(HeaderView(config).lines(replace(nasty, config=config), Frame(200, 1)))
    assert drawn.replace("\n", "").isprintable()


def test_folding_leaves_out_the_highest_ranks_first():
    line = ((("x"), Tone.TEXT),)
    blocks = [Block(2, [line] * 2), Block(0, [line]), Block(1, [line] * 3)]
    assert len(fold(blocks, 10)) == 6
    assert len(fold(blocks, 5)) == 4
    assert len(fold(blocks, 3)) == 3
