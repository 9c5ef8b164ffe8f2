"""Only one thing measures or trains at a time, from any page to any page: jobs are scripted and end late once cancelled."""

from __future__ import annotations

from itertools import permutations
from threading import Event, Lock
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.made_machine_profile import entry, machine_profile
from tests.support.scripted import snapshot
from tuisim.config import RunConfig
from tuisim.engine.control import Control
from tuisim.engine.job import Cancelled, Job
from tuisim.engine.trainer import Trainer
from tuisim.features import PAGES
from tuisim.features.run.screen import RunScreen
from tuisim.predict import profiles
from tuisim.tui.app import TuisimApp
from tuisim.tui.form.form import SetupForm

LATE = 0.03
"""Seconds that a scripted job takes to end once it is cancelled."""
MEASURING = ("race", "crossover", "profile", "proof", "answer")


class Machine:
    """Counts what uses the machine now, and the most that ever used it at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.users: list[str] = []
        self.most = 0
        self.seen: list[str] = []

    def begin(self, name: str) -> None:
        with self._lock:
            self.users.append(name)
            self.seen.append(name)
            self.most = max(self.most, len(self.users))

    def end(self, name: str) -> None:
        with self._lock:
            self.users.remove(name)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Jobs that take the lease, and trainings, only count themselves and wait to be stopped."""
    machine = Machine()
    do = Job._do

    def scripted(job: Job[Any, Any]) -> None:
        if job._lease is None:
            do(job)
            return
        machine.begin(job.name)
        while not job.is_cancelled:
            Event().wait(0.005)
        Event().wait(LATE)
        machine.end(job.name)

    def run(trainer: Trainer, emit: Any, control: Control) -> None:
        machine.begin("training")
        emit(snapshot(trainer.config))
        while not control.is_stopping:
            if control.take().is_paused:
                machine.end("training")
                with control.while_paused():
                    control.wait()
                machine.begin("training")
            else:
                control.wait(0.005)
        Event().wait(LATE)
        machine.end("training")
        raise Cancelled

    monkeypatch.setattr(Job, "_do", scripted)
    monkeypatch.setattr(Trainer, "run", run)
    profiles.keep(machine_profile(entry("numpy"), entry("numba")))
    return machine


async def at_work(pilot: Pilot[None], machine: Machine, name: str) -> None:
    for _ in range(300):
        if machine.users == [name]:
            return
        await pilot.pause(0.01)
    pytest.fail(f"{name} is not at work, but {machine.users}")


def test_every_measuring_page_is_tested() -> None:
    assert {page.name for page in PAGES} >= set(MEASURING)


async def test_a_page_measures_only_when_the_one_before_has_ended(machine: Machine) -> None:
    app = TuisimApp(RunConfig(layers=(30, 30, 30), loss="mse"))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.action_open(MEASURING[0])
        await pilot.pause()
        names = {}
        for page in MEASURING:
            app.action_open(page)
            await pilot.pause()
            for _ in range(200):
                if machine.users and machine.users != list(names.values())[-1:]:
                    break
                await pilot.pause(0.01)
            assert len(machine.users) == 1, page
            names[page] = machine.users[0]
        assert len(set(names.values())) == len(MEASURING), names
        for before, after in permutations(MEASURING, 2):
            app.action_open(before)
            app.action_open(after)
            await at_work(pilot, machine, names[after])
        await pilot.press("R")
        await pilot.pause()
        await at_work(pilot, machine, names[MEASURING[-2]])
        await pilot.press("escape")
    assert machine.most == 1


async def test_a_page_waits_for_the_run_until_m_pauses_it(machine: Machine) -> None:
    app = TuisimApp(RunConfig(layers=(30, 30, 30), loss="mse"))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.action_open("race")
        await pilot.pause()
        race = (await first_user(pilot, machine))[0]
        await pilot.press("escape", "ctrl+r")
        await at_work(pilot, machine, "training")
        for page in MEASURING:
            app.action_open(page)
            await pilot.pause(0.1)
            assert machine.users == ["training"], page
        app.action_open("race")
        await pilot.pause()
        await pilot.press("m")
        await at_work(pilot, machine, race)
        await pilot.press("escape")
        await at_work(pilot, machine, "training")
        assert isinstance(app.screen, RunScreen)
        app.action_open("race")
        await pilot.press("f2", "ctrl+r")  # a new run while one is in progress
        await pilot.pause()
        await at_work(pilot, machine, "training")
    assert machine.most == 1


async def first_user(pilot: Pilot[None], machine: Machine) -> list[str]:
    for _ in range(300):
        if machine.users:
            return machine.users
        await pilot.pause(0.01)
    pytest.fail("nothing is at work")


async def test_a_form_with_a_mistake_opens_no_page(machine: Machine) -> None:
    app = TuisimApp(RunConfig(layers=(30, 30, 30), loss="mse"))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one(SetupForm).field("layers").control.value = "7"
        await pilot.pause()
        await pilot.press("f9")
        await pilot.pause()
        assert app.screen is app.setup
        assert any("Fix the fields marked ✗ first" in toast.message for toast in app._notifications)
    assert "answer" not in machine.seen


async def test_the_palette_opens_pages_and_a_preset_leaves_them(machine: Machine) -> None:
    app = TuisimApp(RunConfig(layers=(30, 30, 30), loss="mse"))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        titles["Conventions"].callback()
        await pilot.pause()
        assert app.page is not None
        assert app.page.name == "conventions"
        assert {"f2", "f3", "f6", "f9"} <= set(app.screen.active_bindings)
        titles["Preset: digits"].callback()
        await pilot.pause()
        assert app.screen is app.setup
        assert app.screen.query_one(SetupForm).field("layers").control.value == "64-32-10"
