"""The line above the budget screen: how much time and memory there is, to be typed over, and what is going on.

It reads texts into a limit, or says what is wrong; what follows from it is the screen's.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from tuisim import units
from tuisim.errors import ConfigError
from tuisim.features.estimate.budget.budget import Limit
from tuisim.tui.form.field import Entry


class BudgetInputs(Horizontal):
    """Posts `Edited` at every change of what is typed."""

    BINDING_GROUP_TITLE = "time and memory"
    HELP = "Type how much time there is (600, 10min, 2h, 3d), how much memory (500MB, 2GiB), or both; a blank is no limit."
    DEFAULT_CSS = """
    BudgetInputs {
        height: 1; padding: 0 1; background: $footer-background;
        & .label { width: auto; color: $secondary; padding-right: 1; }
        & Entry { width: 12; margin-right: 2; }
        & #budget-state { width: 1fr; height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    @dataclass
    class Edited(Message):
        """Another limit; none where what is typed is not one, with why."""

        limit: Limit | None
        mistake: str

    def __init__(self, limit: Limit) -> None:
        super().__init__()
        self._first = limit

    def compose(self) -> ComposeResult:
        for name in ("time", "memory"):
            yield Static(name, classes="label")
            yield Entry(id=f"budget-{name}", placeholder={"time": "10min", "memory": "2GiB"}[name])
        yield Static(id="budget-state", markup=False)

    def on_mount(self) -> None:
        seconds, memory = self._first.seconds, self._first.memory
        self.query_one("#budget-time", Entry).show("" if seconds is None else f"{seconds:g}")
        self.query_one("#budget-memory", Entry).show("" if memory is None else written(memory))

    def say(self, words: str) -> None:
        """What is going on."""
        self.query_one("#budget-state", Static).update(words)

    @on(Input.Changed)
    def _read(self, event: Input.Changed) -> None:
        event.stop()
        time, memory = (self.query_one(f"#budget-{name}", Entry).text for name in ("time", "memory"))
        try:
            self.post_message(self.Edited(read(time, memory), ""))
        except (ConfigError, ValueError) as error:
            self.post_message(self.Edited(None, str(error).splitlines()[0]))

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(None)


def read(time: str, memory: str) -> Limit:
    """What is typed. Raises ConfigError or ValueError with what would be right."""
    try:
        seconds = units.parse_duration(time) if time.strip() else None
    except ValueError as error:
        raise ValueError(f"time: {error}") from None
    try:
        bytes_ = units.parse_size(memory) if memory.strip() else None
    except ValueError as error:
        raise ValueError(f"memory: {error}") from None
    return Limit(seconds, bytes_)


def written(bytes_: int) -> str:
    """A size as it could be typed, not rounded."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if bytes_ % 1024**power == 0:
            return f"{bytes_ // 1024**power} {unit}"
    return str(bytes_)
