"""Every screen of the app in a scripted state: nothing is measured, and nothing of this machine is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from tests.support import made_crossover, made_race
from tests.support.job import ScriptedJob
from tests.support.made_machine_profile import ELSEWHERE, entry, machine_profile
from tests.support.made_prices import MadePrices
from tests.support.made_profile import ROOFS, made_profile
from tests.support.made_proof import CONFIG as PROVED
from tests.support.made_proof import made_proof
from tests.support.made_times import BEST, price
from tests.support.past_runs import noisy, several
from tests.support.scripted import ScriptedWorker, snapshot
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS
from tuisim.config.presets import PRESETS
from tuisim.engine.events import RunFailed, Snapshot, State
from tuisim.engine.health.hint import Hint
from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.engine.step_time import StepTime
from tuisim.features.compare.crossover.screen import CrossoverScreen
from tuisim.features.compare.race.screen import RaceScreen
from tuisim.features.estimate.budget.budget import budget
from tuisim.features.estimate.budget.screen import FIRST, BudgetScreen
from tuisim.features.explain.answer.claims import Measured
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, ElementTime
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.features.explain.proof.screen import ProofScreen
from tuisim.features.profile.screen import ProfileScreen
from tuisim.features.runs.screen import RunsScreen
from tuisim.features.setup.import_file.screen import ImportScreen
from tuisim.predict import predictor as prices
from tuisim.predict.background import PredictionState
from tuisim.predict.cost_model import predict
from tuisim.program import Kind
from tuisim.store.runs import StoredRuns
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.file_picker import FileTree
from tuisim.tui.form.form import SetupForm

NET = RunConfig(layers=(64, 32, 10), dataset="digits", validation=0.2, epochs=20, threads=1)
HINTS = (
    Hint("rate_too_high", "learning rate too high", "the loss rose from 0.31 to 2.4", "learning_rate", 0.01),
    Hint("dead_units", "dead units", "53 % of layer 1's 32 units are 0 for every example", "hidden_activation", "leaky_relu"),
    Hint("class_imbalance", "class imbalance", "class 0 alone is 90 % of the rows, the accuracy is 90 %"),
)
QUESTION = replace(PRESETS[0].config, threads=1)
MAX_PAUSES = 200
"""Pauses until a screen that does not come to rest is given up."""


class ScriptedPredictor:
    """Predicts at once, by a machine profile made by hand."""

    stamp = 0
    current = None

    def __init__(self, lease: object = None) -> None:
        self._profile = machine_profile(entry(), entry("numba"), machine=ELSEWHERE)

    def start(self) -> None:
        """Do nothing: there is no thread."""

    def cancel(self) -> None:
        """Do nothing: there is no thread."""

    def prepare(self, config: RunConfig | None) -> None:
        """Do nothing: every configuration is ready."""

    def pilot(self, config: RunConfig) -> None:
        """Return None: nothing is timed."""

    def state(self, config: RunConfig) -> PredictionState:
        """Return the prediction of `config`."""
        return PredictionState(predict(config, self._profile))


class AppRun(ScriptedWorker):
    """A run as the app needs it. Looks are taken at once, at `inspected`, a run on the scalar backend."""

    run_failed: RunFailed | None = None
    inspected: Session | None = None
    can_look = True

    def look(self, look: Look | None) -> None:
        """Take a look at the run of the snapshot's configuration after a few steps."""
        if look is None or look.seen is not None:
            return
        assert self.snapshot is not None
        session = self.inspected = Session(replace(self.snapshot.config, backend="scalar"))
        session.advance(40)
        if look.needs_step:
            look.prepare(session)
            session.advance(1)
        look.take(session)

    def join(self, timeout: float | None = None) -> bool:
        """Return True: there is no thread."""
        return True


Opened = Callable[[Pilot[Any]], Awaitable[None]]


