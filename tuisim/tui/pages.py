"""The pages about one configuration (proof, answer, conventions, race, crossover), from any screen by the same keys.

It finds the configuration that the screen in front means and puts the page over it; a run beneath goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from tuisim.config import RunConfig
from tuisim.engine import State
from tuisim.tui.failure import FailingQuietly
from tuisim.tui.run_worker import RunWorker
from tuisim.tui.screens.answer import AnswerScreen
from tuisim.tui.screens.crossover import CrossoverScreen
from tuisim.tui.screens.dial import DialScreen
from tuisim.tui.screens.prove import ProveScreen
from tuisim.tui.screens.race import RaceScreen
from tuisim.tui.screens.setup import SetupScreen
from tuisim.tui.screens.small import SmallScreen
from tuisim.tui.widgets.setup_form import SetupForm
from tuisim.tui.widgets.setup_values import read

PAGES = (ProveScreen, AnswerScreen, DialScreen, RaceScreen, CrossoverScreen)
COMMANDS = (
    ("prove", "Proof", "Check the counts, the gradient and the backend of this network"),
    ("answer", "Answer", "The answer's seven claims, counted and measured for this network"),
    ("race", "Race", "This network on every backend here, in turn"),
    ("crossover", "Crossover", "At which width and batch the other of two backends wins"),
    ("dial", "Conventions", "This network as other tools would count it"),
)
PAGE_BINDINGS: tuple[Binding, ...] = (
    Binding("f2", "page('prove')", "proof", id="page.prove", tooltip="Proof: check count, gradient and backend"),
    Binding("f3", "page('answer')", "answer", id="page.answer", tooltip="Answer: the seven claims, for this network"),
    Binding("f4", "page('dial')", "conventions", id="page.dial", tooltip="Conventions: how other tools would count it"),
    Binding("f6", "page('race')", "race", id="page.race", tooltip="Race: this network on every backend here"),
    Binding("f7", "page('crossover')", "crossover", id="page.crossover", tooltip="Crossover: from which size on another wins"),
)
"""The same keys on every screen; a narrow line of keys leaves them to the help."""


class Paged(FailingQuietly):
    """An app whose screens can be covered by a page about their configuration."""

    worker: RunWorker | None = None
    """The run in front, or the last one."""
    running: RunConfig | None = None
    """What that run was asked to do."""

    def action_page(self, name: str) -> None:
        if isinstance(self.screen, SmallScreen):
            return
        config = self._config_in_front()
        if config is None:
            self.notify("mend the fields marked ✗ first", title="nothing to show yet", severity="error")
            return
        page = self._page(name, config)
        if isinstance(self.screen, PAGES):
            self.switch_screen(page)
        else:
            self.push_screen(page)

    def page_commands(self) -> Iterable[SystemCommand]:
        """The same for the palette."""
        for name, title, words in COMMANDS:
            yield SystemCommand(title, words, partial(self.action_page, name))

    def leave_pages(self) -> None:
        """Take the page in front away."""
        if isinstance(self.screen, PAGES):
            self.screen.dismiss(None)

    def training(self) -> bool:
        """Whether a run is at work now."""
        if self.worker is None or not self.worker.alive:
            return False
        snapshot = self.worker.snapshot
        return snapshot is None or not (snapshot.state is State.PAUSED or snapshot.state.ended)

    def pause_training(self) -> None:
        if self.worker is not None:
            self.worker.control.pause("paused to measure: space goes on")

    def _page(self, name: str, config: RunConfig) -> Screen[None]:
        if name == "prove":
            return ProveScreen(config)
        if name == "dial":
            return DialScreen(config)
        if name == "crossover":
            return CrossoverScreen(config, self.training, self.pause_training)
        page = AnswerScreen if name == "answer" else RaceScreen
        return page(config, self.training, self.pause_training)

    def _config_in_front(self) -> RunConfig | None:
        """The form's where it is in front, beneath a page or not; else the run's."""
        beneath: list[Screen[Any]] = [screen for screen in self.screen_stack if not isinstance(screen, PAGES)]
        if isinstance(beneath[-1], SetupScreen):
            return read(beneath[-1].query_one(SetupForm).values).config
        return self.running
