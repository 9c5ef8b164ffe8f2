"""The setup page: typing, clicking, mistakes, counts and presets."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Static

from tests.support.shell import until
from tuisim import data
from tuisim.backends import Probe, names, registry
from tuisim.backends.registry import BackendSpec
from tuisim.config import RunConfig
from tuisim.config.choices import HYPERPARAMETERS
from tuisim.config.values import from_texts, to_texts
from tuisim.engine import Trainer
from tuisim.features.setup.screen import SetupLedger, SetupScreen
from tuisim.tui.form.controls import Choice
from tuisim.tui.form.form import OPTIMIZER_FIELDS, SetupForm
from tuisim.tui.form.presets import PresetBar
from tuisim.tui.messages import StartRequested

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]


class Shell(App[None]):
    """A minimal app with the setup screen; keeps the configurations it is asked to start."""

    CSS_PATH = Path(data.__file__).parents[1] / "tui" / "tuisim.tcss"

    def __init__(self, config: RunConfig | None = None) -> None:
        super().__init__()
        self.asked: list[RunConfig] = []
        self._config = config
        self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        from tuisim.tui.themes import DARK_COLOURS

        return DARK_COLOURS

    def on_mount(self) -> None:
        self.push_screen(SetupScreen(self._config))

    def on_start_requested(self, message: StartRequested) -> None:
        self.asked.append(message.config)


@asynccontextmanager
async def setup(config: RunConfig | None = None, size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[Shell, Pilot[None]]]:
    app = Shell(config)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def form(app: App[Any]) -> SetupForm:
    return app.screen.query_one(SetupForm)


def text_of(app: App[Any]) -> str:
    """Return the text on the screen, line by line."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


async def put(app: App[Any], pilot: Pilot[None], **texts: str) -> None:
    """Fill some fields at once."""
    for field, text in texts.items():
        form(app).field(field).control.value = text
    await pilot.pause()


async def retype(app: App[Any], pilot: Pilot[None], field: str, text: str) -> None:
    """Focus a field and replace its text."""
    form(app).field(field).control.focus()
    await pilot.pause()
    await pilot.press("ctrl+u", *("minus" if c == "-" else "full_stop" if c == "." else c for c in text))
    await pilot.pause()


async def test_the_counts_follow_the_form() -> None:
    async with setup() as (app, pilot):
        shown = text_of(app)
        assert "11,070 = 3.08 × the naive count of 3,600" in shown
        assert form(app).field("layers").control.value == "30-30-30"
        await retype(app, pilot, "layers", "64-32-10")
        ledger = app.screen.query_one(SetupLedger).ledger
        assert ledger is not None
        assert ledger.parameters == 64 * 32 + 32 + 32 * 10 + 10
        assert "2,410" in text_of(app)


MISTAKES = {
    "layers": ("64-0-10", "hidden layer 1 is 0"),
    "batch_size": ("many", "not a number"),
    "learning_rate": ("-1", "above 0"),
    "validation": ("1", "less than 1"),
    "epochs": ("1.5", "not a whole number"),
    "examples": ("0", "1 or more"),
    "threads": ("0", "from 1 to"),
    "weight_decay": ("nan", "0 or more"),
    "clip_norm": ("0", "above 0"),
    "schedule_steps": ("0", "1 or more"),
    "warmup_steps": ("-2", "0 or more"),
}


async def test_every_mistake_is_shown_at_its_field_and_nothing_starts() -> None:
    async with setup() as (app, pilot):
        right = {field: form(app).field(field).control.value for field in MISTAKES}
        await put(app, pilot, **{field: typed for field, (typed, _) in MISTAKES.items()})
        for field, (_, words) in MISTAKES.items():
            assert words in form(app).field(field).mistake
        assert {one.declared.name for one in form(app).fields if one.mistake} == set(MISTAKES)
        assert app.screen.query_one("#start", Button).disabled
        assert "fix the fields marked ✗ first: layers" in str(app.screen.query_one("#setup-why", Static).content)
        await pilot.press("f5")
        assert app.asked == []
        assert app.focused is form(app).field("layers").control
        await put(app, pilot, **right)
        assert [one.declared.name for one in form(app).fields if one.mistake] == []
        assert not app.screen.query_one("#start", Button).disabled


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Probe]:
    """The results of probing the backends, to be set by a test."""
    found: dict[str, Probe] = {}
    monkeypatch.setattr(registry, "_found", found)
    return found


