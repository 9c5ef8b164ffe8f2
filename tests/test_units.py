"""Numbers as people read and type them."""

import math

import pytest

from tuisim import units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "", "0"),
        (999.96, "", "1.00 k"),
        (14.6e9, "FLOP/s", "14.6 GFLOP/s"),
        (1.3e-5, "s", "13.0 µs"),
        (-2500, "", "-2.50 k"),
        (5, "", "5.00"),
        (1e30, "", "1.00 Q"),
        (10**45, "", "1.00e+45"),
        (2.5e33, "FLOP/s", "2.50e+33 FLOP/s"),
        (None, "s", ""),
        (math.nan, "s", ""),
    ],
)
def test_si(value, unit, text):
    assert units.si(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.2e-3, "4.20 ms"),
        (59.0, "59.0 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (11_520, "3 h 12 min"),
        (86_399, "1.0 days"),
        (362_880, "4.2 days"),
        (3.5e8, "11.1 years"),
        (3.2e12, "101 k years"),
        (3.15576e52, "1.00e+45 years"),
        (None, ""),
    ],
)
def test_duration(seconds, text):
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "value"), [("10000", 10_000), ("1e6", 10**6), ("2.5e3", 2_500), ("10_000", 10_000), ("1,797", 1_797)]
)
def test_parse_count(text, value):
    assert units.parse_count(text) == value


@pytest.mark.parametrize("text", ["2o", "1.5", "", "nan", "inf", "1e99"])
def test_parse_count_refuses(text):
    with pytest.raises(ValueError, match=r"number|large"):
        units.parse_count(text)


def test_counts_sizes_shares_and_figures():
    assert units.count(11_070) == "11,070"
    assert units.count(10_293.3125) == "10,293.31"
    assert units.short_count(123_456_789_012, 9) == "123 G"
    assert units.size(15_000) == "14.6 KiB"
    assert units.size(3) == "3 B"
    assert units.percent(0.062) == "6.2 %"
    assert units.figure(0.03125) == "0.0312"
    assert units.figure(1.25e-5) == "1.25e-05"
    assert units.figure(float("nan")) == "nan"
    assert units.clock(3723) == "1:02:03"
    assert units.clock(12.9) == "00:12"
