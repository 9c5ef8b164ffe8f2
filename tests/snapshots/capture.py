"""Pictures of the scripted screens at every size and in every colour mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.strip import Strip
from textual.theme import Theme

from tests.snapshots.picture import Picture, cells, without_colour
from tests.support.pinned import pin_machine
from tests.support.screens import SMALL, ScriptedScreen, script_pages, settle
from tuisim.tui.themes import DARK, LIGHT

FOLDER = Path(__file__).parent
SIZES = ((80, 24), (120, 36), (200, 60))
SMALL_SIZES = ((48, 14),)


def path(name: str, size: tuple[int, int]) -> Path:
    """Return the file of a screen."""
    return FOLDER / f"{name}-{size[0]}x{size[1]}.txt"


def sizes(screen: ScriptedScreen) -> tuple[tuple[int, int], ...]:
    """Return the sizes in which a screen is shown."""
    return SMALL_SIZES if screen is SMALL else SIZES


async def pictures(screen: ScriptedScreen) -> dict[tuple[int, int], Picture]:
    """Open a screen once, resize it, and change its theme. What it is without colour follows from the dark theme."""
    found: dict[tuple[int, int], Picture] = {}
    with scripted():
        async with screen.app().run_test(size=sizes(screen)[0]) as pilot:
            await pilot.pause()
            await screen.open(pilot)
            for number, size in enumerate(sizes(screen)):
                modes = {}
                for theme in (DARK, LIGHT) if number % 2 == 0 else (LIGHT, DARK):  # a theme once set serves the next size as well
                    modes[theme.name] = await _strips(pilot, size, theme)
                    if theme is DARK:
                        modes[""] = without_colour(modes[theme.name])
                found[size] = Picture.of([cells(modes[name], name) for name in (DARK.name, LIGHT.name, "")])
    return found


async def strips_in_both(screen: ScriptedScreen, size: tuple[int, int]) -> list[list[Strip]]:
    """Return a screen as apps show it that were started at this size without NO_COLOR and with it."""
    found = []
    for variables in ({}, {"NO_COLOR": "1"}):
        with scripted() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            async with screen.app().run_test(size=size) as pilot:
                await pilot.pause()
                await screen.open(pilot)
                found.append(await settle(pilot))
    return found


@contextmanager
def scripted() -> Iterator[pytest.MonkeyPatch]:
    """Pin the machine and script all pages."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as home:
        pin_machine(patch, Path(home))
        script_pages(patch)
        yield patch


async def _strips(pilot: Pilot[Any], size: tuple[int, int], theme: Theme) -> list[Strip]:
    pilot.app.theme = theme.name
    if tuple(pilot.app.size) != size:
        await pilot.resize_terminal(*size)
    return await settle(pilot)
