"""The setup screen: a form, what it would cost, and the way to start it.

It routes between the form, the ledger and the app; it trains nothing and draws nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Thread
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Button, Static

from tuisim import backends, data
from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS, Preset
from tuisim.config.values import Reading, from_texts, to_texts
from tuisim.engine import memory_check as room
from tuisim.errors import BackendError, MemoryNeeded, Mistake, TuisimError
from tuisim.features.setup.cost_view import SetupLedger
from tuisim.features.setup.edits import Edits
from tuisim.features.setup.prediction_view import SetupPrediction
from tuisim.features.setup.view import summary
from tuisim.predict.background import BackgroundPredictor, PredictionState
from tuisim.predict.prediction import Prediction
from tuisim.terminal.columns import number, weight
from tuisim.tui.form.form import SetupForm
from tuisim.tui.form.presets import PresetBar
from tuisim.tui.key_line import KeyLine
from tuisim.tui.messages import StartRequested, Uncovered
from tuisim.tui.page import PageScreen
from tuisim.units import layers_text

LEDGER_WIDTH = 110
"""Cells from which on the ledger stands beside the form."""
ASK_SECONDS = 0.2
"""Between two looks whether a backend has been probed."""
LOOK_SECONDS = 0.2
"""Between two looks whether there is something new to foresee with."""
LIGHT = 100
"""Operations of a step that can be predicted between two keys; for more of them a pause in the typing is waited for."""
PAUSE_SECONDS = 0.15
COLUMN_HEIGHT = 34
"""Rows from which what is predicted has a column beside the form."""
_WIDTHS = [(0, "-tiny"), (72, "-narrow"), (LEDGER_WIDTH, "-wide"), (170, "-vast")]
_HEIGHTS = [(0, "-short"), (COLUMN_HEIGHT, "-normal"), (50, "-tall")]


class SetupScreen(PageScreen[None]):
    """Posts `StartRequested` with a configuration that is right, and `Returned` when it is in front again."""

    TITLE = "setup"
    HELP = "Type a network and a run; its cost is counted as you type, and what is wrong is said at its field."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "start", "start", key_display="^r"),
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "previous field", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self, config: RunConfig | None = None, presets: Sequence[Preset] = PRESETS, predictor: BackgroundPredictor | None = None
    ) -> None:
        """`predictor`: who knows how long a run would take; without it nothing is said of that."""
        super().__init__()
        self._first = presets[0].config if config is None else config
        self._presets = presets
        self._absent = {
            preset.name: reason for preset in presets if (reason := data.available(preset.config.resolved_dataset)) is not None
        }
        self._reading = Reading(None, None)
        self._asking: Thread | None = None
        self._again: Timer | None = None
        self._predictor = predictor
        self._edits = Edits()
        self._stamp: object = None
        self._prediction: Prediction | None = None
        self._later: Timer | None = None
        self._in_front = True
        self.set_class(predictor is not None, "-foreseen")

    def compose(self) -> ComposeResult:
        yield Static("[b $accent]tuisim[/]  what does training a neural network cost?", id="setup-header")
        with Vertical(id="setup-body"):
            yield SetupForm(self._presets, self._absent, (*backends.names(), backends.AUTO))
            with Vertical(id="setup-side"):
                with VerticalScroll(id="ledger-scroll", can_focus=False):
                    yield SetupLedger()
                if self._predictor is not None:
                    yield SetupPrediction()
                yield Static(id="setup-summary", markup=False)
                with Vertical(id="setup-start"):
                    yield Button("start training  ^r", id="start", compact=True)
                    yield Static(id="setup-why", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        self.fill(self._first)
        self.query_one(PresetBar).focus()
        if self._predictor is not None:
            self.every(LOOK_SECONDS, self._look)

    def on_resize(self) -> None:
        shown = self.query_one(SetupLedger)
        shown.folded = self.size.width < LEDGER_WIDTH
        self._show_start(shown.ledger)
        for predicted in self.query(SetupPrediction):
            predicted.folded = shown.folded or self.size.height < COLUMN_HEIGHT
            predicted.redraw()
        self.call_after_refresh(self.query_one(SetupForm).redraw)

    def on_screen_resume(self) -> None:
        self._in_front = True
        self._predict()
        self.post_message(Uncovered())

    def on_screen_suspend(self) -> None:
        self._in_front = self.app.screen.is_modal

    @property
    def config(self) -> RunConfig | None:
        """The configuration in the form; None while it has mistakes."""
        return self._reading.config

    def fill(self, config: RunConfig) -> None:
        """Show a configuration in the form."""
        self.query_one(SetupForm).fill(to_texts(config))
        self._read()

    def choose_preset(self, name: str) -> None:
        self.query_one(PresetBar).choose(name)

    @on(PresetBar.Chosen)
    def _preset_chosen(self, event: PresetBar.Chosen) -> None:
        self.fill(event.preset.config)

    @on(SetupForm.Changed)
    def _read(self) -> None:
        """Understand the form as it stands and show what follows from it."""
        form = self.query_one(SetupForm)
        values = form.values
        self._reading, ledger = _judge(from_texts(values))
        self._reading = self._with_backend(self._reading, values["backend"])
        form.show_mistakes(self._reading.mistakes, values)
        self.query_one(SetupLedger).ledger = ledger
        matching = (preset.name for preset in self._presets if to_texts(preset.config) == values)
        self.query_one(PresetBar).chosen = next(matching, "")
        self._prediction = None  # that of before, until this one is predicted
        self._show_start(ledger)
        self._predict_soon(ledger)

    def _predict_soon(self, ledger: Ledger | None) -> None:
        """At once, or for the deepest networks when the typing rests."""
        if self._later is not None:
            self._later.stop()
            self._later = None
        if ledger is None or len(ledger.program.ops) <= LIGHT:
            self._predict()
        else:
            self._later = self.after(PAUSE_SECONDS, self._predict)

    def _look(self) -> None:
        if self._predictor is not None and self._in_front and self._predictor.stamp != self._stamp:
            self._predict()

    def _predict(self) -> None:
        """Show what the run would take, and what the edit at hand changes in it."""
        if self._predictor is None:
            return
        self._stamp = self._predictor.stamp
        config = _predictable(self._reading)
        if self._in_front:
            self._predictor.prepare(config)
        predicted = PredictionState() if config is None else self._predictor.state(config)
        change = self._edits.take(self.query_one(SetupForm).values, predicted.prediction)
        self._prediction = predicted.prediction
        self.query_one(SetupPrediction).show(predicted, change)
        self._show_start(self.query_one(SetupLedger).ledger)  # whose memory is the run's now, or a step's again

    def _with_backend(self, reading: Reading, name: str) -> Reading:
        """And what keeps the backend from working here, if that is known already."""
        obstacle = _obstacle(name)
        if obstacle is None:
            self._ask(name)
        if not obstacle:
            return reading
        return Reading(None, reading.countable, (*reading.mistakes, Mistake("backend", name, obstacle)))

    def _ask(self, name: str) -> None:
        """Have a backend probed aside, and read again: importing a compiler takes a second, in which typing goes on."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = Thread(target=backends.probe, args=(name,), name="tuisim-probing", daemon=True)
            self._asking.start()
        if self._again is None:
            self._again = self.after(ASK_SECONDS, self._asked)

    def _asked(self) -> None:
        self._again = None
        self._read()

    def _show_start(self, ledger: Ledger | None) -> None:
        config, wrong = self._reading.config, [one.declared.label for one in self.query_one(SetupForm).fields if one.mistake]
        self.query_one("#start", Button).disabled = config is None
        why = f"fix the fields marked ✗ first: {', '.join(wrong)}" if wrong else ""
        if ledger is not None and not wrong and self.query_one(SetupLedger).folded:
            memory = self._prediction.memory_bytes if self._prediction else room.step_memory(ledger.config, ledger.memory).total
            why = f"{number(ledger.parameters, 13)} parameters, {weight(memory)}{'' if self._prediction else ' a step'}"
        said = self.query_one("#setup-why", Static)
        said.update(why)
        said.set_class(bool(wrong), "-wrong")
        lines = summary(config, ledger.examples if ledger else None) if config else ()
        self.query_one("#setup-summary", Static).update("\n".join(lines))

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        if self._reading.config is not None:
            self.post_message(StartRequested(self._reading.config))
            return
        for field in self.query_one(SetupForm).fields:
            if field.mistake:
                field.control.focus()
                break
        self.notify("; ".join(map(str, self._reading.mistakes)), title="cannot start yet", severity="error", markup=False)


