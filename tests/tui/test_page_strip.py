"""The strip of pages at the top, and the line of keys at the bottom."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.support.made_machine_profile import entry, machine_profile
from tests.support.screens import ScriptedPredictor
from tuisim.features import PAGES, sub_pages
from tuisim.features.setup.screen import SetupScreen
from tuisim.predict import profiles
from tuisim.tui.app import TuisimApp
from tuisim.tui.page_strip import PageStrip

TOP = [page for page in PAGES if page.key]


def rows(app: TuisimApp) -> list[str]:
    """Return the lines on the screen."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def marked(app: TuisimApp) -> list[str]:
    """Return what is shown reversed in the strip, which can be told without colour."""
    strips = app.screen._compositor.render_strips()[:2]
    return [segment.text.strip() for strip in strips for segment in strip if segment.style and segment.style.reverse]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_the_strip_names_every_page_with_its_key_on_every_page(width: int) -> None:
    profiles.keep(machine_profile(entry("numpy"), entry("numba")))
    app = TuisimApp()
    async with app.run_test(size=(width, 30)) as pilot:
        await pilot.pause()
        for page in PAGES:
            if page.screen and page.name != "run":
                app.action_open(page.name)
                await pilot.pause()
                first, second = rows(app)[:2]
                assert cell_len(first.rstrip()) <= width
                for top in TOP:
                    name = f" {top.title if width >= 100 else top.short or top.title}" if width >= 80 else ""
                    assert f"{top.key.upper()}{name} " in first + " ", page.name
                title = page.title if not page.parent else next(top.title for top in TOP if top.name == page.parent)
                assert marked(app)[0].startswith(f"{next(top.key for top in TOP if top.title == title).upper()} "), page.name
                if page.parent:
                    assert marked(app)[1:] == [page.title]
                    assert all(sub.title in second for sub in sub_pages(page.parent))


async def test_a_click_opens_a_page_and_a_sub_page() -> None:
    profiles.keep(machine_profile(entry("numpy"), entry("numba")))
    app = TuisimApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.click(PageStrip, offset=(rows(app)[0].index("Expl"), 0))
        await pilot.pause()
        assert app.page is sub_pages("explain")[0]
        await pilot.click(PageStrip, offset=(rows(app)[1].index("Conventions"), 1))
        await pilot.pause()
        assert app.page is sub_pages("explain")[2]
        await pilot.click(PageStrip, offset=(rows(app)[0].index("F2"), 0))
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)


async def test_pages_can_be_opened_from_the_manual() -> None:
    app = TuisimApp(predictor=ScriptedPredictor)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app.action_manual()
        await pilot.pause()
        assert all(f"{page.key.upper()} {page.title}" in rows(app)[0] for page in TOP)
        assert marked(app) == []
        await pilot.click(PageStrip, offset=(rows(app)[0].index("F12"), 0))
        await pilot.pause()
        assert app.page is not None
        assert app.page.name == "runs"
        await pilot.press("escape")
        await pilot.pause()
        app.action_manual()
        await pilot.pause()
        await pilot.press("f2")
        await pilot.pause()
        assert isinstance(app.screen, SetupScreen)
        assert len([screen for screen in app.screen_stack if screen is app.setup]) == 1


async def test_a_footer_that_is_too_narrow_says_that_there_is_more() -> None:
    app = TuisimApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert rows(app)[-1].rstrip().endswith("  F1 help")
        assert "…" not in rows(app)[-1]
        app.screen.query_one("#layer-editor OptionList").focus()
        await pilot.resize_terminal(60, 24)
        await pilot.pause()
        assert rows(app)[-1].rstrip().endswith("…  F1 help")
        assert "quit" not in rows(app)[-1]
