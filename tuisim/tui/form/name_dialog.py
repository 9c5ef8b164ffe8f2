"""A dialog that asks for a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tuisim.tui.form.controls import Entry


class NameDialog(ModalScreen[str]):
    """An input over the page: ⏎ gives the name back if it may be used, esc gives back None."""

    TITLE = "name"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "cancel", key_display="esc"),
        Binding("ctrl+c", "app.interrupt", show=False),
    ]
    DEFAULT_CSS = """
    NameDialog { align: center middle; background: $background 60%; }
    NameDialog > Vertical { width: 52; height: auto; padding: 1 2; border: round $accent; background: $surface; }
    NameDialog Static { height: auto; }
    NameDialog .words { color: $text-muted; margin-top: 1; }
    NameDialog .words.-wrong { color: $error; }
    """

    def __init__(self, title: str, words: str, mistake: Callable[[str], str], suggested: str = "") -> None:
        """`mistake` returns why a name may not be used, an empty text if it may; `words` say what ⏎ does."""
        super().__init__()
        self._title, self._explanation, self._mistake, self._suggested = title, words, mistake, suggested

    def compose(self) -> ComposeResult:
        """Lay out the input between its title and what ⏎ does."""
        with Vertical() as box:
            box.border_title = self._title
            yield Entry(id="name")
            yield Static(self._explanation, classes="words", markup=False)

    def on_mount(self) -> None:
        """Show the name that is suggested, selected so that typing replaces it."""
        entry = self.query_one(Entry)
        entry.show(self._suggested)
        self.call_after_refresh(entry.action_select_all)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._say(self._mistake(event.value.strip()) if event.value.strip() else "")

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        mistake = self._mistake(name)
        if mistake:
            self._say(mistake)
        else:
            self.dismiss(name)

    def _say(self, mistake: str) -> None:
        words = self.query_one(".words", Static)
        words.update(f"✗ {mistake}" if mistake else self._explanation)
        words.set_class(bool(mistake), "-wrong")

    def on_click(self, event: events.Click) -> None:
        """Close the dialog on a click outside it."""
        if not self.query_one(Vertical).region.contains(event.screen_x, event.screen_y):
            self.dismiss(None)
