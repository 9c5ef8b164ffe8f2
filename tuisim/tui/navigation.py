"""The pages about one configuration, from any screen by the same keys.

It finds the configuration that the screen in front means and puts the page over it; a run beneath goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from tuisim.config import RunConfig
from tuisim.config.values import from_texts
from tuisim.engine import State
from tuisim.engine.lease import MachineLease
from tuisim.errors import DataError
from tuisim.features.compare.crossover.screen import CrossoverScreen
from tuisim.features.compare.race.screen import RaceScreen
from tuisim.features.estimate.budget.screen import BudgetScreen
from tuisim.features.estimate.volume.screen import ProjectScreen
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.features.explain.conventions.screen import DialScreen
from tuisim.features.explain.proof.screen import ProveScreen
from tuisim.features.profile.screen import ProfileScreen
from tuisim.features.profile.time_breakdown import Spent
from tuisim.features.run.screen import RunScreen
from tuisim.features.runs.screen import RunsScreen
from tuisim.features.setup.screen import SetupScreen
from tuisim.predict.background import BackgroundPredictor
from tuisim.predict.predictor import Predictor, best_rate, here, missing, priced
from tuisim.tui.context import PageContext
from tuisim.tui.failure import FailingQuietly
from tuisim.tui.form.form import SetupForm
from tuisim.tui.panels import reckons
from tuisim.tui.plain_text import PlainText
from tuisim.tui.run_worker import RunWorker
from tuisim.tui.too_small import SmallScreen

PAGES = (
    ProveScreen, AnswerScreen, DialScreen, RaceScreen, CrossoverScreen, ProfileScreen, ProjectScreen, BudgetScreen,
    RunsScreen,
)  # fmt: skip
COMMANDS = (
    ("prove", "Proof", "Check the counts, the gradient and the backend of this network"),
    ("answer", "Answer", "The answer's seven claims, counted and measured for this network"),
    ("race", "Race", "This network on every backend here, in turn"),
    ("crossover", "Crossover", "At which width and batch the other of two backends wins"),
    ("dial", "Conventions", "This network as other tools would count it"),
    ("profile", "Where the time goes", "This network's step against this machine's measured roofs"),
    ("project", "Hours or days", "How long this network would train at any volume, and a ladder of known ones"),
    ("budget", "Budget", "The widest, the deepest, the most epochs or examples that fit a time or a memory"),
    ("runs", "Runs", "Past runs and the cost fit over them"),
)
PAGE_BINDINGS: tuple[Binding, ...] = (
    Binding("f2", "page('prove')", "proof", id="page.prove", tooltip="Proof: check count, gradient and backend"),
    Binding("f3", "page('answer')", "answer", id="page.answer", tooltip="Answer: the seven claims, for this network"),
    Binding("f4", "page('dial')", "tools", id="page.dial", tooltip="Conventions: how other tools would count it"),
    Binding("f6", "page('race')", "race", id="page.race", tooltip="Race: this network on every backend here"),
    Binding("f7", "page('crossover')", "crossover", id="page.crossover", tooltip="Crossover: from which size on another wins"),
    Binding("f8", "page('profile')", "where", id="page.profile", tooltip="Where the time goes: roofline and waterfall"),
    Binding("f9", "page('project')", "hours", id="page.project", tooltip="Hours or days: any volume, and known networks"),
    Binding("f10", "page('budget')", "budget", id="page.budget", tooltip="Budget: the largest of this shape that fits a time"),
    Binding("f12", "page('runs')", "runs", id="page.runs", tooltip="Runs: past runs and the cost fit over them"),
)
"""The same keys on every screen; a narrow line of keys leaves them to the help."""


class Paged(PlainText, FailingQuietly):
    """An app whose screens can be covered by a page about their configuration."""

    worker: RunWorker | None = None
    """The run in front, or the last one."""
    running: RunConfig | None = None
    """What that run was asked to do."""
    _held: RunWorker | None = None
    """The run that a page has paused."""
    predictor: BackgroundPredictor | None = None
    """Who knows how long a run would take."""

    @cached_property
    def lease(self) -> MachineLease:
        """The lease that every run, measurement and calibration of this app takes."""
        return MachineLease()

    def page_context(self, config: RunConfig) -> PageContext:
        """Return what a page about `config` is given."""
        return PageContext(
            config=config, lease=self.lease, predictor=self.predictor, run=self.worker, run_config=self.running,
            pause_run=self.pause_training, use=self.use,
        )  # fmt: skip

    def action_page(self, name: str) -> None:
        if isinstance(self.screen, SmallScreen):
            return
        config = self._config_in_front()
        if config is None:
            self.notify("mend the fields marked ✗ first", title="nothing to show yet", severity="error")
            return
        page = self._page(name, config)
        if self.predictor is not None:
            # What it reckons with is measured beneath it, unless a run is there.
            waits = reckons(page) and isinstance(self._beneath, SetupScreen) and self.predictor.state(config).prediction is None
            self.predictor.prepare(config if waits else None)
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

    def use(self, config: RunConfig) -> None:
        """Put a configuration into the form; a page or a run in front is left for it."""
        self.leave_pages()
        if isinstance(self.screen, RunScreen):
            self.screen.dismiss(None)
        for screen in self.screen_stack:
            if isinstance(screen, SetupScreen):
                screen.fill(config)

    def training(self) -> bool:
        """Whether a run is at work now."""
        if self.worker is None or not self.worker.alive:
            return False
        snapshot = self.worker.snapshot
        return snapshot is None or not (snapshot.state is State.PAUSED or snapshot.state.ended)

    def pause_training(self) -> None:
        """For a page that measures, until it is left."""
        if self.worker is not None:
            self.worker.control.pause("paused to measure")
            self._held = self.worker

    def on_run_screen_uncovered(self) -> None:
        """What a page has paused goes on."""
        held, self._held = self._held, None
        if held is not None and held is self.worker:
            held.control.resume()

    def _page(self, name: str, config: RunConfig) -> Screen[None]:
        why = partial(self._missing, config)
        makers: dict[str, Callable[[], Screen[None]]] = {
            "prove": lambda: ProveScreen(config),
            "answer": lambda: AnswerScreen(config, self.training, self.pause_training),
            "race": lambda: RaceScreen(self.page_context(config)),
            "crossover": lambda: CrossoverScreen(self.page_context(config)),
            "dial": lambda: DialScreen(config),
            "profile": lambda: ProfileScreen(config, self.training, self.pause_training, spent=self._spent(config)),
            "project": lambda: ProjectScreen(
                config, lambda asked: priced(asked, self._outlook), best_rate, why, self._forecast_stamp
            ),
            "budget": lambda: BudgetScreen(
                config,
                self.use,
                partial(self._outlook_for, config, why),
                self._busy_words,
                self._leave_alone,
                news=self._forecast_stamp,
            ),
            "runs": lambda: RunsScreen(self.page_context(config)),
        }
        return makers[name]()

    @property
    def _outlook(self) -> Predictor | None:
        """By this machine's card as it is kept ready: no page measures the machine while it is drawn, or a run is at work."""
        return None if self.predictor is None else self.predictor.current

    def _outlook_for(self, config: RunConfig, why: Callable[[], str]) -> Predictor:
        """One that has a price for `config`. Raises DataError with why there is none."""
        if self.predictor is None:
            return here()
        if self._outlook is None or self.predictor.state(config).prediction is None:
            raise DataError(why())
        return self._outlook

    def _leave_alone(self) -> None:
        """Nothing is to be measured beneath what runs now."""
        if self.predictor is not None:
            self.predictor.prepare(None)

    def _missing(self, config: RunConfig) -> str:
        """Why nothing is known of this machine yet."""
        return (self.predictor.state(config).why_not if self.predictor is not None else "") or missing()

    def _forecast_stamp(self) -> object:
        return None if self.predictor is None else self.predictor.stamp

    def _busy_words(self) -> str:
        """What a short real run would disturb and be disturbed by; empty where there is nothing."""
        if self.training():
            return "a training is at work, and each would disturb the other: pause it first"
        return "this machine is being measured" if self.predictor is not None and self.predictor.measuring else ""

    def _spent(self, config: RunConfig) -> Callable[[], Spent | None]:
        """What the run of this very configuration has spent so far; nothing where it is another's."""
        worker = self.worker
        if worker is None or config is not self.running:
            return lambda: None
        return lambda: None if (snapshot := worker.snapshot) is None else Spent.of_snapshot(snapshot)

    def _config_in_front(self) -> RunConfig | None:
        """The form's where it is in front, beneath a page or not; else the run's."""
        beneath = self._beneath
        return from_texts(beneath.query_one(SetupForm).values).config if isinstance(beneath, SetupScreen) else self.running

    @property
    def _beneath(self) -> Screen[Any]:
        """The screen in front, or beneath the page in front."""
        return [screen for screen in self.screen_stack if not isinstance(screen, PAGES)][-1]
