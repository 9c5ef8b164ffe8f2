"""The ASCII style: no page has another character, and it is the style of every page and of the next start."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.support.screens import SCREENS, ScriptedScreen, script_pages, settle
from tests.support.shell import until
from tuisim.config import RunConfig
from tuisim.features.explain.conventions.screen import ConventionsScreen
from tuisim.features.runs.screen import RunsScreen
from tuisim.terminal.lines import ChartStyle
from tuisim.tui.app import TuisimApp
from tuisim.tui.ascii_filter import in_ascii
from tuisim.tui.panels import PanelScreen
from tuisim.tui.session import Session


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    script_pages(monkeypatch)


@pytest.mark.parametrize("scripted", SCREENS, ids=lambda one: one.name)
async def test_no_page_has_a_character_beside_ascii(scripted: ScriptedScreen) -> None:
    app = scripted.app()
    async with app.run_test(size=(120, 36)) as pilot:
        await scripted.open(pilot)
        await settle(pilot)
        if isinstance(app.screen, PanelScreen):
            await pilot.press("c", "c")
        else:
            app._choose_chart_style(ChartStyle.ASCII)
        for line in await settle(pilot):
            shown = "".join(segment.text for segment in line)
            assert shown.isascii(), [one for one in shown if not one.isascii()]
            assert "?" not in shown.replace("F1 ?", "") or scripted.name in ("help", "manual", "palette", "answer"), shown
        app._choose_chart_style(ChartStyle.BRAILLE)
        lines = ["".join(segment.text for segment in line) for line in await settle(pilot)]
        assert not all(map(str.isascii, lines))


@pytest.mark.parametrize("text", ["× 2·3 − 1 ‖g‖ → µs ┤⣿━╸ ▸ é 中文 \u0301", "plain", "", "∂L/∂w ≥ 10⁻³ √x ²"])
def test_text_keeps_its_width(text: str) -> None:
    assert in_ascii(text).isascii()
    assert len(in_ascii(text)) == cell_len(text)


async def test_a_style_is_that_of_every_page_and_of_the_next_start() -> None:
    app = TuisimApp(RunConfig(layers=(4, 3, 2)), session=Session())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("c", "c")
        await until(pilot, lambda: app.chart_style is ChartStyle.ASCII)
        await pilot.press("escape")
        app.action_open("conventions")
        await until(pilot, lambda: isinstance(app.screen, ConventionsScreen))
        await until(pilot, lambda: app.screen._panels[0].canvas.chart_style is ChartStyle.ASCII)
    app.save_session()
    assert Session().chart_style is ChartStyle.ASCII