@dataclass(frozen=True)
class ScriptedScreen:
    """A screen, and how it is opened in the app."""

    name: str
    open: Opened
    config: RunConfig = NET
    run: Snapshot | None = None
    """The snapshot that a run shows if one is started."""
    failure: RunFailed | None = None

    def app(self) -> TuisimApp:
        """Return an app that shows the setup page; everything in it that measures is scripted."""

        def start(config: RunConfig) -> AppRun:
            run = AppRun([self.run], [self.failure] if self.failure else [])
            run.run_failed = self.failure
            return run

        return TuisimApp(self.config, worker_factory=start, predictor=ScriptedPredictor)


async def settle(pilot: Pilot[Any]) -> list[Strip]:
    """Wait until the screen in front no longer changes (jobs are read, the layout is done, nothing is loading); return it."""
    shown: list[Strip] = []
    for _ in range(MAX_PAUSES):
        await pilot.pause()
        screen = pilot.app.screen
        for one in screen.query(Input):
            one.cursor_blink = False
        if hasattr(screen, "tick"):
            screen.tick()
            await pilot.pause()
        before, shown = shown, screen._compositor.render_strips()
        searches = isinstance(screen, CommandPalette) and any(worker.is_running for worker in pilot.app.workers)
        if before == shown and not searches:
            return shown
    raise AssertionError(f"{pilot.app.screen} does not come to rest")


def press(*keys: str) -> Opened:
    """Return what presses these keys, one after the other."""

    async def open_by(pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)

    return open_by


def page(name: str) -> Opened:
    """Return what opens a page."""

    async def open_page(pilot: Pilot[Any]) -> None:
        pilot.app.action_open(name)

    return open_page


async def _palette(pilot: Pilot[Any]) -> None:
    await pilot.press("ctrl+p")
    await settle(pilot)
    assert pilot.app.screen.query_one(CommandList).option_count > 10


async def _nothing(pilot: Pilot[Any]) -> None:
    """Leave the setup page in front."""


async def _mistakes(pilot: Pilot[Any]) -> None:
    form = pilot.app.screen.query_one(SetupForm)
    for field, typed in {"layers": "64-0-10", "batch_size": "many", "learning_rate": "-1"}.items():
        form.field(field).control.value = typed
    await settle(pilot)
    form.scroll_home(animate=False)


def inspect(name: str, *keys: str) -> Opened:
    """Return what starts a run and opens a page of Inspect."""

    async def open_page(pilot: Pilot[Any]) -> None:
        await pilot.press("ctrl+r")
        await settle(pilot)
        pilot.app.action_open(name)
        await settle(pilot)
        await pilot.press(*keys)

    return open_page


async def _import(pilot: Pilot[Any]) -> None:
    pilot.app.action_open("import")
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, ImportScreen)
    await pilot.press(*"deccomma.csv", "enter")
    while not screen.state.is_usable or not screen.query_one(FileTree).root.children:
        await pilot.pause(0.01)
    screen.query_one(FileTree).cursor_line = 0


MOONS = RunConfig(
    layers=(2, 6, 2), dataset="moons", loss="mse", output_activation="identity", examples=60, batch_size=6, threads=1
)
DIGITS = RunConfig(layers=(64, 5, 10), dataset="digits", examples=40, batch_size=8, threads=1)


def paused_at(config: RunConfig, step: int = 41) -> Snapshot:
    """Return the snapshot of a run that is paused at a step."""
    return snapshot(config.resolved(), state=State.PAUSED, total_steps=900, step=step, epoch=4, throughput=None)


