"""Every screen looks as its snapshot says, and reads as a screen should."""

from __future__ import annotations

import asyncio
import re
from difflib import unified_diff

import pytest
from rich.cells import cell_len

from tests.snapshots.capture import FOLDER, path, pictures, sizes, strips_in_both
from tests.snapshots.picture import cells, without_colour
from tests.support.screens import SCREENS, SMALL

ALL = (*SCREENS, SMALL)
OLD_WORDS = re.compile(
    r"\b(held out|weights start|times through|over steps|inputs and answers|costliest|done so far|how many by"
    r"|paced|pace|no throughput is claimed|probed?|first window|not judged|level|by hand|for ever|start anew|anew|mend|foretold"
    r"|foreseen|card|law|hush|rung|ladder|climb|reckon\w*|heed|aught|band|pulse|unrest|furthest|work backwards|the chosen one"
    r"|as much as fits|marks?|on the way|held against|at hand|hours or days|talk|aside)\b",
    re.IGNORECASE,
)
"""The left column of the vocabulary, as far as its words have no other meaning on a screen."""


@pytest.mark.parametrize("screen", ALL, ids=lambda screen: screen.name)
def test_a_screen_looks_as_its_snapshot(screen):
    for size, picture in asyncio.run(pictures(screen)).items():
        file, fresh = path(screen.name, size), picture.text()
        kept = file.read_text(encoding="utf-8") if file.exists() else ""
        if kept != fresh:
            changes = unified_diff(
                kept.splitlines(), fresh.splitlines(), f"{file.name} as kept", "as it is now", lineterm="", n=1
            )
            pytest.fail(
                "\n".join(
                    [f"{file.name} has changed; `python -m tests.snapshots {screen.name}` keeps it as it is now", *changes]
                ),
                pytrace=False,
            )


def test_every_file_is_of_a_screen_and_size():
    known = {path(screen.name, size).name for screen in ALL for size in sizes(screen)}
    assert {file.name for file in FOLDER.glob("*.txt")} == known


@pytest.mark.parametrize("screen", [one for one in SCREENS if one.name in ("setup", "manual")], ids=lambda screen: screen.name)
def test_the_snapshot_without_colour_is_what_an_app_shows_under_no_color(screen):
    strips, no_color = asyncio.run(strips_in_both(screen, (120, 36)))
    assert cells(no_color) == cells(without_colour(strips))


def grids() -> list[tuple[str, list[str]]]:
    """Return the characters of each snapshot, by the name of its file."""
    return [(file.name, file.read_text(encoding="utf-8").split("── styles ──")[0].splitlines()) for file in FOLDER.glob("*.txt")]


def test_no_line_is_wider_than_its_screen_and_none_is_missing():
    for name, lines in grids():
        width, height = map(int, re.findall(r"\d+", name)[-2:])
        assert len(lines) == height, name
        assert max(map(cell_len, lines)) <= width, name


def test_every_screen_ends_with_its_keys():
    for name, lines in grids():
        if not name.startswith(("small", "palette")):
            assert re.search(r" (F1 help|esc back|esc close)\b", lines[-1] + " "), name


def test_no_panel_is_empty():
    for name, lines in grids():
        for number, panel in panels(lines):
            assert any(line.strip() for line in panel), (name, number)


def test_no_screen_has_a_word_that_the_vocabulary_replaces():
    found = [(name, match[0], line) for name, lines in grids() for line in lines for match in OLD_WORDS.finditer(line)]
    assert not found


def panels(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return the number and the lines of each bordered panel."""
    found: list[tuple[str, list[str]]] = []
    for top, line in enumerate(lines):
        for corner in re.finditer(r"╭─ (\d) ", line):
            left = corner.start()
            right = line.index("╮", left)
            bottom = next(row for row in range(top + 1, len(lines)) if lines[row][left : left + 1] == "╰")
            found.append((corner[1], [lines[row][left + 1 : right] for row in range(top + 1, bottom)]))
    return found