async def test_a_backend_that_cannot_work_is_a_mistake_of_its_field(probed: dict[str, Probe]) -> None:
    async with setup(size=(120, 60)) as (app, pilot):
        assert form(app).field("backend").control.names == [*names(), "auto"]  # type: ignore[union-attr]
        probed["numba"] = Probe("numba", False, None, "", "not installed", "pip install 'tuisim[numba]'")
        await put(app, pilot, backend="numba")
        assert form(app).field("backend").mistake == "not installed; pip install 'tuisim[numba]'"
        assert app.screen.query_one("#start", Button).disabled
        assert app.screen.query_one(SetupLedger).ledger is not None
        await put(app, pilot, layers="64-x")  # and beside a mistake in another field
        assert [one.declared.name for one in form(app).fields if one.mistake] == ["layers", "backend"]
        await pilot.press("f5")
        assert app.asked == []
        await put(app, pilot, layers="64-10", backend="auto")
        assert [one.declared.name for one in form(app).fields if one.mistake] == []
        await pilot.press("f5")
        assert app.asked[0].backend == "auto"


async def test_a_backend_is_probed_on_a_thread(probed: dict[str, Probe], monkeypatch: pytest.MonkeyPatch) -> None:
    go, asked = threading.Event(), list[str]()

    def look(name: str, home: BackendSpec) -> Probe:
        asked.append(name)
        monkeypatch.setitem(sys.modules, home.library or "", registry)  # as while it is being imported
        go.wait(10)
        return Probe(name, False, "0.61", "", "cannot be imported: a newer NumPy", "pip install --upgrade numba")

    async with setup() as (app, pilot):
        monkeypatch.setattr(registry, "probe_library", look)
        monkeypatch.setitem(registry._SPECS, "numba", BackendSpec("", "", "library_not_yet_imported"))
        monkeypatch.setattr(registry, "installed", lambda home: True)
        await put(app, pilot, backend="numba")
        await retype(app, pilot, "seed", "7")
        assert form(app).field("backend").mistake == ""
        assert asked == ["numba"]
        go.set()
        for _ in range(100):
            await pilot.pause(0.05)
            if form(app).field("backend").mistake:
                break
        assert form(app).field("backend").mistake.startswith("cannot be imported: a newer NumPy; pip install")
        assert asked == ["numba"]


async def test_an_unknown_backend_gets_a_suggestion() -> None:
    async with setup(RunConfig(layers=(5, 3), backend="nunpy")) as (app, _):
        assert "did you mean numpy" in form(app).field("backend").mistake


async def test_a_wrong_seed_does_not_hide_the_counts() -> None:
    async with setup() as (app, pilot):
        await put(app, pilot, seed="-1")
        assert app.screen.query_one(SetupLedger).ledger is not None
        await put(app, pilot, batch_size="0")
        assert app.screen.query_one(SetupLedger).ledger is None


async def test_counts_and_fractions_are_parsed() -> None:
    async with setup() as (app, pilot):
        await put(app, pilot, examples="1e6", batch_size="1,000", validation="20%", epochs="3")
        await pilot.press("ctrl+r")
        assert (app.asked[0].examples, app.asked[0].batch_size) == (10**6, 1000)
        assert (app.asked[0].validation, app.asked[0].epochs) == (0.2, 3)


async def test_a_preset_fills_the_form_and_starts() -> None:
    from tuisim.config.presets import PRESETS

    async with setup() as (app, pilot):
        await pilot.press("right", "enter", "ctrl+r")
        assert app.asked == [PRESETS[1].config.fitted()]
        assert app.screen.query_one(PresetBar).chosen == "digits"
        await put(app, pilot, seed="5")
        assert app.screen.query_one(PresetBar).chosen == ""


async def test_a_click_chooses_a_preset() -> None:
    async with setup() as (app, pilot):
        await pilot.click(PresetBar, offset=(24, 0))
        assert form(app).field("layers").control.value == "2-32-32-3"


async def test_a_preset_without_its_data_shows_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    here = data.available
    monkeypatch.setattr(data, "available", lambda name: "install the pictures" if name == "fashion_mnist" else here(name))
    async with setup(size=(200, 60)) as (app, pilot):
        await pilot.press("right", "right", "right")
        assert "not here: install the pictures" in text_of(app)
        await pilot.press("enter")
        assert form(app).field("layers").control.value == "30-30-30"
        form(app).field("dataset").control.value = "fashion_mnist"
        await pilot.pause()
        assert "install the pictures" in form(app).field("dataset").mistake


