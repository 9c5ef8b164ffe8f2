"""The page Any volume, and what it shares with Known networks: inputs for examples and epochs, and a selected row."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tuisim import data
from tuisim.config import Field, RunConfig
from tuisim.config.known_data import epochs_of
from tuisim.errors import TuisimError
from tuisim.features.estimate.volume import view
from tuisim.features.estimate.volume.estimate import ASSUMED_EPOCHS, EPOCHS, VOLUMES, Price, estimate, estimate_volumes
from tuisim.features.estimate.volume.view import VolumeState
from tuisim.predict import predictor as prices
from tuisim.tui.context import PageContext
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen, row_bindings, zoom_bindings
from tuisim.units import AUTO

LOOK_SECONDS = 0.25
"""Seconds between two looks whether the prices have changed."""


WIDTHS = [(0, "-narrow"), (100, "-normal")]
HEIGHTS = [(0, "-low"), (32, "-tall")]


class TimesScreen(PanelScreen):
    """A page about examples, epochs, a selected row, and prices that may change. Subclasses make the state."""

    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    is_optional: ClassVar[bool] = False
    """True if the inputs may be empty."""
    _inputs: InputLine
    AUTO_FOCUS = ""  # the times are read first; `e` edits
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", id="times.edit", tooltip="Edit the number of examples and epochs"),
        *row_bindings("times"),
    ]

    def __init__(self, context: PageContext, fields: tuple[Field, ...], values: Mapping[str, int | None], empty: Any) -> None:
        """`empty`: the state without times, whose `failure` a mistake becomes."""
        super().__init__()
        self.state = self._empty = empty
        self.context = context
        self.selected = 0
        self.values, self._mistake = dict(values), ""
        self._inputs = InputLine("", fields, values)
        self._known: object = None

    def make_state(self) -> Any:
        """Return the state for the values and the selected row. May raise TuisimError."""
        raise NotImplementedError

    def forget_prices(self) -> None:
        """Drop what was computed with the prices before; they have changed."""

    def on_mount(self) -> None:
        """Show the first state, and follow the prices."""
        self._known = self._stamp()
        self.update()
        self.every(LOOK_SECONDS, self.tick)

    def _stamp(self) -> object:
        return None if self.context.predictor is None else self.context.predictor.stamp

    def tick(self) -> None:
        """Update the page if the prices have changed."""
        if self._stamp() != self._known:
            self._known = self._stamp()
            self.forget_prices()
            self.update()

    def update(self) -> None:
        """Show the state for the values and the selected row."""
        try:
            self.state = replace(self._empty, failure=self._mistake) if self._mistake else self.make_state()
        except TuisimError as error:
            self.state = replace(self._empty, failure=str(error))
        self.show(self.state)

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        self._mistake = message.mistake
        if message.values is not None:
            self.values = message.values
        self.update()

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self.selected = message.row
        self.update()

    def action_edit(self) -> None:
        """Put the cursor into the number of examples."""
        self._inputs.edit("examples")

    def action_row(self, by: int) -> None:
        """Select another row; in an input, step through common values; a zoomed panel scrolls."""
        if isinstance(self.focused, Input):
            self.step(self.focused, by)
            return
        for panel in self._panels:
            if panel.canvas.zoomed and panel.canvas.scrolls:
                panel.scroll_relative(y=by, animate=False)
                return
        self.selected = min(max(self.selected + by, 0), max(len(self.state.rows) - 1, 0))
        self.update()

    def step(self, entry: Input, by: int) -> None:
        """Put the next common value into an input."""
        name = (entry.id or "").removeprefix("input-")
        steps = tuple(VOLUMES.values()) if name == "examples" else EPOCHS
        now = self.values[name]
        place = bisect_right(steps, now or 0) if by > 0 else bisect_left(steps, now or 0) - 1
        if 0 <= place < len(steps):
            entry.value = str(steps[place])
        elif by < 0 and self.is_optional:
            entry.value = ""


class VolumeScreen(TimesScreen):
    """The time of one network for any volume of data, on each backend that was measured."""

    TITLE = "time estimate"
    HELP = (
        "The time to train this network on any number of examples and epochs, on each backend that was measured: low, high and "
        "the estimate between. The table has the estimates for common volumes; a click chooses one."
    )
    CSS = """
    VolumeScreen { layout: grid; grid-size: 1 6; grid-rows: 1 auto 1fr 6 9 1; }
    #volume-header { background: $panel; }
    VolumeScreen KeyLine { dock: none; }
    VolumeScreen.-low { grid-size: 1 5; grid-rows: 1 auto 1fr 8 1; }
    VolumeScreen.-low #volume-volumes { display: none; }
    VolumeScreen.-zoomed { grid-size: 1 4; grid-rows: 1 auto 1fr 1; }
    VolumeScreen.-zoomed #volume-volumes { display: none; }
    VolumeScreen.-zoomed #volume-volumes.-zoomed { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = zoom_bindings("volume", "times", "computation", "volumes")

    def __init__(self, context: PageContext) -> None:
        config = context.config
        examples = data.rows(config) or next(iter(VOLUMES.values()))
        epochs = config.known_epochs or ASSUMED_EPOCHS
        fields = (
            Field("", "", "Training examples per epoch.", name="examples", type=int, minimum=1, default=examples),
            Field("", "", "Passes over the training examples.", name="epochs", type=int, minimum=1, default=epochs),
        )
        super().__init__(context, fields, {"examples": examples, "epochs": epochs}, VolumeState(config))
        is_auto = context.described is not None and context.described.epochs == AUTO
        self._auto_epochs = epochs if is_auto else None
        """The epochs that the number of examples decides; None if they are given."""
        self.forget_prices()
        self._line = ViewCanvas(view.header, id="volume-header")
        self._panels = (
            Panel(1, "time by backend", view.times, id="volume-times", tag=view.TIMES_TAG, rows=view.time_row_places),
            Panel(2, "how it is computed", view.how, id="volume-how", tag=view.HOW_TAG),
            Panel(3, "time by volume", view.volume_lines, id="volume-volumes", tag=view.VOLUMES_TAG, rows=view.volume_places),
        )

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        """While the form leaves the epochs to the number of examples and none were typed, they follow it."""
        epochs, was_auto = self.values["epochs"], self._auto_epochs
        super()._edited(message)
        if message.values is None or was_auto is None or epochs != was_auto or self.values["epochs"] != epochs:
            return
        self._auto_epochs = epochs_of(self.values["examples"] or 1, self.context.config.batch_size)
        if self._auto_epochs != epochs:
            self.query_one("#input-epochs", Input).value = str(self._auto_epochs)

    @property
    def copied_config(self) -> RunConfig:
        """The configuration with the examples and epochs as edited."""
        return replace(self.context.config, examples=self.values["examples"], epochs=self.values["epochs"])

    def forget_prices(self) -> None:
        """Price every configuration again."""
        predictor = self.context.predictor
        timed: prices.Timed = (lambda _: None) if predictor is None else predictor.pilot
        self._price: Price = cache(lambda config: prices.priced(config, None if predictor is None else predictor.current, timed))

    def make_state(self) -> VolumeState:
        """Return the estimates for the volume in the inputs and for every named one."""
        config, epochs, predictor = self.context.config, self.values["epochs"], self.context.predictor
        found = estimate(config, self._price, self.values["examples"], epochs)
        volumes = estimate_volumes(config, self._price, epochs) if found.rows else ()
        missing = ""
        if not found.rows:
            missing = (predictor.state(config).why_not if predictor is not None else "") or prices.missing()
        is_assumed = config.known_epochs is None and epochs == ASSUMED_EPOCHS
        return VolumeState(config, found, volumes, self.selected, missing=missing, is_assumed=is_assumed)

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        if message.panel is self._panels[2]:
            message.stop()
            self.query_one("#input-examples", Input).value = str(self.state.volumes[message.row].examples)
        else:
            super()._clicked(message)
