"""The app: runs, pages, help, themes, and an end that always restores the terminal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, ClassVar

from textual import events
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.filter import LineFilter
from textual.screen import Screen

from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.engine import Worker
from tuisim.engine.job import Job
from tuisim.engine.lease import MachineLease
from tuisim.errors import ExitCode, printable
from tuisim.features import MANUAL_SCREEN, PAGES
from tuisim.predict.background import BackgroundPredictor
from tuisim.predict.prediction import Prediction
from tuisim.predict.record import keep
from tuisim.store.document import Unwritable
from tuisim.terminal.lines import ChartStyle
from tuisim.tui.ascii_filter import ASCII_FILTER
from tuisim.tui.driver import terminal_driver
from tuisim.tui.help import HelpScreen, groups
from tuisim.tui.long_run import ASK_SECONDS, is_long
from tuisim.tui.messages import ChartStyleChosen, EditRequested, Reopened, RunLeft, StartRequested, Uncovered
from tuisim.tui.navigation import PAGE_BINDINGS, Navigation, load, screen_class
from tuisim.tui.panel import Panel
from tuisim.tui.panels import PanelScreen
from tuisim.tui.session import Session
from tuisim.tui.signals import Signals
from tuisim.tui.themes import DARK, DARK_COLOURS, LIGHT, LIGHT_COLOURS, readable_variables
from tuisim.tui.too_small import SmallScreen, too_small

log = logging.getLogger(__name__)

CHART_STYLES = {
    ChartStyle.BRAILLE: "Charts of braille dots",
    ChartStyle.BLOCK: "Charts of blocks, for fonts without braille",
    ChartStyle.ASCII: "Nothing but ASCII, for terminals that have nothing else",
}
START_SECONDS = 0.7
"""Runs are not started more often than this: a key that is held down would build screens faster than they can be left."""


class TuisimApp(Navigation):
    """The terminal app."""

    TITLE = "tuisim"
    CSS_PATH = "tuisim.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "help", "help"),
        *PAGE_BINDINGS,
        Binding("y", "copy_command", "copy as command", show=False, tooltip="Copy the page as a command line to the clipboard"),
        Binding("ctrl+p", "command_palette", "palette", key_display="^p", priority=True),
        Binding("ctrl+q", "quit", "quit", key_display="^q", tooltip="Quit, also while typing", priority=True),
        Binding("ctrl+c", "interrupt", "Quit with exit code 130, or copy the selected text", show=False),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True),
        Binding("ctrl+n", "restart_app", "Restart tuisim, which brings back a GPU that was lost", show=False),
    ]

    def __init__(
        self,
        config: RunConfig | None = None,
        worker_factory: Callable[[RunConfig], Worker] | None = None,
        predictor: Callable[[MachineLease], BackgroundPredictor] | None = None,
        signals: Signals | None = None,
        session: Session | None = None,
    ) -> None:
        """Without `predictor` nothing is predicted, and no run is kept.

        `signals` restores the terminal by force if the app is asked to end and does not. `session` has the theme of the last
        start, and says whether this one is the first.
        """
        super().__init__(driver_class=terminal_driver())
        self._first = config
        self._make_worker = worker_factory or (lambda config: Worker(config, self.lease))
        self._signals = signals
        self.session = session
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_leave: int | None = None
        self.worker: Worker | None = None
        self.predictor = None if predictor is None else predictor(self.lease)
        self.keeping: Job[None, None] | None = None
        """Keeps the run in progress, or the last one, once it has ended."""
        self._failure_shown: Worker | None = None
        self._not_kept = ""
        self._started_at = -START_SECONDS
        # When quitting was asked about, and when the key was read; the second press need not wait for the first to be handled.
        self._asked_at = self._pressed_at = -ASK_SECONDS
        self.restart_asked = False
        """True if the app was left to be restarted."""
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        if self.theme == "textual-dark":
            kept = session.theme if session is not None else ""
            self.theme = kept if kept in self.available_themes else DARK.name
        self.chart_style = ChartStyle.BRAILLE if session is None else session.chart_style
        # Animations would take time from the run that is being timed.
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the colours of phases, series and health for themes that do not define them."""
        return DARK_COLOURS if self.current_theme.dark else LIGHT_COLOURS

    def get_line_filters(self) -> list[LineFilter]:
        """Return Textual's filters, and the one of the ASCII style last: it changes no colours."""
        return [*super().get_line_filters(), *([ASCII_FILTER] if self.chart_style is ChartStyle.ASCII else [])]

    def use_chart_style(self, style: ChartStyle) -> None:
        """Draw every page in a style."""
        was_ascii, self.chart_style = self.chart_style is ChartStyle.ASCII, style
        if was_ascii != (style is ChartStyle.ASCII):
            for screen in self.screen_stack:  # what was drawn before is kept, in the other characters
                for widget in screen.walk_children(with_self=True):
                    widget.notify_style_update()
                    widget.refresh()

    def on_chart_style_chosen(self, message: ChartStyleChosen) -> None:
        """Draw every page in the style that was chosen on one."""
        self.use_chart_style(message.chart_style)

    def get_css_variables(self) -> dict[str, str]:
        """Return the variables of the theme, with colours of text that can be read on its backgrounds."""
        self.theme_variables = readable_variables(super().get_css_variables())
        return self.theme_variables

    def on_load(self) -> None:
        """Obey a signal that came before the terminal was touched."""
        self._own_loop = asyncio.get_running_loop()
        if self._asked_to_leave is not None:
            self._leave(self._asked_to_leave)

    def on_mount(self) -> None:
        """Start the predictor and show the setup screen."""
        if self.predictor is not None:
            self.predictor.start()
        is_first = self.session is not None and self.session.is_first
        self.setup = screen_class("setup")(self._first, predictor=self.predictor, is_first=is_first)
        self.install_screen(self.setup, "setup")
        self.push_screen(self.setup)
        if self.session is not None and self.session.problem:
            self.notify(self.session.problem, title="the last configuration was not restored", severity="warning", timeout=10)

    def save_session(self) -> None:
        """Keep the configuration in the form and the theme for the next start, as far as they can be written."""
        if self.session is not None and hasattr(self, "setup"):
            try:
                self.session.save(self.setup.described, self.theme, self.chart_style)
            except Unwritable as error:
                log.warning("the configuration was not kept: %s", error)

    def on_unmount(self) -> None:
        """Stop the predictor."""
        if self.predictor is not None:
            self.predictor.cancel()

    def on_resize(self, event: events.Resize) -> None:
        """Cover the app while the terminal is too small."""
        if too_small(event.size) and not isinstance(self.screen, SmallScreen):
            self.push_screen(SmallScreen())
        elif not too_small(event.size) and isinstance(self.screen, SmallScreen):
            self.pop_screen()

    # ── runs ──

    def on_start_requested(self, message: StartRequested) -> None:
        """Start a run and show it; the run before it is stopped."""
        if monotonic() - self._started_at < START_SECONDS:
            return
        self._started_at = monotonic()
        self.clear_notifications()  # those of the run before
        if self.worker is not None:
            self.worker.stop("another run was started")
        config = message.config
        prediction = None if self.predictor is None else self.predictor.state(config).prediction
        self.described = message.described or (self.described if config == self.running else config)
        self.worker, self.running = self._make_worker(config), config
        self.worker.start()
        if self.predictor is not None:
            self.keeping = Job("keep run", partial(self._keep, self.worker, prediction))
            self.keeping.start()
        if self.session is not None:
            Job("save session", lambda _: self.save_session()).start()
        self.leave_page()
        before = self.run_screen
        screen = self.run_screen = screen_class("run")(self.worker, config, count(config), prediction, self.lease)
        self.install_screen(screen, f"run {id(screen)}")
        self.switch_screen(screen)
        if before is not None:
            self.uninstall_screen(before)
            before.remove()

    def on_reopened(self, message: Reopened) -> None:
        """Follow a run that goes on after its end."""
        self.worker = message.worker
        if self.run_screen is not None:
            self.run_screen.follow(message.worker)
        if self.predictor is not None:
            self.keeping = Job("keep run", partial(self._keep, message.worker, None))
            self.keeping.start()

    def _keep(self, worker: Worker, prediction: Prediction | None, _: Job[None, None]) -> None:
        """Keep a run once it has ended; a job does it, so that no screen waits for a disk."""
        worker.join()
        if why := keep(worker.result, prediction):
            self.call_later(self._say_not_kept, why)

    def on_edit_requested(self, message: EditRequested) -> None:
        """Set a field of the form, which stays where it is."""
        self.setup.edit(message.field, message.text)

    def on_run_left(self, _: RunLeft) -> None:
        """Show the setup screen."""
        self.show_base("setup")

    def on_uncovered(self, _: Uncovered) -> None:
        """Resume a run that a page has paused, and report a failure that nobody has seen."""
        self.resume_run()
        failure = self.worker.run_failed if self.worker is not None else None
        if failure is not None and self.base is self.setup and self.worker is not self._failure_shown:
            self._failure_shown = self.worker
            self.notify(printable(failure.words, 500), title="the run failed", severity="error", timeout=10)

    def _say_not_kept(self, why: str) -> None:
        """Say why a run could not be kept, once for each reason."""
        if why != self._not_kept:
            self._not_kept = why
            self.notify(why, title="this run was not kept", severity="warning", timeout=10)

    # ── leaving ──

    async def action_quit(self) -> None:
        """Quit; a long run is asked about first."""
        if is_long(self.worker) and monotonic() - self._asked_at > ASK_SECONDS:
            self._asked_at = monotonic()
            self.notify("press ctrl+q again to stop training and quit", title="a run is in progress", timeout=ASK_SECONDS)
            return
        self._leave(ExitCode.DONE)

    def action_interrupt(self) -> None:
        """Quit with exit code 130."""
        self._leave(ExitCode.INTERRUPTED)

    def action_restart_app(self) -> None:
        """Restart the process, but only if a run has lost its GPU: a slip of the finger must not end a run."""
        if self.worker is not None and self.worker.run_failed is not None and self.worker.run_failed.device_lost:
            self.restart_asked = True
            self._leave(ExitCode.DONE)

    def leave_soon(self, code: int) -> None:
        """End with this exit code; may be called from any thread, before the app runs, while it starts and while it ends."""
        self._asked_to_leave, self.deaf = code, True
        if self._own_loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._own_loop.call_soon_threadsafe(self._leave, code)

    def quit_soon(self) -> None:
        """Quit as soon as the event loop can, unless `action_quit` has to ask first; may be called from any thread."""
        if is_long(self.worker) and monotonic() - self._pressed_at > ASK_SECONDS:
            self._pressed_at = monotonic()
            return
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

    # ── help and palette ──

    def action_help(self) -> None:
        """Show the help of the screen in front."""
        if not isinstance(self.screen, HelpScreen | SmallScreen):
            panel = self.screen.focused
            term = panel.title if isinstance(panel, Panel) else ""
            self.push_screen(HelpScreen(groups(self.screen, (screen_class("setup"), screen_class("run"))), term))

    def action_manual(self, term: str = "") -> None:
        """Open the manual, at the glossary's entry of a term if it has one."""
        self.push_screen(load(MANUAL_SCREEN).about(term))

    def action_command_palette(self) -> None:
        """Open the palette unless one is open: Textual looks at the screen in front alone."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            super().action_command_palette()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the commands of the palette."""
        yield from super().get_system_commands(screen)
        setup, presets = self.setup, self.setup.presets
        for preset in presets.entries:
            yield SystemCommand(f"Preset: {preset.name}", preset.words, partial(self._in_setup, setup.choose_preset, preset.name))
        yield SystemCommand("Save as preset…", "Save the form under a name", partial(self._in_setup, setup.save_preset))
        for name in presets.own_names:
            words = "Delete a preset of your own; it can be restored"
            yield SystemCommand(f"Delete preset {name}", words, partial(self._in_setup, setup.delete_preset, name))
        for name in presets.restorable:
            words = "Bring back the preset that was deleted or replaced"
            yield SystemCommand(f"Restore preset {name}", words, partial(self._in_setup, setup.restore_preset, name))
        yield SystemCommand("Theme: dark", "Light on dark", partial(setattr, self, "theme", DARK.name))
        yield SystemCommand("Theme: light", "Dark on light", partial(setattr, self, "theme", LIGHT.name))
        for style, words in CHART_STYLES.items():
            yield SystemCommand(f"Characters: {style}", words, partial(self._choose_chart_style, style))
        for page in PAGES:
            if page.screen:
                yield SystemCommand(page.title, page.help, partial(self.action_open, page.name))
        yield SystemCommand("Manual", "Read the manual", self.action_manual)
        yield SystemCommand("Copy as command", "Copy the page as a command line to the clipboard", self.action_copy_command)
        yield SystemCommand("Copy as TOML", "Copy the configuration as a file for --config", self.action_copy_toml)

    def _choose_chart_style(self, style: ChartStyle) -> None:
        self.use_chart_style(style)
        if isinstance(self.screen, PanelScreen):
            self.screen.follow_chart_style()

    def _in_setup(self, method: Callable[..., None], *arguments: str) -> None:
        """Show the setup screen and call one of its methods."""
        self.show_base("setup")
        method(*arguments)
