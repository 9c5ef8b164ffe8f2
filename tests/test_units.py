"""Numbers written as text and parsed from text."""

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
        (3.2e12, "101,000 years"),
        (3.15576e13, "1.00 million years"),
        (3.15576e52, "1.00e+45 years"),
        (None, ""),
    ],
)
def test_duration(seconds, text):
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10000", 10_000),
        ("1e6", 10**6),
        ("2.5e3", 2_500),
        ("10_000", 10_000),
        ("1,797", 1_797),
        ("60k", 60_000),
        ("1.5M", 1_500_000),
    ],
)
def test_parse_count(text, value):
    assert units.parse_count(text) == value


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("64-32-10", (64, 32, 10)), ("64,32,10", (64, 32, 10)), ("64 32  10", (64, 32, 10)), ("64, 32, 10", (64, 32, 10)),
        ("64x32x10", (64, 32, 10)), ("64×32×10", (64, 32, 10)), ("64–32–10", (64, 32, 10)), ("64 - 32 - 10", (64, 32, 10)),
        ("64-32×3-10", (64, 32, 32, 32, 10)), ("64-32x3-10", (64, 32, 32, 32, 10)), ("64-1×1-10", (64, 1, 10)),
        ("auto-64-auto", (units.AUTO, 64, units.AUTO)), ("auto 8 3", (units.AUTO, 8, 3)),
    ],
)  # fmt: skip
def test_parse_layers(text, layers):
    assert units.parse_layers(text) == layers
    assert units.parse_layers(units.layers_text(layers)) == layers


@pytest.mark.parametrize("text", ["", "a-b", "64--10", "64-3.5-10", "-1-4", "4-3×x-2", "4-3×2000-2", "4-×3-2", "1,000-10"])
def test_parse_layers_refuses(text):
    with pytest.raises(ValueError, match=r"such as 64-32-10|equal layers"):
        units.parse_layers(text)


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
    assert units.size(2.0**90) == "1.07e+09 EiB"
    assert units.percent(0.062) == "6.2 %"
    assert units.figure(0.03125) == "0.0312"
    assert units.figure(1.25e-5) == "1.25e-05"
    assert units.figure(float("nan")) == "nan"
    assert units.clock(3723) == "1:02:03"
    assert units.clock(12.9) == "00:12"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("600", 600), ("10min", 600), ("2h", 7_200), ("3d", 259_200), (" 1.5 days ", 129_600), ("2 h 30 min", 9_000),
        ("2 min 05 s", 125), ("500ms", 0.5), ("20 µs", 2e-5), ("1e3", 1_000), ("1e-3s", 1e-3), ("1,000", 1_000),
        ("2 Years", 63_115_200),
    ],
)  # fmt: skip
def test_parse_duration(text, seconds):
    assert units.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [4.2e-3, 59.0, 125, 11_520, 362_880])
def test_a_written_duration_is_parsed_again(seconds):
    assert units.parse_duration(units.duration(seconds)) == pytest.approx(seconds, rel=1e-2)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("500MB", 500_000_000), ("2GiB", 2 * 2**30), ("2 gib", 2 * 2**30), ("1.5KiB", 1_536), ("4096", 4_096), ("1e9", 10**9),
        ("1_000 kB", 1_000_000), ("9007199254740993", 9_007_199_254_740_993), ("3EiB", 3 * 2**60),
    ],
)  # fmt: skip
def test_parse_size(text, bytes_):
    assert units.parse_size(text) == bytes_


@pytest.mark.parametrize("parse", [units.parse_duration, units.parse_size])
@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "write"), ("soon", "write"), ("nan", "write"), ("inf", "write"), ("5 parsecs", "write"), ("10 20", "write"),
        ("1e", "write"), ("0", "more than 0"), ("0.0", "more than 0"), ("-5", "more than 0"), ("1e31", "too large"),
        ("1e9999", "too large"), ("1e-9999", "more than 0"), ("1" * 40 + "!", "write"), ("1h " * 20 + "!", "write"),
    ],
)  # fmt: skip
def test_invalid_limits_are_refused(parse, text, remedy):
    with pytest.raises(ValueError, match=remedy):
        parse(text)


def test_a_size_with_an_ambiguous_unit_is_refused():
    with pytest.raises(ValueError, match="2GiB"):
        units.parse_size("2G")


@pytest.mark.parametrize("parse", [units.parse_count, units.parse_duration, units.parse_size])
def test_a_comma_separates_thousands_only(parse):
    """2,5 hours are not 25."""
    for text in ("2,5", "1,,5", "10,00", "1,5000", "1,000,00", ",5", "1_0,000", "1,000.0,0", "1,000e1,0", "1e1,000"):
        with pytest.raises(ValueError, match=r"a comma groups thousands|not a"):
            parse(text)
    assert parse("10,000") == 10_000
    assert parse("1,234,567") == 1_234_567
    assert units.parse_duration("1,000.5 ms") == pytest.approx(1.0005)


def test_numbers_are_rounded_before_their_unit_is_chosen():
    assert units.size(2**20 - 1) == "1.0 MiB"
    assert units.size(2**60 - 2**40) == "1.0 EiB"
    assert units.size(1023) == "1023 B"
    assert units.si(9.99e-13, "s") == "999 fs"


@pytest.mark.parametrize("text", ["iris.csv", "./data", "C:\\rows.npz", "a/b", "nosuch.csv"])
def test_a_file_in_the_place_of_layers_is_told_its_option(text):
    with pytest.raises(ValueError, match="a data file is given with --dataset"):
        units.parse_layers(text)
