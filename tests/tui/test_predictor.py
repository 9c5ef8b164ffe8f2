"""The predicted time and memory on the setup page, and the edits that change them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.features.setup.test_screen import Shell, form, put, retype, text_of
from tests.support.made_calibration import Calibration
from tests.support.made_machine_profile import entry, machine_profile
from tests.support.shell import Shell as Bare
from tuisim.accounting import count
from tuisim.config import RunConfig
from tuisim.config.values import to_texts
from tuisim.features.estimate.budget.screen import BudgetScreen
from tuisim.features.estimate.volume.screen import VolumeScreen
from tuisim.features.setup.edits import Change, Edits, change
from tuisim.features.setup.prediction_view import change_line, column, folded, machine_words
from tuisim.features.setup.screen import SetupLedger, SetupPrediction, SetupScreen
from tuisim.predict import background, profiles
from tuisim.predict.background import BackgroundPredictor, Measuring, PredictionState
from tuisim.predict.cost_model import predict
from tuisim.predict.pilot import Pilot as StepPilot
from tuisim.predict.prediction import Interval, Prediction
from tuisim.predict.profile import ProfileKey
from tuisim.terminal.lines import text
from tuisim.terminal.text import weight
from tuisim.tui.app import TuisimApp

DIGITS = RunConfig(layers=(64, 32, 10), dataset="digits", threads=1)
SIZES = [(60, 20), (80, 24), (120, 30), (120, 36), (200, 60)]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.005)


# ── edits ──


def taken(edits: Edits, config: RunConfig, **texts: str) -> Any:
    """The edit that leads to `config`, in the form's words."""
    return edits.take(to_texts(config) | texts, predict(config, machine_profile()))


def test_all_changes_of_one_field_are_one_edit():
    edits = Edits()
    assert taken(edits, replace(DIGITS, batch_size=32)) is None
    before = predict(replace(DIGITS, batch_size=32), machine_profile())
    for batch in (1, 12, 128):
        found = taken(edits, replace(DIGITS, batch_size=batch))
        assert found == change(before, predict(replace(DIGITS, batch_size=batch), machine_profile()))
    assert edits.take(to_texts(DIGITS) | {"batch_size": "x"}, None) is None
    other = taken(edits, replace(DIGITS, batch_size=128, optimizer="adam"))
    assert other == change(
        predict(replace(DIGITS, batch_size=128), machine_profile()),
        predict(replace(DIGITS, batch_size=128, optimizer="adam"), machine_profile()),
    )


def test_an_invalid_text_in_between_does_not_end_the_edit():
    edits = Edits()
    taken(edits, DIGITS)
    edits.take(to_texts(DIGITS) | {"layers": "64-"}, None)
    wider = replace(DIGITS, layers=(64, 64, 10))
    assert taken(edits, wider) == change(predict(DIGITS, machine_profile()), predict(wider, machine_profile()))


def test_a_change_has_time_and_multiplications_and_is_none_without_a_difference():
    before = predict(DIGITS, machine_profile())
    assert change(before, predict(replace(DIGITS, seed=7), machine_profile())) == change(before, before)
    same = change(before, before)
    assert (same.time, same.multiplications, same.memory) == (None, None, None)
    wider = change(before, predict(replace(DIGITS, layers=(64, 64, 10)), machine_profile()))
    assert wider.time is not None
    assert wider.time > 0
    assert wider.multiplications == pytest.approx(by_ledger(64) - by_ledger(32))
    longer = change(replaced_epochs(10), replaced_epochs(25))
    assert longer.time == pytest.approx(1.5, rel=1e-3)
    assert longer.multiplications is None


def test_a_longer_step_and_a_shorter_run_are_both_shown():
    larger = change(replaced_epochs(10), predict(replace(DIGITS, epochs=10, batch_size=256), machine_profile()))
    assert larger.step is not None
    assert larger.time is not None
    assert larger.step > 0 > larger.time
    shown = text(change_line(larger))
    assert "% step" in shown
    assert "% run" in shown
    alike = text(
        change_line(change(predict(DIGITS, machine_profile()), predict(replace(DIGITS, layers=(64, 64, 10)), machine_profile())))
    )
    assert " time" in alike
    assert "% step" not in alike


