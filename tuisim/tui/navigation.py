"""Navigation: the pages of the registry, opened by the same keys from everywhere.

The setup or the run screen is the base, and at most one page is open on top of it. A page shows the configuration of its base.
"""

from __future__ import annotations

import re
import shlex
from functools import cached_property
from importlib import import_module
from typing import Any

from textual.binding import Binding

from tuisim.config import RunConfig
from tuisim.config.toml import to_toml
from tuisim.config.values import to_words
from tuisim.engine import Worker
from tuisim.engine.lease import MachineLease
from tuisim.features import PAGES, Page, siblings, sub_pages
from tuisim.predict.background import BackgroundPredictor
from tuisim.tui.context import PageContext
from tuisim.tui.failure import FailingQuietly
from tuisim.tui.page import PageScreen
from tuisim.tui.plain_text import PlainText
from tuisim.tui.too_small import SmallScreen

PAGE = {page.name: page for page in PAGES}
PAGE_BINDINGS = tuple(
    Binding(page.key, f"page('{page.name}')", page.title.lower(), id=f"page.{page.name}", show=False, tooltip=page.help)
    for page in PAGES
    if page.key
)
_BASES = ("setup", "run")
_FUNCTION_KEY = re.compile(r"f\d+")


def load(name: str) -> Any:
    """Import and return `module:class`."""
    module, _, name = name.partition(":")
    return getattr(import_module(module), name)


def screen_class(name: str) -> Any:
    """Import and return the class of a page's screen."""
    return load(PAGE[name].screen)


class Navigation(PlainText, FailingQuietly):
    """An app that shows a base screen and at most one page on top of it."""

    setup: Any
    """The setup screen, which is always there."""
    run_screen: Any = None
    """The screen of `worker`; None before the first run."""
    worker: Worker | None = None
    """The run in progress, or the last one."""
    running: RunConfig | None = None
    """The configuration of `worker`, as the data decide it."""
    described: RunConfig | None = None
    """The configuration of `worker` before the data decided anything of it."""
    predictor: BackgroundPredictor | None = None
    _paused_for_page: Worker | None = None

    @cached_property
    def lease(self) -> MachineLease:
        """The lease that every run, measurement and calibration of this app takes."""
        return MachineLease()

    @cached_property
    def _last_sub_page(self) -> dict[str, Page]:
        """The sub-page that was open last, by the name of its parent."""
        return {}

    @property
    def page(self) -> Page | None:
        """The page in front; None if the base is."""
        return self.screen.entry if isinstance(self.screen, PageScreen) else None

    @property
    def base(self) -> Any:
        """The setup or the run screen, in front or beneath a page."""
        return next(screen for screen in self.screen_stack if screen is self.setup or screen is self.run_screen)

    def get_key_display(self, binding: Binding) -> str:
        """Return the key as it is written on every page."""
        shown = super().get_key_display(binding)
        return shown.upper() if _FUNCTION_KEY.fullmatch(shown) else shown

    # ── opening and leaving ──

    def action_page(self, name: str) -> None:
        """Open a page, or the sub-page of it that was open last."""
        if isinstance(self.screen, SmallScreen):
            return
        if name in _BASES:
            self.show_base(name)
            return
        page = self._last_sub_page.get(name, next(iter(sub_pages(name)), PAGE[name]))
        if page is not self.page:
            self._open(page)

    def action_sub_page(self, direction: int) -> None:
        """Open the next or the previous sub-page of the page in front."""
        if self.page is not None and self.page.parent:
            pages = siblings(self.page.parent)
            self.action_open(pages[(pages.index(self.page) + direction) % len(pages)].name)

    def _open(self, page: Page) -> None:
        config = self.config_in_front
        if config is None and not page.needs_config:
            config = self.setup.countable or RunConfig()
        if config is None:
            self.notify("Fix the fields marked ✗ first", title=page.title, severity="error")
            return
        if page.parent:
            self._last_sub_page[page.parent] = page
        screen = load(page.screen)(
            PageContext(
                config=config,
                described=self.setup.described if self.base is self.setup else self.described,
                lease=self.lease,
                predictor=self.predictor,
                run=self.worker,
                run_config=self.running,
                pause_run=self.pause_run,
                use=self.use,
            )
        )
        screen.entry = page
        if self.predictor is not None:
            self.predictor.prepare(config)
        if self.screen is self.base:
            self.push_screen(screen)
        else:
            self.switch_screen(screen)

    def leave_page(self) -> None:
        """Close the page, or the manual, in front of the base."""
        if self.screen is not self.base:
            self.pop_screen()

    def show_base(self, name: str) -> None:
        """Close the page in front, and show the setup or the run screen."""
        screen = self.setup if name == "setup" else self.run_screen
        if screen is None:
            self.notify("F5 starts the run in the form", title="no run yet")
            return
        self.leave_page()
        if self.screen is not screen:
            self.switch_screen(screen)

    def use(self, config: RunConfig) -> None:
        """Fill the form with a configuration and show it."""
        self.show_base("setup")
        self.setup.fill(config)

    def action_open(self, name: str) -> None:
        """Open a page or exactly this sub-page."""
        if PAGE[name].parent:
            self._open(PAGE[name])
        else:
            self.action_page(name)

    def action_copy_command(self) -> None:
        """Copy the command line of the page in front to the clipboard."""
        config = self._copied_config()
        if config is not None:
            page = self.page or PAGE["setup" if self.base is self.setup else "run"]
            options = self.screen.copied_options if isinstance(self.screen, PageScreen) else ()
            words = [*page.command.split(), *(() if page.name == "runs" else to_words(config)), *options]
            self._copy(shlex.join(["tuisim", *words]))

    def action_copy_toml(self) -> None:
        """Copy the configuration of the page in front to the clipboard, as the text of a TOML file."""
        config = self._copied_config()
        if config is not None:
            self._copy(to_toml(config))

    def _copied_config(self) -> RunConfig | None:
        """Return the configuration in front, with what the data decide left to them; None, with a notice, if it has mistakes."""
        config = self.screen.copied_config if isinstance(self.screen, PageScreen) else None
        if config is None:
            config = self.setup.described if self.base is self.setup else self.described
        if config is None:
            self.notify("Fix the fields marked ✗ first", title="nothing to copy", severity="error")
        return config

    def _copy(self, text: str) -> None:
        self.copy_to_clipboard(text)
        self.notify(text, title="copied to the clipboard", timeout=10)

    @property
    def config_in_front(self) -> RunConfig | None:
        """The configuration of the base; None while the form has mistakes."""
        config: RunConfig | None = self.setup.config if self.base is self.setup else self.running
        return config

    def pause_run(self) -> None:
        """Pause the run in progress until the page is left."""
        if self.worker is not None:
            self.worker.control.pause("paused to measure")
            self._paused_for_page = self.worker

    def resume_run(self) -> None:
        """Resume the run if a page has paused it."""
        paused, self._paused_for_page = self._paused_for_page, None
        if paused is not None and paused is self.worker:
            paused.control.resume()
