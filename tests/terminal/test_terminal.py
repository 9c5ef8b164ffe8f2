"""Charts, bars, histograms and lines, read as text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tuisim.terminal.chart import LINE_STYLES, Series, plot, sample
from tuisim.terminal.lines import Block, Tone, fold
from tuisim.terminal.plot import (
    DOTS,
    ChartStyle,
    Scale,
    bar,
    characters,
    columns_of,
    dashed,
    loss_scale,
    percent_scale,
    string,
    tick_text,
    tick_texts,
    ticks,
    trace,
)

numbers = st.floats(allow_nan=True, allow_infinity=True)


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
    codes, owner = characters([dots], chart_style, 3, 7, "*")
    assert [len(string(row)) for row in codes] == [7, 7, 7]
    assert (owner == 0).all()
    assert string(codes[0])[0] in "⣿█*"


def test_two_series_differ_without_colour():
    dots = np.ones((4, 20), dtype=bool)
    assert dashed(dots).sum() < dots.sum()
    ascii_dots = [np.array([[True, False]]), np.array([[False, True]])]
    codes, _ = characters(ascii_dots, ChartStyle.ASCII, 1, 2, "*o")
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


def test_folding_leaves_out_the_highest_ranks_first():
    line = ((("x"), Tone.TEXT),)
    blocks = [Block(2, [line] * 2), Block(0, [line]), Block(1, [line] * 3)]
    assert len(fold(blocks, 10)) == 6
    assert len(fold(blocks, 5)) == 4
    assert len(fold(blocks, 3)) == 3


@given(st.lists(st.floats(0, 100), max_size=20))
@example([97.5, 98.25])
@example([100.0])
@example([0.0])
def test_a_scale_of_percentages_holds_all_of_them_and_uses_its_room(values):
    scale = percent_scale(np.array(values))
    assert 0 <= scale.low < scale.high <= 100
    if values:
        assert scale.low <= min(values) <= max(values) <= scale.high
        assert scale.high - scale.low <= max(8.0, 2 * (max(values) - min(values)))


@pytest.mark.parametrize("style", ChartStyle)
def test_four_curves_are_told_apart_without_colour(style):
    x, scale = np.arange(40.0), Scale(0.0, 39.0)
    rows = []
    for i in range(4):
        alone = [Series(x, np.full(40, np.nan), Tone.TEXT)] * i + [Series(x, np.full(40, 0.5), Tone.TEXT, i)]
        rows.append("".join(text for line in plot(alone, 47, 5, style, scale, Scale(0.0, 1.0)) for text, _ in line))
    assert len(set(rows)) == 4
    assert len({sample(i, style) for i in range(len(LINE_STYLES))}) == 4


def test_the_ticks_of_an_axis_have_one_notation():
    assert tick_texts([1e-4, 1e-3, 1e-2, 0.1, 1.0]) == ["1e-4", "1e-3", "1e-2", "1e-1", "1e0"]
    assert tick_texts([0.0, 2e-4, 4e-4]) == ["0", "2e-4", "4e-4"]
    assert tick_texts([0.0, 5e-4, 1e-3, 1.5e-3]) == ["0", "5e-4", "1e-3", "1.5e-3"]
    assert tick_texts([9.5e-4, 1e-3, 1.05e-3]) == [tick_text(value) for value in (9.5e-4, 1e-3, 1.05e-3)]
    assert tick_texts([0.01, 0.1, 1.0]) == ["0.01", "0.1", "1"]