def test_the_conditions_of_the_times_are_shortened_to_fit():
    found = predict(replace(DIGITS, threads=1), machine_profile())
    found = replace(found, machine="Abacus 9000, Beads 1.0")
    assert machine_words(found, 80) == "on Abacus 9000, Beads 1.0, numpy@1"
    assert machine_words(found, 20) == "on numpy@1"
    timed = replace(found, pilot=0.0512)
    for width, words in (
        (80, "pilot of 51.2 ms on Abacus 9000, Beads 1.0, numpy@1"),
        (32, "pilot of 51.2 ms, numpy@1"),
    ):
        assert machine_words(timed, width) == words
    beyond = "largest product 40.0 × any measured"
    for width, words in ((80, f"numpy@1; {beyond}"), (36, beyond)):
        assert machine_words(replace(found, beyond=40.0), width) == words


def test_a_problem_is_shown_beside_the_prediction():
    state = PredictionState(predict(replace(DIGITS, threads=1), machine_profile()), None, "something is wrong")
    for draw in (column, folded):
        assert "something is wrong" in list(map(text, draw(state, None, 60)))


def test_memory_says_if_it_includes_the_data(tmp_path):
    for config, words in (
        (DIGITS, "counted, with its data"),
        (replace(DIGITS, dataset="rows.csv", loss="cross_entropy"), "counted, without its data"),
    ):
        lines = column(PredictionState(predict(replace(config, threads=1), machine_profile())), None, 60)
        assert words in "\n".join(map(text, lines))


def test_the_arrow_follows_the_first_value_shown():
    only = Change(time=None, of="run", step=0.98, multiplications=None, memory=None)
    assert text(change_line(only)) == "▲ +98 % step"


def test_large_changes_are_shown_as_factors():
    for share, said in ((10.0, "▲ time × 11"), (-10 / 11, "▼ time ÷ 11"), (-1 + 1e-9, "▼ time ÷ 1.00 G"), (-0.5, "▼ −50 % time")):
        assert text(change_line(Change(share, "run", share, None, None))) == said


def test_the_change_is_cut_at_its_end_if_there_is_no_room():
    whole = Change(time=-0.94, of="run", step=15.0, multiplications=-498e3, memory=0.3)
    assert text(change_line(whole, 120)) == "▼ run ÷ 17, step × 16, −498 k multiplications per example, +30 % memory"
    assert text(change_line(whole, 62)) == "▼ run ÷ 17, step × 16, −498 k multiplications per example"
    assert text(change_line(whole, 30)) == "▼ run ÷ 17, step × 16"


def test_memory_with_data_is_not_compared_with_memory_without():
    file = predict(replace(DIGITS, dataset="rows.csv", loss="cross_entropy"), machine_profile())
    assert change(predict(DIGITS, machine_profile()), file).memory is None
    other = replace(DIGITS, dataset="other.csv", loss="cross_entropy", batch_size=64)
    assert change(file, predict(other, machine_profile())).memory is not None


def test_memory_is_shown_while_the_machine_profile_is_measured():
    memory = predict(replace(DIGITS, threads=1), machine_profile()).memory
    for done, words in ((0, "preparing"), (12, "12 of 30"), (30, "fitting the costs")):
        state = PredictionState(measuring=Measuring("numpy@1 float32", done, 30), memory=memory)
        lines = list(map(text, column(state, None, 70)))
        assert any(f"{weight(memory.total)}  counted" in line for line in lines)
        assert f"measuring this machine … {words}" in lines[1]
        full, rest = lines[1].count("━"), lines[1].count("─")
        assert full == round((full + rest) * done / 30), "what is not done yet is another line"


