"""The least app that a screen of ours can live in, and the parts of a worker that every scripted one has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from textual.app import App
from textual.pilot import Pilot

from tuisim.config import RunConfig
from tuisim.features.compare.entries import BackendEntry
from tuisim.tui.measuring_page import StudyScreen
from tuisim.tui.themes import DARK_MEANINGS


class Shell(App[None]):
    """Our colours and no movement; what it shows first is pushed by whoever makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK_MEANINGS


class Scripted:
    """A worker that has come as far as it is told: `state` is what the screen will find of it."""

    alive = False

    def __init__(self, **state: Any) -> None:
        self.failure: str | None = None
        self.started = self.stopped = False
        self.__dict__.update(state)

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.stopped = True


Make = Callable[[RunConfig, Sequence[BackendEntry]], Scripted]
AnyStudy = TypeVar("AnyStudy", bound=StudyScreen[Any, Any])


class Studio(Shell):
    """A measurement's screen, made by `screen` of (busy, hush, make), with the workers that `worker` makes for it."""

    def __init__(
        self,
        screen: Callable[[Callable[[], bool], Callable[[], None], Make], StudyScreen[Any, Any]],
        worker: Callable[[Sequence[BackendEntry]], Scripted],
        busy: bool,
    ) -> None:
        super().__init__()
        self.made: list[tuple[Scripted, Sequence[BackendEntry]]] = []
        self.busy, self._screen, self._worker = busy, screen, worker

    def on_mount(self) -> None:
        self.push_screen(self._screen(lambda: self.busy, self.hush, self.make))

    def hush(self) -> None:
        self.busy = False

    def make(self, config: RunConfig, entered: Sequence[BackendEntry]) -> Scripted:
        self.made.append((self._worker(entered), entered))
        return self.made[-1][0]


@asynccontextmanager
async def studying(
    app: Studio, kind: type[AnyStudy], size: tuple[int, int]
) -> AsyncIterator[tuple[AnyStudy, Pilot[None], Studio]]:
    """The screen in a terminal of this size, after its first look at the worker."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, kind)
        screen.tick()
        await pilot.pause()
        yield screen, pilot, app
