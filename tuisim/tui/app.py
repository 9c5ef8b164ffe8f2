"""The app: a shell that puts screens in front, hands configurations on, and always ends well.

It knows neither how a run is set up, nor how it is computed or drawn; a worker is made for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, ClassVar, Protocol

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.message import Message
from textual.screen import Screen

from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.engine import RunFailed, Summary, Worker
from tuisim.errors import ExitCode, printable
from tuisim.features.run.screen import RunScreen
from tuisim.features.setup.screen import SetupScreen
from tuisim.predict.background import BackgroundPredictor
from tuisim.predict.prediction import Prediction
from tuisim.tui.driver import terminal_driver
from tuisim.tui.help import HelpScreen, groups
from tuisim.tui.keep_run import Keeping
from tuisim.tui.navigation import PAGE_BINDINGS, Paged
from tuisim.tui.palette import commands
from tuisim.tui.run_worker import RunWorker
from tuisim.tui.signals import Signals
from tuisim.tui.themes import DARK, DARK_MEANINGS, LIGHT, LIGHT_MEANINGS
from tuisim.tui.too_small import SmallScreen, too_small

START_SECONDS = 0.7
"""Runs are not started more often than this."""


class AppWorker(RunWorker, Protocol):
    """A run that can be waited for and asked why it failed."""

    @property
    def failure(self) -> RunFailed | None: ...
    @property
    def summary(self) -> Summary | None: ...
    def join(self, timeout: float | None = None) -> bool: ...


class TuisimApp(Paged):
    """Setup, runs, pages, help, themes, and the way out."""

    @dataclass
    class NotKept(Message):
        """Why the run that has ended could not be kept, in one line."""

        why: str

    TITLE = "tuisim"
    CSS_PATH = "tuisim.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+q", "quit", "quit", tooltip="quit, also while typing", priority=True),
        Binding("ctrl+c", "interrupt", "quit with exit code 130, or copy the text that is selected", show=False),
        Binding("ctrl+n", "start_anew", "start anew", tooltip="start tuisim anew, which brings back a GPU it lost", show=False),
        Binding("question_mark,f1", "help", "help", key_display="?"),
        *PAGE_BINDINGS,
        Binding("ctrl+p", "command_palette", "palette", key_display="^p", priority=True),
    ]

    def __init__(
        self,
        config: RunConfig | None = None,
        worker_factory: Callable[[RunConfig], AppWorker] | None = None,
        predictor: Callable[[Callable[[], bool]], BackgroundPredictor] | None = None,
        signals: Signals | None = None,
    ) -> None:
        """`predictor` is told how to ask whether a training is at work; without one nothing is predicted, and no run is kept.

        `signals` has the terminal restored by force if the app is asked to end and does not.
        """
        super().__init__(driver_class=terminal_driver())
        self._first = config
        self._make_worker = worker_factory or (lambda config: Worker(config, self.lease))
        self._signals = signals
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_leave: int | None = None
        self.worker: AppWorker | None = None
        self.predictor = None if predictor is None else predictor(super().training)
        self.keeping: Keeping | None = None
        """Of the run in front, or the last one."""
        self._prediction: Prediction | None = None
        """What was written down before it."""
        self._left: AppWorker | None = None
        self._not_kept = ""
        """Why the last run that was not kept was not, which is said once."""
        self._started_at = -START_SECONDS
        self.anew = False
        """Whether it was left to be started anew."""
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        if self.theme == "textual-dark":
            self.theme = DARK.name
        # What moves while a run is timed takes time from it, and sliding tells nobody anything.
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours for phases, series and health in themes that know nothing of them."""
        return DARK_MEANINGS if self.current_theme.dark else LIGHT_MEANINGS

    def on_load(self) -> None:
        """The terminal has not been touched yet: whoever has asked by now is obeyed without it."""
        self._own_loop = asyncio.get_running_loop()
        if self._asked_to_leave is not None:
            self._leave(self._asked_to_leave)

    def on_mount(self) -> None:
        if self.predictor is not None:
            self.predictor.start()
        self.push_screen(SetupScreen(self._first, predictor=self.predictor))

    def on_unmount(self) -> None:
        if self.predictor is not None:
            self.predictor.stop()

    def on_resize(self, event: events.Resize) -> None:
        if too_small(event.size) and not isinstance(self.screen, SmallScreen):
            self.push_screen(SmallScreen())
        elif not too_small(event.size) and isinstance(self.screen, SmallScreen):
            self.pop_screen()

    # ── Runs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def on_setup_screen_start_requested(self, message: SetupScreen.StartRequested) -> None:
        if screen := self._run_screen(message.config):
            self.push_screen(screen)

    def on_run_screen_restart_requested(self, message: RunScreen.RestartRequested) -> None:
        if screen := self._run_screen(message.config):
            self.switch_screen(screen)

    def on_setup_screen_returned(self) -> None:
        """Say once more why a run failed, where it can be mended."""
        if self.worker is None or self.worker is self._left:
            return
        self._left = self.worker
        self.worker.stop("left for the setup screen")
        if failure := self.worker.failure:
            self.notify(printable(failure.message, 200), title="the run failed", severity="error", timeout=10, markup=False)

    def _run_screen(self, config: RunConfig) -> RunScreen | None:
        """None where a held-down key asks faster than screens are built: whoever then quits would wait for them all."""
        if monotonic() - self._started_at < START_SECONDS:
            return None
        self._started_at = monotonic()
        if self.worker is not None:
            self.worker.stop("another run starts")
        self.worker, self.running = self._make_worker(config), config
        if self.predictor is not None:
            self.predictor.prepare(None)
            self._prediction = self.predictor.state(config).prediction
        return RunScreen(self.worker, config, count(config), self._prediction, lambda: not self._calibrating)

    @property
    def _calibrating(self) -> bool:
        return self.predictor is not None and self.predictor.measuring

    def training(self) -> bool:
        """Whether anything is at work that a measurement would disturb."""
        return super().training() or self._calibrating

    def on_run_screen_begun(self) -> None:
        if self.predictor is not None and self.worker is not None:
            self.keeping = Keeping(self.worker, self._prediction, lambda why: self.post_message(self.NotKept(why)))
            self.keeping.start()

    def on_tuisim_app_not_kept(self, message: NotKept) -> None:
        if message.why == self._not_kept:
            return
        self._not_kept = message.why
        self.notify(message.why, title="this run was not kept", severity="warning", timeout=10, markup=False)

    # ── The way out ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def action_quit(self) -> None:
        self._leave(ExitCode.DONE)

    def action_interrupt(self) -> None:
        self._leave(ExitCode.INTERRUPTED)

    def action_start_anew(self) -> None:
        """Only where a run has lost its GPU to a failure; else it would be a key that ends a run by a slip."""
        if self.worker is not None and self.worker.failure is not None and self.worker.failure.lost:
            self.anew = True
            self._leave(ExitCode.DONE)

    def leave_soon(self, code: int) -> None:
        """End with this exit code; may be called from any thread, before the app runs, while it starts and while it ends."""
        self._asked_to_leave, self.deaf = code, True
        if self._own_loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._own_loop.call_soon_threadsafe(self._leave, code)

    def quit_soon(self) -> None:
        self.leave_soon(ExitCode.DONE)
        if self._signals is not None:
            self._signals.leaving(ExitCode.DONE)

    def _leave(self, code: int) -> None:
        self.deaf = True
        if self._signals is not None:
            self._signals.leaving(int(code))
        if self.worker is not None:
            self.worker.stop("the app was left")
        self.exit(return_code=int(code))

    # ── Help and palette ──────────────────────────────────────────────────────────────────────────────────────────────

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen | SmallScreen):
            self.push_screen(HelpScreen(groups(self.screen, (SetupScreen, RunScreen))))

    def action_command_palette(self) -> None:
        """Textual looks at the screen in front alone; behind a backlog of changes another palette may be on its way."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            super().action_command_palette()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from super().get_system_commands(screen)
        yield from commands(PRESETS, self._choose_preset, partial(setattr, self, "theme"))
        yield from self.page_commands()
        if isinstance(screen, RunScreen):
            yield SystemCommand("Marks", "Draw curves with braille, blocks or ASCII, in turn", screen.action_marker)

    def _choose_preset(self, name: str) -> None:
        """Fill the form from a preset; a page or a run in front is left for it."""
        self.leave_pages()
        if isinstance(self.screen, RunScreen):
            self.screen.dismiss(None)
        for screen in self.screen_stack:
            if isinstance(screen, SetupScreen):
                screen.choose_preset(name)