def by_ledger(hidden: int) -> float:
    ledger = count(replace(DIGITS, layers=(64, hidden, 10)))
    return sum(operations.multiply for operations in ledger.per_step.values()) / ledger.batch


def replaced_epochs(epochs: int) -> Prediction:
    return predict(replace(DIGITS, epochs=epochs), machine_profile())


def test_a_pilot_between_two_predictions_is_no_change():
    timed = predict(DIGITS, machine_profile(), pilot=StepPilot(Interval(0.9e-3, 1e-3, 1.1e-3), 0.05))
    assert change(predict(DIGITS, machine_profile()), timed).time is None


# ── the setup screen ──


class Told:
    """A predictor by a machine profile made by hand, without a thread; `now` is the state returned instead of a prediction."""

    def __init__(self, now: PredictionState | None = None) -> None:
        self.attended: list[RunConfig | None] = []
        self.now = now
        self.measuring = False
        self.started = self.stopped = False

    @property
    def stamp(self) -> object:
        return self.now

    def prepare(self, config: RunConfig | None) -> None:
        self.attended.append(config)

    def state(self, config: RunConfig) -> PredictionState:
        return self.now or PredictionState(predict(config, machine_profile(entry("numpy", 1), entry("numpy", 1, "float64"))))

    def start(self) -> None:
        self.started = True

    def cancel(self) -> None:
        self.stopped = True


class PredictingApp(Bare):
    CSS_PATH = Shell.CSS_PATH

    def __init__(self, config: RunConfig, told: Told) -> None:
        super().__init__()
        self._config, self.told = config, told

    def on_mount(self) -> None:
        self.push_screen(SetupScreen(self._config, predictor=self.told))


@asynccontextmanager
async def app_with_prediction(
    config: RunConfig = DIGITS, told: Told | None = None, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[PredictingApp, Pilot[None]]]:
    app = PredictingApp(config, told or Told())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def panel(app: Any) -> str:
    return "\n".join(map(text, app.screen.query_one(SetupPrediction).lines)).rstrip()


async def test_times_and_memory_are_shown_at_once_and_follow_each_edit() -> None:
    async with app_with_prediction() as (app, pilot):
        found = predict(replace(DIGITS, epochs=10), machine_profile())
        assert found.wall_seconds is not None
        shown = panel(app)
        assert "projected" in shown.splitlines()[0]
        assert "whole run" in shown
        assert "most expensive" in shown
        assert "▲" not in shown
        await retype(app, pilot, "layers", "64-320-10")
        after = panel(app)
        assert after != shown
        assert "▲ +" in after
        assert f"+{by_ledger(320) - by_ledger(32):,.0f} multiplications per example" in after
        await put(app, pilot, epochs="")
        assert "until stopped" in panel(app)


async def test_an_edit_that_changes_nothing_says_nothing() -> None:
    async with app_with_prediction(replace(DIGITS, epochs=10)) as (app, pilot):
        await put(app, pilot, batch_size="64")
        assert "▼" in panel(app)
        await put(app, pilot, seed="5")
        assert "▲" not in panel(app)
        assert "▼" not in panel(app)


@pytest.mark.parametrize(
    ("size", "layers"),
    [*((size, (64, 32, 10)) for size in SIZES), ((80, 24), (64, *[32] * 63, 10)), ((120, 36), (10**30,) * 65)],
    ids=[*map(str, SIZES), "deep", "vast"],
)
async def test_it_folds_and_leaves_room_for_the_ledger(size, layers) -> None:
    config = RunConfig(layers=layers, dataset="teacher", threads=1, epochs=10)
    async with app_with_prediction(config, size=size) as (app, pilot):
        await pilot.pause(0.3)
        shown = text_of(app)
        assert "projected" in shown
        assert "the naive" in shown
        box = app.screen.query_one(SetupPrediction)
        assert box.region.height == (2 if size[0] < 110 or size[1] < 34 else 8)
        lines = panel(app).splitlines()
        assert len(lines) <= box.region.height
        assert max(map(len, lines)) <= box.content_size.width
        assert app.screen.query_one("#start").region.bottom < size[1]
        assert box.region.y >= app.screen.query_one(SetupLedger).parent.region.bottom  # type: ignore[union-attr]
        if size == (120, 36) and len(layers) == 3:
            assert app.screen.query_one("#ledger-scroll").max_scroll_y == 0