def _judge(reading: Reading) -> tuple[Reading, Ledger | None]:
    """The ledger, and besides what the form's texts say, what this machine says to them: data it lacks, a file not there."""
    if reading.countable is None:
        return reading, None
    try:
        ledger = count(reading.countable)
        obstacle = data.available(reading.countable.resolved_dataset) or data.misfit(reading.countable)
        room.check(replace(reading.countable, batch_size=ledger.batch))
    except MemoryNeeded as error:
        mistakes = (*reading.mistakes, Mistake("layers", layers_text(reading.countable.layers), str(error)))
        return Reading(None, reading.countable, mistakes), ledger
    except TuisimError as error:
        ledger, obstacle = None, str(error)
    if obstacle is None:
        return reading, ledger
    mistakes = (*reading.mistakes, Mistake("dataset", reading.countable.dataset, obstacle))
    return Reading(None, reading.countable, mistakes), ledger


def _predictable(reading: Reading) -> RunConfig | None:
    """What can be predicted: also what this machine's memory or data will not do for, but not what nothing here computes."""
    unsure = any(mistake.field in ("backend", "threads") for mistake in reading.mistakes)
    return None if unsure else reading.countable


def _obstacle(name: str) -> str | None:
    """Why a backend cannot be used here; empty where it can, none where it has to be probed to know."""
    if name == backends.AUTO:
        return ""
    try:
        found = backends.known(name)
    except BackendError as error:
        return str(error)
    return None if found is None else found.why_not
