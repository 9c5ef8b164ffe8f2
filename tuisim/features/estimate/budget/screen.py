"""The budget screen: work backwards from a time or a memory to as much of this network as fits.

It routes between the fields, the solver's thread and the panels; it solves and draws nothing. What a run takes is asked of
`outlook`, and what is to become of an answer is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import ClassVar, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tuisim import units
from tuisim.config import Field, RunConfig
from tuisim.errors import ConfigError, printable
from tuisim.features.estimate.budget.budget import Answer, Limit, Predicts
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification
from tuisim.features.estimate.budget.view import NAMES, AnswersView, AnswerView, BudgetHeader, Sheet, SheetView
from tuisim.features.estimate.budget.worker import BudgetWorker, VerificationWorker
from tuisim.features.estimate.volume.estimate import ASSUMED_EPOCHS
from tuisim.predict.predictor import here
from tuisim.provenance import words
from tuisim.tui.form.inputs import InputLine
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen

TICK = 0.05
"""Seconds between two looks at the threads."""
FIRST = Limit(seconds=600)
INPUTS = (
    Field("", "", "How much time there is.", name="time", type=float, none="10min, 2h, 3d", above=0, parser=units.parse_duration),
    Field("", "", "How much memory there is.", name="memory", type=int, none="500MB, 2GiB", minimum=1, parser=units.parse_size,
          writer=units.exact_size),
)  # fmt: skip
_WIDTHS = [(0, "-narrow"), (100, "-normal")]
_HEIGHTS = [(0, "-low"), (32, "-tall")]
_ROW = Binding.Group("row", compact=True)


class AnyVerificationWorker(Protocol):
    """What the screen needs of whoever makes the short run."""

    @property
    def answer(self) -> Answer: ...
    @property
    def found(self) -> Verification | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class BudgetScreen(PanelScreen):
    """`use` is handed the configuration of the answer that is chosen, once the screen is left for it.

    `outlook` may raise DataError, and is asked again where it did once `news` is another thing; `busy` says what a short real
    run would disturb and be disturbed by, in words, and `hush` keeps others from beginning.
    """

    TITLE = "work backwards"
    RECKONS = True
    HELP = (
        "Type how much time there is, how much memory, or both: the widest, the deepest, the most epochs and the most examples "
        "of this network that fit, solved from the machine card. Each can be held against a short real run, and used."
    )
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    AUTO_FOCUS = ""  # the answers are read first; `t` edits
    CSS = """
    BudgetScreen { layout: grid; grid-size: 1 5; grid-rows: 1 auto 7 1fr 1; }
    #budget-header { background: $panel; }
    BudgetScreen KeyLine { dock: none; }
    BudgetScreen.-narrow Panel { padding: 0; }
    BudgetScreen.-tall { grid-rows: 1 auto 11 1fr 1; }
    BudgetScreen.-zoomed { grid-size: 1 4; grid-rows: 1 auto 1fr 1; }
    BudgetScreen.-zoomed Panel { display: none; }
    BudgetScreen.-zoomed Panel.-zoomed { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "edit('time')", "time", id="budget.time", tooltip="Type how much time there is"),
        Binding("m", "edit('memory')", "memory", id="budget.memory", tooltip="Type how much memory there is"),
        *(
            Binding(key, f"row({by})", f"row {key}", id=f"budget.{key}", key_display=shown, group=_ROW, priority=True,
                    tooltip=f"The answer {'above' if by < 0 else 'below'}")
            for key, shown, by in (("up", "↑", -1), ("down", "↓", 1))
        ),
        Binding("enter,u", "use", "use it", id="budget.use", key_display="⏎", tooltip="Use the chosen answer's configuration"),
        Binding("v", "verify", "verify", id="budget.verify", tooltip="Hold the chosen answer against a real run of two seconds"),
        *(
            Binding(str(n), f"zoom({n})", f"zoom {what}", id=f"budget.zoom_{n}", show=False, tooltip=f"Only the {what}, or all")
            for n, what in enumerate(("answers", "chosen answer"), 1)
        ),
        Binding("escape,b", "back", "back", id="budget.back", key_display="esc", tooltip="Out of the field or zoom, or back"),
    ]  # fmt: skip

    def __init__(
        self,
        config: RunConfig,
        use: Callable[[RunConfig], None],
        outlook: Callable[[], Predicts] = here,
        busy: Callable[[], str] = lambda: "",
        hush: Callable[[], None] = lambda: None,
        limit: Limit = FIRST,
        verifier: Callable[[Answer], AnyVerificationWorker] = VerificationWorker,
        news: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._asked, self._use, self._busy = config, use, busy
        # A run until stopped fits no time; some end has to be assumed for what is asked of it.
        self._config = replace(config, epochs=config.epochs or ASSUMED_EPOCHS)
        self._hush = hush
        # A card is read once, and again where it did not do and there is news.
        self._outlook, self._ask = cache(outlook), outlook
        self._news, self._known = news, news()
        self._make_verifier = verifier
        self._worker: BudgetWorker | None = None
        self._verifier: AnyVerificationWorker | None = None
        self.sheet = Sheet(limit)
        self._header = BudgetHeader(config)
        self._line = ViewCanvas(self._header, id="budget-header")
        first = {"time": limit.seconds, "memory": limit.memory}
        self._inputs = InputLine("", INPUTS, first)
        self._views = (AnswersView(), AnswerView())
        self._panels = (
            Panel(1, "as much as fits", self._views[0], id="budget-answers", numbers=True, turn=None),
            Panel(2, "the chosen one", self._views[1], id="budget-answer", numbers=True, turn=None),
        )

    def compose(self) -> ComposeResult:
        yield self._line
        yield self._inputs
        yield from self._panels
        yield KeyLine()

    def on_mount(self) -> None:
        self.every(TICK, self.tick)
        self._solve(self.sheet.limit, None)

    def on_unmount(self) -> None:
        for worker in (self._worker, self._verifier):
            if worker is not None:
                worker.stop()

    # ── solving ──

    @on(InputLine.Edited)
    def _edited(self, message: InputLine.Edited) -> None:
        limit, mistake = None, message.mistake
        if message.values is not None:
            try:
                limit = Limit(message.values["time"], message.values["memory"])
            except ConfigError as error:
                mistake = str(error).splitlines()[0]
                self._inputs.refuse(mistake)
        self._solve(limit, mistake or None)

    def _solve(self, limit: Limit | None, mistake: str | None) -> None:
        """From the beginning, by this limit."""
        if self._worker is not None:
            self._worker.stop()
        self._worker = None if limit is None else BudgetWorker(self._config, limit, self._outlook)
        self._show(Sheet(limit, chosen=self.sheet.chosen, failure=mistake))
        if self._worker is not None:
            self._worker.start()

    def _try_again(self) -> None:
        self._known = self._news()
        self._outlook = cache(self._ask)
        assert self.sheet.limit is not None
        self._worker = BudgetWorker(self._config, self.sheet.limit, self._outlook)
        self._worker.start()

    def tick(self) -> None:
        """Show what is new."""
        if self._worker is not None and self._worker.failure is not None and self._news() != self._known:
            self._try_again()
        sheet = self.sheet
        if self._worker is not None:
            # What has failed stands there until it is known whether it still does.
            before = None if self._worker.answers else sheet.failure
            sheet = replace(sheet, answers=self._worker.answers, failure=self._worker.failure or before)
        if self._verifier is not None and not self._verifier.alive:
            answer, failure = self._verifier.answer, self._verifier.failure
            if any(answer is one for one in sheet.answers):  # else the limit has changed since
                found = self._verifier.found or Verification(0, None, None, f"not verified: {failure}")
                sheet = replace(sheet, verifying=None, checks=sheet.checks | {answer.question: found})
            self._verifier = None
        if sheet != self.sheet:
            self._show(sheet)

    def _show(self, sheet: Sheet) -> None:
        self.sheet = sheet
        readers: tuple[SheetView, ...] = (self._header, *self._views)
        for reader in readers:
            reader.sheet = sheet
        self._line.draw()
        for panel, view in zip(self._panels, self._views, strict=True):
            panel.border_subtitle = words(view.kinds)
            if panel.display:
                panel.canvas.draw()
        solving = self._worker is not None and sheet.failure is None and len(sheet.answers) < len(Question)
        self._inputs.say("solving …" if solving else "" if sheet.failure else "solved from the machine card")

    # ── keys, and the mouse ──

    @on(Panel.RowClicked)
    def _clicked(self, message: Panel.RowClicked) -> None:
        self._show(replace(self.sheet, chosen=message.row))

    def action_edit(self, name: str) -> None:
        self._inputs.edit(name)

    def action_row(self, by: int) -> None:
        chosen = min(max(self.sheet.chosen + by, 0), len(Question) - 1)
        self._show(replace(self.sheet, chosen=chosen))

    def action_use(self) -> None:
        """Leave with the chosen answer's configuration."""
        answer = self.sheet.answer
        if answer is None or answer.config is None:
            self.notify(printable(answer.words if answer else "not solved yet", 200), title="nothing to use", markup=False)
            return
        self.dismiss(None)
        if self._asked.epochs is None and answer.question is not Question.EPOCHS:
            self.notify(f"with {ASSUMED_EPOCHS} epochs, which it was solved for", title=NAMES[answer.question])
        self._use(answer.config)

    def action_verify(self) -> None:
        answer = self.sheet.answer
        if answer is None or answer.prediction is None or self._verifier is not None:
            return
        if busy := self._busy():
            self.notify(busy, title="not verified")
            return
        self._hush()
        self._verifier = self._make_verifier(answer)
        self._verifier.start()
        self._show(replace(self.sheet, verifying=answer.question))

    def action_back(self) -> None:
        """Out of the field, out of the zoom, or back."""
        if self.focused is not None and self._inputs in self.focused.ancestors:
            self.set_focus(None)
        else:
            super().action_back()