SCREENS = (
    ScriptedScreen("import", _import),
    ScriptedScreen("setup", _nothing),
    ScriptedScreen("setup-mistakes", _mistakes),
    ScriptedScreen("run", press("ctrl+r"), run=snapshot(NET, total_steps=900, step=431, epoch=9, seconds_left=0.011)),
    ScriptedScreen("run-hints", press("ctrl+r"), run=snapshot(NET, hints=HINTS, total_steps=900, step=431, epoch=9)),
    ScriptedScreen(
        "run-paused",
        press("ctrl+r"),
        replace(NET, epochs=None),
        snapshot(
            replace(NET, epochs=None), state=State.PAUSED, message="paused: space resumes, . trains one step", throughput=None
        ),
    ),
    ScriptedScreen(
        "run-failed",
        press("ctrl+r"),
        run=snapshot(NET, state=State.FAILED, message="out of memory", throughput=None, total_steps=900, step=431, epoch=9),
        failure=RunFailed(431, "out of memory: 2.00 GiB are needed, 1.50 GiB are free", log="/home/ada/tuisim.log"),
    ),
    ScriptedScreen("diagram", inspect("diagram"), MOONS, paused_at(MOONS)),
    ScriptedScreen("map", inspect("map"), MOONS, paused_at(MOONS)),
    ScriptedScreen("weights", inspect("weights"), DIGITS, paused_at(DIGITS)),
    ScriptedScreen("examples", inspect("examples"), DIGITS, paused_at(DIGITS)),
    ScriptedScreen("microscope", inspect("microscope"), MOONS, paused_at(MOONS)),
    ScriptedScreen("waste", inspect("waste"), MOONS, paused_at(MOONS)),
    ScriptedScreen("race", page("race")),
    ScriptedScreen("crossover", page("crossover")),
    ScriptedScreen("profile", page("profile")),
    ScriptedScreen("volume", page("volume")),
    ScriptedScreen("known", page("known")),
    ScriptedScreen("budget", page("budget")),
    ScriptedScreen("answer", page("answer"), QUESTION),
    ScriptedScreen("proof", page("proof"), PROVED),
    ScriptedScreen("conventions", page("conventions")),
    ScriptedScreen("runs", page("runs")),
    ScriptedScreen("help", press("f1")),
    ScriptedScreen("manual", press("f1", "m")),
    ScriptedScreen("palette", _palette),
)
SMALL = ScriptedScreen("small", _nothing)


def script_pages(patch: pytest.MonkeyPatch) -> None:
    """Replace the measurements, the prices and the stored runs of all pages."""

    def ended(page: type[Any], **state: Any) -> None:
        patch.setattr(page, "make_job", lambda self: ScriptedJob(**state))

    functions = tuple(
        ElementTime(name, elements, (2 + n) * 1e-9, 1e-10, 2.0 + n)
        for n, name in enumerate(("multiply", *ACTIVATIONS[1:]))
        for elements in (CACHED, LARGE)
    )
    steps = StepTime("numpy", "some BLAS ×1", 1.4e-5, 1e-6), StepTime("scalar", "plain Python ×1", 4.7e-3, 2e-4)
    measured = Measured(steps=steps, functions=functions)
    step = made_profile(seconds={Kind.CROSS_ENTROPY: 30e-6, Kind.DENSE: 12e-6}, roofs=ROOFS)
    answers = budget(NET, MadePrices(), FIRST)
    ended(RaceScreen, progress=made_race.STANDINGS, result=made_race.ENDED)
    ended(CrossoverScreen, progress=made_crossover.END, result=made_crossover.ended())
    ended(ProfileScreen, result=step)
    ended(AnswerScreen, progress=measured, result=measured)
    ended(ProofScreen, result=made_proof())
    patch.setattr(BudgetScreen, "_make_job", lambda self, limits: ScriptedJob(progress=answers, result=answers))
    patch.setattr(prices, "priced", price)
    patch.setattr(prices, "best_entry", lambda: BEST)
    plain = [replace(one, backend="scalar", seconds=900 * one.seconds) for one in several()[:4]]
    kept = StoredRuns((*plain, *noisy(0.4)))
    patch.setattr(RunsScreen.__init__, "__defaults__", (lambda: kept,))
    patch.chdir(Path(__file__).parents[1] / "data" / "tables")
    patch.setattr(TuisimApp, "_keep", lambda *_: None)