async def test_the_short_form_begins_with_the_whole_run_and_its_interval() -> None:
    async with app_with_prediction(replace(DIGITS, epochs=20), size=(80, 24)) as (app, pilot):
        first, second = panel(app).splitlines()
        assert " total (" in first
        assert first.endswith("projected")
        assert "of the step: " in second
        await put(app, pilot, layers="64-320-10")
        assert panel(app).splitlines()[1].startswith("▲ +")


async def test_a_calibration_is_shown_and_then_the_prediction_without_a_key() -> None:
    told = Told(PredictionState(measuring=Measuring("numpy@1 float32", 12, 30)))
    async with app_with_prediction(told=told) as (app, pilot):
        assert "measuring this machine … 12 of 30" in panel(app)
        told.now = PredictionState(trouble="the machine profile is outdated (numpy was 1, is 2): run tuisim calibrate")
        await pilot.pause(0.5)
        assert "numpy was 1" in panel(app)
        told.now = None
        await pilot.pause(0.5)
        assert "whole run" in panel(app)


MISSING = machine_profile(entry("numpy", 1, "float64"))
"""A machine profile without the entry that is asked for."""


@pytest.mark.parametrize("before", [None, MISSING], ids=["no profile", "another entry"])
@pytest.mark.parametrize("pages", ["volume", "budget", "answer volume", "volume answer volume", "volume answer budget"])
async def test_a_page_that_predicts_shows_the_calibration(pages, before) -> None:
    """Also after another page, which left the machine alone."""
    if before is not None:
        profiles.keep(before)
    measure, made = Calibration(), []
    app = TuisimApp(DIGITS, predictor=lambda busy: made.append(BackgroundPredictor(busy, measure, by_itself=True)) or made[0])
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        for name in pages.split():
            app.action_open(name)
            await pilot.pause()
        page = app.screen
        assert isinstance(page, VolumeScreen | BudgetScreen)
        end = time.monotonic() + 20
        while "numpy@1" not in (shown := "\n".join(text(line) for panel in page._panels for line in panel.canvas.lines)) and (
            "a hidden layer of" not in shown
        ):
            assert time.monotonic() < end, shown
            await pilot.pause(0.05)
        assert measure.jobs == [ProfileKey("numpy", 1, "float32")]


async def test_a_page_over_a_run_announces_no_calibration() -> None:
    made: list[BackgroundPredictor] = []
    app = TuisimApp(
        replace(DIGITS, epochs=None),
        predictor=lambda busy: made.append(BackgroundPredictor(busy, Calibration(), by_itself=True)) or made[0],
    )
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("f5", "f8")
        await pilot.pause()
        assert isinstance(app.screen, VolumeScreen)
        if made[0].current is None:  # else it was measured in the moment before
            app.screen.forget_prices()
            app.screen.update()
            shown = "\n".join(text(line) for line in app.screen._panels[0].canvas.lines)
            assert "first, once" not in shown
            assert "tuisim calibrate" in shown


async def test_runs_that_no_backend_here_computes_are_not_predicted() -> None:
    async with app_with_prediction() as (app, pilot):
        await put(app, pilot, threads="0")
        assert app.told.attended[-1] is None
        assert "whole run" not in panel(app)
        await put(app, pilot, threads="1", learning_rate="-1")
        assert "whole run" in panel(app), "a wrong rate changes no time"


async def test_without_a_predictor_no_time_is_shown() -> None:
    app = Shell(DIGITS)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert not app.screen.query(SetupPrediction)
        assert "projected" not in text_of(app)
        assert form(app).max_scroll_y == 0
