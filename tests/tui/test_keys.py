"""The keys of all screens of the registry, and the command line that `y` copies."""

from __future__ import annotations

import shlex
from collections import defaultdict

import pytest
from textual.binding import Binding

from tests.support.scripted import ScriptedWorker, snapshot
from tuisim.config import RunConfig
from tuisim.config.values import from_mapping, to_words
from tuisim.features import PAGES
from tuisim.features.explain.answer.screen import AnswerScreen
from tuisim.tui.app import TuisimApp
from tuisim.tui.navigation import load

PAGE_KEYS = {
    "f2": "setup", "f3": "run", "f4": "inspect", "f6": "compare", "f7": "profile", "f8": "estimate", "f9": "explain",
    "f12": "runs",
}  # fmt: skip
MEANINGS = {
    "f1": {"help"}, "question_mark": {"help"}, "f5": {"start"}, "ctrl+r": {"start"}, "escape": {"back"}, "b": {"back"},
    "ctrl+p": {"command_palette"}, "ctrl+q": {"quit"}, "ctrl+z": {"suspend_process"}, "c": {"chart_style"}, "l": {"log_scale"},
    "y": {"copy_command"}, "e": {"edit"}, "R": {"again", "restart"}, "m": {"pause_run"}, "space": {"toggle_pause"}, "x": {"stop"},
    "full_stop": {"single_step"}, "comma": {"move"}, "less_than_sign": {"move_epoch"}, "greater_than_sign": {"move_epoch"},
    "left_square_bracket": {"speed"}, "right_square_bracket": {"speed"}, "minus": {"rate"},
    "plus": {"rate"}, "tab": {"tab"}, "shift+tab": {"tab"},
    **{str(n): {"zoom"} for n in range(1, 10)},
}  # fmt: skip
"""The actions of a key, by DESIGN's table; `again` and `restart` both measure or run again."""
NAVIGATION = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "enter", "j", "k")
"""Keys that move within whatever is shown, or choose it."""


def bound() -> dict[str, set[str]]:
    """Return the actions of each key, over the app and all screens of the registry."""
    found: dict[str, set[str]] = defaultdict(set)
    for node in (TuisimApp, *(load(page.screen) for page in PAGES if page.screen)):
        for kind in node.__mro__:
            if kind.__module__.startswith("tuisim."):
                for binding in Binding.make_bindings(kind.__dict__.get("BINDINGS", ())):
                    found[binding.key].add(binding.action.rpartition(".")[2].partition("(")[0])
    return found


def test_a_key_has_one_meaning_on_every_page():
    keys = bound()
    assert {"f1", "f5", "escape", "c", "l", "y", "R", "1"} <= set(keys)
    for key, actions in keys.items():
        if key not in NAVIGATION and key not in PAGE_KEYS:
            assert actions <= MEANINGS.get(key, actions), key
            assert len(actions) == 1 or actions <= MEANINGS[key], (key, actions)


def test_the_function_keys_are_those_of_the_table():
    assert {page.key: page.name for page in PAGES if page.key} == PAGE_KEYS
    functions = {key for key in bound() if key[0] == "f" and key[1:].isdigit()}
    assert functions == {*PAGE_KEYS, "f1", "f5"}, "f10 and f11 belong to the terminal"


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(layers=(64, 32, 10)),
        RunConfig(layers=(64, 32, 32, 10), hidden_activation=("tanh", "relu"), epochs=None, shuffle=False, learning_rate=1e-3),
        RunConfig(layers=(5, 2), dataset="my data.csv", batch_size=7, threads=2, optimizer="adam"),
    ],
    ids=str,
)
def test_the_words_of_a_configuration_parse_to_it(config):
    layers, *words = to_words(config)
    values = {"layers": layers}
    while words:
        name = words.pop(0).removeprefix("--")
        values |= {name[3:]: "no"} if name.startswith("no-") else {name.replace("-", "_"): words.pop(0)}
    assert from_mapping(values) == config


async def test_y_copies_the_page_in_front_as_a_command() -> None:
    app = TuisimApp(RunConfig(layers=(64, 32, 10), batch_size=64), worker_factory=lambda c: ScriptedWorker([snapshot(c)]))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.action_copy_command()
        assert shlex.split(app.clipboard)[:5] == ["tuisim", "run", "64-32-10", "--batch-size", "64"]
        for name, command in (("conventions", "count"), ("race", "compare"), ("runs", "runs"), ("known", "project --known")):
            app.action_open(name)
            await pilot.pause()
            await pilot.press("y")
            assert app.clipboard.startswith(f"tuisim {command}"), name
        assert "64-32-10" in app.clipboard
        app.action_open("answer")
        await pilot.pause()
        assert isinstance(app.screen, AnswerScreen)
        app.screen._config = RunConfig(layers=(3, 2))
        app.action_copy_command()
        assert app.clipboard.startswith("tuisim answer 3-2")


@pytest.mark.parametrize("page", [page for page in PAGES if page.screen], ids=lambda page: page.name)
def test_every_page_has_a_command(page):
    assert page.command
