"""The run screen over a scripted worker, in a small app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from tests.support.scripted import ScriptedWorker
from tests.support.shell import Shell
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine import Worker
from tuisim.features.run.screen import RunScreen
from tuisim.tui.messages import EditRequested, RunLeft, StartRequested

CONFIG = RunConfig(layers=(64, 32, 10), epochs=None)


class Studio(Shell):
    """The smallest app of a run screen; it remembers the screen's requests."""

    def __init__(self, worker: ScriptedWorker | Worker, config: RunConfig) -> None:
        super().__init__()
        self.run_screen = RunScreen(worker, config, count(config))
        self.restarts: list[RunConfig] = []
        self.edits: list[tuple[str, str]] = []
        self.left = False

    def on_mount(self) -> None:
        self.push_screen(self.run_screen)

    def on_start_requested(self, message: StartRequested) -> None:
        self.restarts.append(message.config)

    def on_edit_requested(self, message: EditRequested) -> None:
        self.edits.append((message.field, message.text))

    def on_run_left(self, _: RunLeft) -> None:
        self.left = True


@asynccontextmanager
async def running(
    worker: ScriptedWorker | Worker, config: RunConfig = CONFIG, size: tuple[int, int] = (120, 36), notices: bool = False
) -> AsyncIterator[tuple[RunScreen, Pilot[None]]]:
    """Run the screen, after its first look at the worker."""
    app = Studio(worker, config)
    worker.start()
    async with app.run_test(size=size, notifications=notices) as pilot:
        await pilot.pause()
        app.run_screen.tick()
        await pilot.pause()
        yield app.run_screen, pilot
