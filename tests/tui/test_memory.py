"""A run that has been left keeps no memory: its screen, its worker and what was drawn of it are freed."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.strip import Strip

from tuisim.config import RunConfig
from tuisim.features.run.screen import RunScreen
from tuisim.features.setup.screen import SetupScreen
from tuisim.tui.app import TuisimApp


def alive(*kinds: type) -> Counter[type]:
    gc.collect()
    return Counter(type(one) for one in gc.get_objects() if type(one) in kinds)


async def test_runs_that_were_left_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.tui.app.START_SECONDS", 0.0)
    app = TuisimApp(RunConfig(layers=(4, 3, 2), examples=50, epochs=None))
    seen: list[weakref.ref[Any]] = []
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()

        async def one_run() -> None:
            await pilot.press("ctrl+r")
            await pilot.pause(0.25)
            assert isinstance(app.screen, RunScreen)
            assert app.worker is not None
            seen.extend((weakref.ref(app.screen), weakref.ref(app.worker)))
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, SetupScreen)
            assert app.worker.join(10)

        for _ in range(3):
            await one_run()
        before = alive(StylesCache, Strip)
        for _ in range(4):
            await one_run()
        after = alive(StylesCache, Strip)
        assert sum(reference() is not None for reference in seen) <= 2, "the last run's alone may be there"
        assert after[StylesCache] == before[StylesCache]
        assert after[Strip] < 1.2 * before[Strip] + 50
