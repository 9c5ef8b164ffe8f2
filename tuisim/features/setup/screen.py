"""The setup page: the form of a run, its cost and its prediction as it is typed, and the button that starts it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Thread
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from tuisim import backends, data
from tuisim.accounting import Ledger, count
from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS, Preset
from tuisim.config.values import Reading, from_texts, to_texts
from tuisim.data.suggestions import suggestions
from tuisim.engine import memory_check
from tuisim.errors import BackendError, DataError, MemoryNeeded, TuisimError
from tuisim.features.setup import cost_view, prediction_view
from tuisim.features.setup.edits import Change, Edits, Undo
from tuisim.features.setup.file_reading import FileReading
from tuisim.predict.background import BackgroundPredictor, PredictionState
from tuisim.predict.prediction import Prediction
from tuisim.store.presets import name_mistake
from tuisim.terminal.lines import Line, Tone, clip_line, wrap
from tuisim.terminal.text import number, weight
from tuisim.tui.canvas import Canvas
from tuisim.tui.form.form import SetupForm
from tuisim.tui.form.name_dialog import NameDialog
from tuisim.tui.form.preset_library import PresetLibrary
from tuisim.tui.form.presets import PresetBar
from tuisim.tui.key_line import KeyLine
from tuisim.tui.messages import StartRequested, Uncovered
from tuisim.tui.page import PageScreen
from tuisim.units import layers_text

LEDGER_WIDTH = 110
"""Cells from which on the ledger is beside the form."""
LOOK_SECONDS = 0.2
"""Between two checks whether the backend has been probed or a prediction may have changed."""
FILE_SECONDS = 0.05
"""Between two checks whether a file has been read."""
LIGHT = 100
"""Operations of a step that are predicted at every key; more of them when the typing pauses."""
PAUSE_SECONDS = 0.15
COLUMN_HEIGHT = 34
"""Rows from which on the prediction is a column beside the form."""
_WIDTHS = [(0, "-tiny"), (72, "-narrow"), (LEDGER_WIDTH, "-wide"), (170, "-vast")]
_HEIGHTS = [(0, "-short"), (COLUMN_HEIGHT, "-normal"), (50, "-tall")]


FIRST_START = "Choose a preset (← → enter), or type layers: 64-32-10.\nF5 or ctrl+r trains, F1 lists keys, ctrl+p all commands."
"""What to do at the first start."""


class _Side(Canvas):
    """Lines beside the form, drawn for the width there is, folded if the terminal is small."""

    folded = False

    def lines_for(self, width: int) -> list[Line]:
        """Return what there is to see."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the lines again, and take as many rows."""
        if width := self.size.width:
            lines = self.lines_for(width)
            self.styles.height = max(1, len(lines))
            self.show(lines)

    def on_resize(self, event: events.Resize) -> None:
        event.prevent_default()  # Textual would call the canvas's handler after this one
        super().on_resize(event)
        self.redraw()


class SetupLedger(_Side):
    """Operations, volume and memory of the configuration as it is typed."""

    BINDING_GROUP_TITLE = "ledger"
    HELP = (
        "Exact counts from the list of operations of a step, for any size, before anything runs. The naive count is one "
        "multiplication forward and one derivative backward for each weight."
    )

    ledger: Ledger | None = None
    """None while a field that the counts depend on is wrong, or the file that decides them is read."""
    is_reading = False
    """True while the file of the form is read."""

    def lines_for(self, width: int) -> list[Line]:
        """Return the counts, or that there are none."""
        if self.ledger is None:
            missing = "the file is read" if self.is_reading else "the fields marked ✗ are right"
            return wrap(f"nothing to count until {missing}", width, Tone.DIM)
        if self.folded:
            return cost_view.folded(self.ledger, width)
        return cost_view.column(self.ledger, memory_check.step_memory(self.ledger.config, self.ledger.memory), width)


class SetupPrediction(_Side):
    """Time and memory of the configuration as it is typed."""

    BINDING_GROUP_TITLE = "time and memory"
    HELP = (
        "Predicted from the measured costs of operations on this machine: the estimate and its 90 % interval. The line below "
        "shows how the last edit changed the time of the run, or of an epoch if the run has no fixed number of epochs."
    )

    prediction = PredictionState()
    change: Change | None = None

    def lines_for(self, width: int) -> list[Line]:
        """Return times and memory in always the same number of lines."""
        rows = prediction_view.FOLDED_ROWS if self.folded else prediction_view.ROWS
        lines = (prediction_view.folded if self.folded else prediction_view.column)(self.prediction, self.change, width)
        return [*(clip_line(line, width) for line in lines), *[()] * (rows - len(lines))]


