"""The manual's pages, their links, the search, the command and the screen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Input, Markdown

from tests.support.shell import Shell, until
from tuisim.errors import ConfigError
from tuisim.features import COMMANDS
from tuisim.features.manual import PAGES, glossary_anchor, pages, read, search, sections
from tuisim.features.manual.pages import FOLDER
from tuisim.features.manual.screen import ManualScreen

ROOT = Path(__file__).parents[3]


def test_every_file_is_a_page_with_a_title_and_a_sentence():
    assert {path.stem for path in FOLDER.glob("*.md")} == set(PAGES)
    assert all(page.title and page.summary.endswith(".") and len(page.summary) < 100 for page in pages())


def test_an_unknown_page_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean glossary"):
        read("glosary")


@pytest.mark.parametrize("file", [*(FOLDER / f"{name}.md" for name in PAGES), ROOT / "README.md"], ids=lambda path: path.stem)
def test_links_lead_to_pages_headings_and_files_that_exist(file):
    for target in re.findall(r"(?<!!)\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if target.startswith("http"):
            continue
        page = (file.parent / path).resolve() if path else file
        assert page.exists(), target
        if anchor:
            assert anchor in {section.anchor for section in sections(page.stem)}, target


def test_every_command_has_its_line():
    assert not [command.name for command in COMMANDS if f"`tuisim {command.name}" not in read("commands")]


def test_search_finds_the_entry_of_a_word_first():
    section, line = search("dead units")[0]
    assert (section.page, section.anchor) == ("glossary", "dead-units")
    assert "ReLU" in line
    assert search("") == search("no such words anywhere") == []


def test_signs_and_case_do_not_matter_for_an_entry():
    assert glossary_anchor("Prediction interval") == glossary_anchor("prediction interval") == "prediction-interval"
    assert glossary_anchor("Roofline: rate ↑, intensity →") == "roofline"
    assert glossary_anchor("nothing of the kind") is None


def test_anchors_of_equal_headings_differ():
    for name in PAGES:
        anchors = [section.anchor for section in sections(name)]
        assert len(anchors) == len(set(anchors)), name


def test_the_command_lists_pages_and_prints_one_as_plain_text():
    def tuisim(*arguments):
        command = [sys.executable, "-m", "tuisim", "manual", *arguments]
        return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)

    assert [line.split()[0] for line in tuisim().stdout.splitlines() if not line.startswith(" ")] == list(PAGES)
    assert tuisim("glossary").stdout == read("glossary")
    assert tuisim("glosary").returncode == 2


def in_view(screen, title):
    return any(title in str(one.render()) and 0 <= one.region.y < 24 and one.region.height for one in screen.query("MarkdownH3"))


async def test_the_screen_opens_at_an_entry_and_follows_links():
    app = Shell()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = ManualScreen("glossary", "dead-units")
        await app.push_screen(screen)
        await until(pilot, lambda: in_view(screen, "Dead units"))
        screen.post_message(Markdown.LinkClicked(screen.query_one(Markdown), "counting.md#provenance"))
        await until(pilot, lambda: screen.page == "counting")
        await pilot.press("u")
        await until(pilot, lambda: screen.page == "glossary" and in_view(screen, "Dead units"))
        await pilot.press("right")
        await until(pilot, lambda: screen.page == "changelog")


async def test_a_search_result_is_opened_and_escape_leaves():
    app = Shell()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = ManualScreen()
        await app.push_screen(screen)
        await pilot.press("slash", *"utilization")
        assert screen.query_one(Input).value == "utilization"
        await pilot.press("enter")
        await until(pilot, lambda: screen.page == "glossary")
        await pilot.press("slash", "escape")
        assert app.screen is screen
        await pilot.press("escape")
        assert app.screen is not screen