async def test_layers_are_added_removed_moved_and_resized() -> None:
    async with setup(RunConfig(layers=(64, 32, 10))) as (app, pilot):
        app.screen.query_one("LayerList").focus()
        await pilot.pause()
        for keys, layers in (
            (["down", "a"], "64-32-32-10"),
            (["d"], "64-32-10"),
            (["shift+up"], "64-10-32"),
            (["up", "shift+down"], "10-64-32"),
            (["enter", "ctrl+u", "7"], "10-7-32"),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            assert form(app).field("layers").control.value == layers


async def test_a_layer_whose_size_the_data_decide_stays_at_its_end() -> None:
    async with setup(RunConfig(layers=("auto", 64, "auto"), dataset="digits")) as (app, pilot):
        app.screen.query_one("LayerList").focus()
        await pilot.press("shift+down", "down", "shift+down", "shift+up")
        await pilot.pause()
        assert form(app).field("layers").control.value == "auto-64-auto"
        assert app.screen.query_one("#layer-down").disabled


async def test_layer_buttons_and_keys_do_the_same() -> None:
    async with setup(RunConfig(layers=(64, 32, 10))) as (app, pilot):
        for button, layers in (("add", "64-32-32-10"), ("remove", "64-32-10"), ("down", "64-10-32"), ("up", "64-32-10")):
            await pilot.click(f"#layer-{button}")
            await pilot.pause()
            assert form(app).field("layers").control.value == layers


async def test_every_edit_of_the_form_can_be_undone() -> None:
    async with setup(RunConfig(layers=(64, 32, 10))) as (app, pilot):
        first = form(app).values
        assert "undo" not in text_of(app).splitlines()[-1]
        app.screen.query_one("LayerList").focus()
        await pilot.press("down", "a", "minus", "minus")
        assert form(app).field("layers").control.value == "64-32"
        assert "u undo" in text_of(app).splitlines()[-1]
        for layers in ("64-32-10", "64-32-32-10", "64-32-10"):
            await pilot.press("u")
            assert form(app).field("layers").control.value == layers
        assert form(app).values == first
        await retype(app, pilot, "batch_size", "128")
        form(app).field("optimizer").control.value = "adam"
        await pilot.pause()
        app.screen.query_one(PresetBar).choose("spirals")
        await pilot.pause()
        assert form(app).field("layers").control.value != "64-32-10"
        form(app).field("optimizer").control.focus()
        await pilot.press("u")
        assert (form(app).field("batch_size").control.value, form(app).field("optimizer").control.value) == ("128", "adam")
        await pilot.press("u", "u")
        assert form(app).values == first
        await pilot.press("u")
        assert form(app).values == first


async def test_what_is_typed_in_an_open_list_is_matched_as_a_whole() -> None:
    async with setup(size=(120, 50)) as (app, pilot):
        lists = [one for one in app.screen.query(Choice) if one.display and not one.disabled and one.region]
        assert {"dataset", "loss", "optimizer", "hidden-activation"} <= {str(one.parent.id)[6:] for one in lists if one.parent}
        for choice in lists:
            for name in choice.names if choice is form(app).field("dataset").control else choice.names[-1:]:
                choice.focus()
                choice.action_open()
                await pilot.pause()
                await pilot.press(*name)
                await pilot.press("enter")
                await pilot.pause()
                assert choice.value == name
        dataset = form(app).field("dataset").control
        dataset.focus()
        await pilot.press("enter", "s", "p", "backspace", "i", "z", "enter")  # no name begins with siz
        assert dataset.value == "sine"
        await pilot.press("enter", "s", "p", "up", "d", "enter")  # begins again after the arrow
        assert dataset.value == "digits"


async def test_each_layer_can_have_its_own_activation() -> None:
    async with setup(RunConfig(layers=(8, 7, 6, 5))) as (app, pilot):
        app.screen.query_one("LayerList").focus()
        await pilot.press("down", "right")
        await pilot.pause()
        assert form(app).field("hidden_activation").control.value == "per layer"
        await pilot.press("ctrl+r")
        assert app.asked[-1].hidden_activation == ("leaky_relu", "relu")
        form(app).field("hidden_activation").control.value = "tanh"
        await pilot.pause()
        await pilot.press("ctrl+r")
        assert app.asked[-1].hidden_activation == "tanh"


async def test_a_choice_is_changed_by_mouse_and_by_keys() -> None:
    async with setup() as (app, pilot):
        await pilot.click("#field-loss Choice")
        await pilot.pause()
        await pilot.press("up", "enter")
        await pilot.pause()
        assert form(app).field("loss").control.value == "cross_entropy"
        await pilot.press("enter", "b", "enter")
        await pilot.pause()
        assert form(app).field("loss").control.value == "binary_cross_entropy"
        await pilot.press("right")
        assert form(app).field("loss").control.value == "auto"


async def test_choosing_a_dataset_makes_a_sound_classifier_of_the_first_preset() -> None:
    async with setup() as (app, pilot):
        await put(app, pilot, layers="64-128-10")
        form(app).field("dataset").control.value = "digits"
        await pilot.pause()
        values = form(app).values
        assert (values["layers"], values["loss"], values["output_activation"]) == ("64-128-10", "auto", "auto")
        form(app).field("dataset").control.value = "sine"
        await pilot.pause()
        assert form(app).values["layers"] == "1-128-1"
        form(app).field("dataset").control.value = "digits"
        await pilot.pause()
        await pilot.press("ctrl+r")
        assert [(config.layers, config.loss) for config in app.asked] == [((64, 128, 10), "cross_entropy")]
        summary = Trainer(replace(app.asked[0], epochs=5)).run()
        assert summary.validation_accuracy is not None
        assert summary.validation_accuracy > 0.9


async def test_what_does_not_go_together_is_said_at_its_field_and_applied_by_a_button() -> None:
    async with setup(size=(120, 60)) as (app, pilot):
        await put(app, pilot, layers="64-32-10")
        form(app).field("dataset").control.value = "digits"
        await pilot.pause()
        form(app).field("loss").control.value = "mse"
        await pilot.pause()
        button = form(app).field("loss").query_one(Button)
        assert str(button.label) == "use cross_entropy"
        button.press()
        await pilot.pause()
        await pilot.pause()
        assert form(app).values["loss"] == "cross_entropy"
        assert not form(app).field("loss").query(Button)


async def test_a_file_has_a_path_a_target_and_a_task(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("1,2,0\n3,4,1\n")
    async with setup(size=(120, 50)) as (app, pilot):
        assert not form(app).field("path").display
        form(app).field("dataset").control.value = "file…"
        await pilot.pause()
        assert form(app).field("path").display
        await put(app, pilot, path="missing.csv")
        assert "no such file" in form(app).field("path").mistake
        await put(app, pilot, path=str(file), target="2")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.asked)  # the run starts once the file is read
        assert (app.asked[0].dataset, app.asked[0].target, app.asked[0].task) == (str(file), "2", "auto")


async def test_no_field_is_cut_and_the_counts_are_visible_at_every_size() -> None:
    async with setup() as (app, pilot):
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "11,070 = 3.08 × the naive count of 3,600" in text_of(app)
            assert app.screen.query_one("#start", Button).region.bottom < size[1]
            for field in form(app).fields:
                control = field.control
                if field.display:
                    assert control.region.x - field.region.x > len(field.declared.label), size
                    assert control.region.right <= form(app).region.right, size
                    assert len(getattr(control, "placeholder", "")) <= control.content_size.width, size
                if isinstance(control, Choice) and field.display:
                    assert max(map(len, control.names)) <= control.content_size.width - 2, size


async def test_the_largest_network_is_counted_without_breaking_the_screen() -> None:
    config = RunConfig(layers=(10**30,) * 65, batch_size=10**30, examples=10**30, epochs=10**30)
    async with setup(config) as (app, pilot):
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            ledger = app.screen.query_one(SetupLedger).ledger
            assert ledger is not None
            assert ledger.parameters > 10**60
            assert "the naive" in text_of(app)


async def test_the_form_fits_120_by_36_and_up_and_down_move_through_it() -> None:
    async with setup() as (app, pilot):
        assert form(app).max_scroll_y == 0
        assert app.screen.query_one("#ledger-scroll").max_scroll_y == 0
        await pilot.press("down")
        assert app.focused is form(app).field("layers").control
        await pilot.press("down", "down", "down", "down")
        assert app.focused is app.screen.query_one("#layer-size")
        await pilot.press("up", "up", "up", "up", "up")
        assert isinstance(app.focused, PresetBar)


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(layers=(4, 3, 2), hidden_activation=("tanh",), learning_rate=1e-5, weight_decay=0.25, epochs=None),
        RunConfig(layers=(4, 5, 6, 2), hidden_activation=("tanh", "gelu"), shuffle=False, threads=2, dtype="float64"),
        RunConfig(layers=(4, 2), dataset="some/file.npz", target="y", task="regression", loss="mse", examples=12_345_678),
    ],
)
def test_a_configuration_survives_its_texts(config: RunConfig) -> None:
    again = from_texts(to_texts(config)).config
    assert again is not None
    assert (again.activations, again.dataset, again.target, again.task) == (
        config.activations, config.dataset, config.target, config.task,
    )  # fmt: skip
    assert to_texts(again) == to_texts(config)


async def test_the_form_shows_the_hyperparameters_of_the_chosen_optimizer() -> None:
    async with setup() as (app, pilot):
        form = app.screen.query_one(SetupForm)
        for optimizer, fields in HYPERPARAMETERS.items():
            form.field("optimizer").control.value = optimizer
            await pilot.pause()
            shown = {name for name in OPTIMIZER_FIELDS if form.field(name).display}
            assert shown == ({*fields, "subnormals"} if fields else set()), optimizer
        form.field("momentum").control.show("much")
        assert form.values["momentum"] == "0.9"  # hidden, so the text is not read