class SetupScreen(PageScreen[None]):
    """The setup page. Posts `StartRequested` with a valid configuration, and `Uncovered` when it is in front again."""

    TITLE = "setup"
    AUTO_FOCUS = ""  # it would scroll the form; the page sets the focus itself
    PAGE = "setup"
    HELP = "Describe a network and a run: the cost is counted as you type, and an invalid value is marked at its field."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "start", "start", key_display="^r"),
        Binding("u", "undo", "undo", id="setup.undo", tooltip="Undo the last edit of the form"),
        Binding("ctrl+o", "app.open('import')", "import", key_display="^o", tooltip="Choose a data file and its columns"),
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "previous field", show=False),
    ]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS

    def __init__(
        self, config: RunConfig | None = None, presets: Sequence[Preset] = PRESETS,
        predictor: BackgroundPredictor | None = None, is_first: bool = False,
    ) -> None:  # fmt: skip
        """`predictor`: predicts the run; without it nothing is predicted. `is_first`: say what to do."""
        super().__init__()
        self._first = presets[0].config if config is None else config
        self.presets = PresetLibrary(presets)
        self._reading = Reading(None, None)
        self._is_first = is_first
        self.described: RunConfig | None = None
        """The configuration in the form before the data decide anything of it; None while it has mistakes."""
        self._prober: Thread | None = None
        self._unknown_backend = ""
        self._predictor = predictor
        self._edits = Edits()
        self._undo = Undo()
        self._stamp: object = None
        self._prediction: Prediction | None = None
        self._later: Timer | None = None
        self._in_front = True
        self._file = FileReading()
        self._starts_when_read = False

    def compose(self) -> ComposeResult:
        """Lay out the form, and the cost beside it."""
        if self._is_first:
            yield Static(FIRST_START, id="setup-first", markup=False)
        with Vertical(id="setup-body"):
            yield SetupForm(self.presets.entries, (*backends.names(), backends.AUTO))
            with Vertical(id="setup-side"):
                with VerticalScroll(id="ledger-scroll", can_focus=False):
                    yield SetupLedger(id="ledger")
                if self._predictor is not None:
                    yield SetupPrediction()
                with Vertical(id="setup-start"):
                    yield Button("start training  ^r", id="start", compact=True)
                    yield Static(id="setup-why", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the form, and follow the prediction."""
        self.fill(self._first)
        self.query_one(PresetBar).focus(scroll_visible=False)
        self.every(LOOK_SECONDS, self._look)
        self.every(FILE_SECONDS, self._follow_file)

    def on_unmount(self) -> None:
        """Give up a file that is being read."""
        self._file.cancel()

    def on_resize(self) -> None:
        """Fold the cost in small terminals."""
        shown = self.query_one(SetupLedger)
        shown.folded = self.size.width < LEDGER_WIDTH
        shown.redraw()
        self._show_start()
        for predicted in self.query(SetupPrediction):
            predicted.folded = shown.folded or self.size.height < COLUMN_HEIGHT
            predicted.redraw()
        self.call_after_refresh(self.query_one(SetupForm).redraw)

    def on_screen_resume(self) -> None:
        """Predict again when the page is in front again."""
        self._in_front = True
        self._predict()
        self.post_message(Uncovered())

    def on_screen_suspend(self) -> None:
        """Stop predicting while another page is in front."""
        self._in_front = self.app.screen.is_modal

    @property
    def config(self) -> RunConfig | None:
        """The configuration in the form; None while it has mistakes."""
        return self._reading.config

    @property
    def countable(self) -> RunConfig | None:
        """The configuration in the form also if it does not fit data or machine; None while it cannot be counted."""
        return self._reading.countable

    def fill(self, config: RunConfig) -> None:
        """Show a configuration in the form."""
        self.query_one(SetupForm).fill(to_texts(config))
        self._read()

    def edit(self, name: str, text: str) -> None:
        """Set one field of the form."""
        form = self.query_one(SetupForm)
        form.fill({**form.values, name: text})
        self._read()

    def choose_preset(self, name: str) -> None:
        """Fill the form with a preset."""
        self.query_one(PresetBar).choose(name)

    @on(PresetBar.Chosen)
    def _preset_chosen(self, event: PresetBar.Chosen) -> None:
        self.fill(event.config)

    @on(PresetBar.SaveAsked)
    def save_preset(self) -> None:
        """Ask for a name and save the form as a preset."""
        config = self.described
        if config is None:
            self.notify("Fix the fields marked ✗ first", title="nothing to save", severity="error")
            return

        def save(name: str | None) -> None:
            if name is not None:
                self._change_presets(name, lambda: self._saved(name, config))

        own = self.query_one(PresetBar).highlighted
        suggested = own.name if own is not None and own.is_own else ""
        words = "⏎ saves the form under this name, esc cancels"
        self.app.push_screen(NameDialog("save as preset", words, name_mistake, suggested), save)

    def _saved(self, name: str, config: RunConfig) -> str:
        if self.presets.save(name, config):
            return f"{name} replaced: 'Restore preset {name}' in the palette (ctrl+p) brings the former one back"
        return f"{name} saved"

    @on(PresetBar.DeleteAsked)
    def _delete_asked(self, event: PresetBar.DeleteAsked) -> None:
        self.delete_preset(event.name)

    def delete_preset(self, name: str) -> None:
        """Delete a preset of the user; the notice says how it comes back."""

        def delete() -> str:
            self.presets.delete(name)
            return f"{name} deleted: 'Restore preset {name}' in the palette (ctrl+p) brings it back"

        self._change_presets(name, delete)

    def restore_preset(self, name: str) -> None:
        """Restore a preset that was deleted or replaced."""

        def restore() -> str:
            self.presets.restore(name)
            return f"{name} restored"

        self._change_presets(name, restore)

    def _change_presets(self, name: str, change: Callable[[], str]) -> None:
        """Make a change, show the presets again and what was done, or why it could not be."""
        try:
            words = change()
        except DataError as error:
            self.notify(str(error), title=name, severity="error", markup=False)
            return
        bar = self.query_one(PresetBar)
        bar.entries = self.presets.entries
        self._show_chosen()
        self.notify(words, title="presets", markup=False)

    def _show_chosen(self) -> None:
        """Mark the preset whose values the form holds."""
        bar, values = self.query_one(PresetBar), self.query_one(SetupForm).values
        matching = (one.name for one in bar.entries if one.config is not None and to_texts(one.config) == values)
        bar.chosen = next(matching, "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to undo an edit only if there is one, and the import page by an arrow that the focused field does not use."""
        if action == "sub_page":
            return True
        return self._undo.has_edits if action == "undo" else super().check_action(action, parameters)

    def action_undo(self) -> None:
        """Undo the last edit of the form."""
        self.query_one(SetupForm).fill(self._undo.undo())
        self._read()

    @on(SetupForm.Changed)
    def _edited(self) -> None:
        self._starts_when_read = False
        self._read()

    def _read(self) -> None:
        """Read the form, and show its cost and its mistakes."""
        form = self.query_one(SetupForm)
        values = form.values
        could_undo = self._undo.has_edits
        self._undo.take(values, self.focused if isinstance(self.focused, Input) else None)
        if self._undo.has_edits != could_undo:
            self.refresh_bindings()
        given = from_texts(values)
        self.described = given.config
        self._file.request(given.countable)
        self._reading, ledger = _judge(given, self._file.failure)
        self._reading = self._with_backend(self._reading, values["backend"])
        form.show_mistakes(self._reading.mistakes, values)
        form.field("path").say(self._file.words_for(given.countable))
        is_judged = given.countable is not None and data.is_known(given.countable)
        form.show_suggestions(suggestions(given.countable) if is_judged and given.countable else ())
        shown = self.query_one(SetupLedger)
        shown.ledger, shown.is_reading = ledger, bool(self._file.words)
        shown.redraw()
        self._show_chosen()
        self._prediction = None  # until this run is predicted
        self._show_start()
        if self._later is not None:
            self._later.stop()
            self._later = None
        if ledger is None or len(ledger.program.ops) <= LIGHT:
            self._predict()
        else:
            self._later = self.after(PAUSE_SECONDS, self._predict)

    def _follow_file(self) -> None:
        """Show the progress of a file that is being read, and what was learned of it once it is."""
        if self._file.is_finished():
            self.query_one(SetupForm).fit_to_data()
            self._read()
            if self._starts_when_read:
                self._starts_when_read = False
                self.action_start()
        elif words := self._file.words:
            self.query_one(SetupForm).field("path").say(words)
            self._show_start()

    def _look(self) -> None:
        if self._unknown_backend and _obstacle(self._unknown_backend) is not None:
            self._read()
        if self._predictor is not None and self._in_front and self._predictor.stamp != self._stamp:
            self._predict()

    def _predict(self) -> None:
        """Show the prediction, and what the last edit changes in it."""
        if self._predictor is None:
            return
        self._stamp = self._predictor.stamp
        # Also a run too large for this machine, but not one that no backend here computes.
        unsure = any(mistake.field in ("backend", "threads") for mistake in self._reading.mistakes)
        config = None if unsure else self._reading.countable
        if self._in_front:
            self._predictor.prepare(config)
        predicted = PredictionState() if config is None else self._predictor.state(config)
        change = self._edits.take(self.query_one(SetupForm).values, predicted.prediction)
        self._prediction = predicted.prediction
        shown = self.query_one(SetupPrediction)
        shown.prediction, shown.change = predicted, change
        shown.redraw()
        self._show_start()  # it names the predicted memory

    def _with_backend(self, reading: Reading, name: str) -> Reading:
        """Return the reading with a mistake if the backend is known not to work here."""
        obstacle = _obstacle(name)
        self._unknown_backend = name if obstacle is None else ""
        if obstacle is None and (self._prober is None or not self._prober.is_alive()):
            # On a thread: importing a compiler takes a second.
            self._prober = Thread(target=backends.probe, args=(name,), name="tuisim-probing", daemon=True)
            self._prober.start()
        return reading.with_mistake("backend", name, obstacle) if obstacle else reading

    def _show_start(self) -> None:
        shown = self.query_one(SetupLedger)
        wrong = [field.declared.label for field in self.query_one(SetupForm).fields if field.mistake]
        self.query_one("#start", Button).disabled = self._reading.config is None and not (self._file.words and not wrong)
        why = f"fix the fields marked ✗ first: {', '.join(wrong)}" if wrong else ""
        if self._file.words and not wrong:
            why = f"{'starts when it is read · ' * self._starts_when_read}{self._file.words}"
        elif (ledger := shown.ledger) is not None and not wrong and shown.folded:
            step = memory_check.step_memory(ledger.config, ledger.memory).total
            memory = weight(self._prediction.memory_bytes) if self._prediction else f"{weight(step)} per step"
            why = f"{number(ledger.parameters, 13)} parameters, {memory}"
        said = self.query_one("#setup-why", Static)
        said.update(why)
        said.set_class(bool(wrong), "-wrong")

    async def action_sub_page(self, direction: int) -> None:
        """Open the import page."""
        await self.app.run_action("open('import')")

    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        """Start the run, or go to the first mistake."""
        if self._reading.config is not None:
            self.post_message(StartRequested(self._reading.config, self.described))
            return
        if self._file.words and not self._reading.mistakes:
            self._starts_when_read = True
            self._show_start()
            return
        for field in self.query_one(SetupForm).fields:
            if field.mistake:
                field.control.focus()
                break
        self.notify("; ".join(map(str, self._reading.mistakes)), title="cannot start yet", severity="error", markup=False)


def _judge(reading: Reading, unreadable: str) -> tuple[Reading, Ledger | None]:
    """Return the reading with the mistakes that only this machine knows of (missing data, too little memory), and the ledger.

    A file that was not read leaves nothing to count or to start. `unreadable`: why it could not be read.
    """
    if reading.countable is None:
        return reading, None
    dataset, obstacle, ledger = reading.countable.dataset, "", None
    if not data.is_known(reading.countable):
        unread = Reading(None, None, reading.mistakes)
        return unread.with_mistake("dataset", dataset, unreadable) if unreadable else unread, None
    try:
        if data.is_file(reading.countable):
            data.of_file(reading.countable)
        reading = reading.fitted(data.fitted)
    except TuisimError as error:
        obstacle = str(error)
        reading = reading.fitted(data.fitted_without_file)
    if reading.countable is not None:
        try:
            ledger = count(reading.countable)
            obstacle = obstacle or data.available(reading.countable.dataset) or data.misfit(reading.countable) or ""
            memory_check.check(replace(reading.countable, batch_size=ledger.batch))
        except MemoryNeeded as error:
            return reading.with_mistake("layers", layers_text(reading.countable.layers), str(error)), ledger
        except TuisimError as error:
            ledger, obstacle = None, str(error)
    return reading.with_mistake("dataset", dataset, obstacle) if obstacle else reading, ledger


def _obstacle(name: str) -> str | None:
    """Return why a backend cannot be used here; empty if it can, None if it has to be probed first."""
    if name == backends.AUTO:
        return ""
    try:
        found = backends.probe_if_loaded(name)
    except BackendError as error:
        return str(error)
    return None if found is None else found.why_not
