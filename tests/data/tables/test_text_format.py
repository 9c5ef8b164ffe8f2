"""The format of a text table, told from its first lines: separators, headings, comments, quotes and decimal separators."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.table_files import load, refused, write
from tuisim import data
from tuisim.data.tables import cells, text_format
from tuisim.data.tables.text_format import BLANKS, TableFormat


def detect(text: str) -> TableFormat:
    return text_format.detect(text.splitlines(keepends=True), "utf-8-sig", "a.csv")


@pytest.mark.parametrize(
    ("text", "separator", "columns"),
    [
        ("1,2\n3,4\n", ",", 2),
        ("1;2\n3;4\n", ";", 2),
        ("1,5;2,5\n3,5;4,5\n", ";", 2),
        ("1,5\t2,5\n3,5\t4,5\n", "\t", 2),
        ("1,5 2,5 a\n3,5 4,5 b\n", BLANKS, 3),
        ("1|a,b|2\n3|c,d|4\n", "|", 3),
        ("  1   2  3\n10  20 30\n", BLANKS, 3),
        ("1\t\t2\t3\n4\t5\t6\n7\t8\t9\n1\t\t2\t3\n", BLANKS, 3),
        ('1,"a, b; c",2\n3,"d, e",4\n', ",", 3),
        ("a b,c d\n1,2\n3,4\n", ",", 2),
        ("sep=|\n1|2\n", "|", 2),
    ],
)
def test_separators(text: str, separator: str, columns: int) -> None:
    form = detect(text)
    assert (form.separator, form.columns) == (separator, columns)


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("a,b\n1,2\n", ("a", "b")),
        ("1,2\n3,4\n", None),
        ("0,1,2\n5.1,3.5,0\n4.9,3.0,1\n", ("0", "1", "2")),
        ("1,2\n0.5,0.25\n", ("1", "2")),
        ("0,1,2,3,4\n7,8,9,5,3\n1,1,2,0,4\n", ("0", "1", "2", "3", "4")),
        ("1,2,3,4,5\n7,8,9,5,3\n1,1,2,0,4\n", None),
        ("1990,2000\n0.5,0.6\n0.7,0.8\n", ("1990", "2000")),
        ("1990,2000\n1,0.6\n0.7,0.8\n", None),
        ("land,1990,2000\nDE,0.5,0.6\nFR,0.7,0.8\n", ("land", "1990", "2000")),
        ("x,y\na,b\nc,d\n", ("x", "y")),
        ("a,b\na,c\nd,b\n", None),
        ("5.1,setosa\n4.9,setosa\n", None),
        (",a,b\n0,1,2\n1,3,4\n", ("", "a", "b")),
        ("a b\n1 2 3\n2 4 5\n", ("", "a", "b")),
        ("a,b\n1,2,\n3,4,\n", ("a", "b", "")),
        ("# a,b\n1,2\n3,4\n", ("a", "b")),
        ("# made in 2020\n1,2\n3,4\n", None),
        ("# x\na,b\n1,2\n", ("a", "b")),
        ("2,1,red,green\n1,0\n3,1\n", None),
        ("2,1,,\na,b\n1,0\n3,1\n", ("a", "b")),
        ('"first\nname",b\n1,2\n', ("first\nname", "b")),
    ],
)
def test_headings(text: str, heading: tuple[str, ...] | None) -> None:
    form = text_format.detect(text.splitlines(keepends=True), "utf-8-sig", "a.csv")
    assert form.heading == heading


def test_a_count_line_names_the_classes() -> None:
    form = detect("3,2,no,yes\n1,2,0\n3,4,1\n5,6,1\n")
    assert (form.classes, form.skip, form.columns) == (("no", "yes"), 1, 3)


@pytest.mark.parametrize(
    ("text", "number", "with_comma"),
    [
        ("5", 5, 5), ("-1.5e3", -1500, -1500), ("5%", 5, 5), ("5,100", 5100, 5.1), ("1,234,567.5", 1234567.5, None),
        ("1.234,5", None, 1234.5),
        ("5,1", None, 5.1), ("1'000", 1000, 1000), ("12,34", None, 12.34),
        ("red", None, None), ("1_000", None, None), ("0x1F", None, None),
    ],
)  # fmt: skip
def test_numbers(text: str, number: float | None, with_comma: float | None) -> None:
    assert cells.to_number(text) == number
    assert cells.to_number(text, ",") == with_comma


@pytest.mark.parametrize(
    "text", ["2020-01-31", "31.12.2020", "1/2/21", "2020-01-31T10:30:00Z", "17-Nov-1982", "Jan 5, 2020", "10:30"]
)
def test_dates(text: str) -> None:
    assert cells.is_date(text)
    assert not cells.is_date(f"{text} x")


def test_comments_may_stand_among_the_rows(tmp_path: Path) -> None:
    rows = "".join(f"{k % 7},{k % 3}\n" for k in range(400))
    for text in (f"{rows}# the end\n{rows}", f"# begin\n{rows}\n  # middle\n{rows}"):
        assert data.table_preview(write(tmp_path / "a.csv", text)).rows == 800
    colours = "".join(f"#{k:06x},{k % 7},{k % 2}\n" for k in range(40))
    found = data.table_preview(write(tmp_path / "b.csv", f"colour,a,y\n{colours}"))
    assert (found.rows, found.columns[0].role) == (40, "left out")


def test_a_quoted_cell_may_have_line_breaks(tmp_path: Path) -> None:
    text = "".join(f'{k % 5},"note {k}\nof two lines, with ""quotes""",{k % 2}\n' for k in range(30))
    found = data.table_preview(write(tmp_path / "a.csv", f"a,note,y\n{text}"))
    assert (found.rows, found.inputs, found.columns[1].reason) == (30, 1, "a different text in each row")
    assert "line 64, column 1 (a) is 'x': write a number" in refused(
        write(tmp_path / "a.csv", f'a,note,y\n{text}0.5,"b\nc",1\nx,d,0\n')
    )


def test_rows_that_are_too_short_or_too_long_are_named(tmp_path: Path) -> None:
    rows = "1,2,0\n3,4,1\n" * 40_000
    assert "line 80,001 has 2 cells, the first row 3" in refused(write(tmp_path / "a.csv", rows + "1,2\n" + rows))
    assert "line 80,001 has 5 cells, the first row 3" in refused(write(tmp_path / "a.csv", rows + "1,2,3,4,5\n" + rows))
    assert "line 2 has 5 cells, the first row 3" in refused(write(tmp_path / "a.csv", "1,2,0\n1,2,0,4,5\n" + rows))
    assert load(write(tmp_path / "a.csv", rows.replace("\n", ",\n")), (2, 2), validation=0).examples == 80_000


def test_a_text_far_down_is_found(tmp_path: Path) -> None:
    rows = "".join(f"{k % 9},{k % 11},{k % 2}\n" for k in range(60_000))
    path = write(tmp_path / "a.csv", rows + "red,5,1\n" + rows)
    assert "line 60,001, column 1 is 'red': write a number" in refused(path, (2, 2))
    assert data.table_preview(path, data.TableOptions(categorical=("1",))).inputs == 11
