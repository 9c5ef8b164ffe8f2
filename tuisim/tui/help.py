"""The help screen, made from the bindings and the help texts of the app, its screens and widgets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from tuisim.tui.form.form import FormField
from tuisim.tui.key_line import KeyLine
from tuisim.tui.page import PageScreen

COLUMN = 18
"""Cells for the keys."""


@dataclass(frozen=True, slots=True)
class Group:
    """The help of one screen or widget."""

    title: str
    words: str
    rows: tuple[tuple[str, str], ...] = field(default=())
    """(keys, what they do), or (name, what it is)."""


def groups(screen: Screen[Any], others: Iterable[type[Screen[Any]]] = ()) -> list[Group]:
    """Return the keys of `screen`, of its widgets, of the app, and of other screens."""
    app = screen.app
    fields = Group("fields", "", tuple((one.declared.label, one.declared.help) for one in screen.query(FormField)))
    found = [_of_class(app, type(screen)), *_of_widgets(app, screen), fields, _of_class(app, type(app))]
    found += [_of_class(app, other) for other in others if not isinstance(screen, other)]
    return [group for group in found if group.words or group.rows]


def _of_class(app: App[Any], node: type[DOMNode]) -> Group:
    title = getattr(node, "TITLE", None) or node.__name__
    return Group(
        "everywhere" if issubclass(node, App) else f"{title} screen", getattr(node, "HELP", None) or "", _keys(app, node)
    )


def _of_widgets(app: App[Any], screen: Screen[Any]) -> Iterable[Group]:
    """Yield one group for each class of widgets that has keys or a help text."""
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for widget in screen.walk_children(Widget):
        kind = type(widget)
        if not kind.__module__.startswith("tuisim."):
            continue
        words, keys = kind.HELP or "", _keys(app, kind)
        if (words, keys) in seen or not (words or keys):
            continue
        seen.add((words, keys))
        yield Group(str(widget.border_title or kind.BINDING_GROUP_TITLE or kind.__name__), words, keys)


def _keys(app: App[Any], node: type[DOMNode]) -> tuple[tuple[str, str], ...]:
    """Return the described bindings of a class, the keys of one action together."""
    keys: dict[tuple[str, str], list[str]] = {}
    for kind in node.__mro__:
        if kind.__module__.startswith("tuisim."):
            for binding in Binding.make_bindings(kind.__dict__.get("BINDINGS", ())):
                if binding.description:
                    shown = app.get_key_display(Binding(binding.key, binding.action))
                    keys.setdefault((binding.action, binding.tooltip or binding.description), []).append(shown)
    return tuple((" ".join(dict.fromkeys(names)), words) for (_, words), names in keys.items())


class HelpScreen(ModalScreen[None], PageScreen[None]):
    """Keys and help texts, grouped by screen and widget."""

    TITLE = "help"
    HAS_STRIP = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,enter", "dismiss", "close", key_display="esc"),
        Binding("m", "manual", "manual", tooltip="Read the manual: what the panel in focus shows"),
        Binding("ctrl+c", "app.interrupt", show=False),
    ]

    def __init__(self, found: Sequence[Group], term: str = "") -> None:
        """`term` is the title of the panel in focus, which the manual explains."""
        super().__init__()
        self._groups, self._term = found, term

    def compose(self) -> ComposeResult:
        """Yield a box that scrolls, and the keys."""
        with VerticalScroll(id="help") as box:
            box.border_title = "help"
            yield Static(id="help-text", markup=False)
        yield KeyLine()

    def on_resize(self) -> None:
        """Write the help for the new width."""
        self.call_after_refresh(self._write)

    def _write(self) -> None:
        width = self.query_one("#help").scrollable_content_region.width
        written = Content("\n\n").join([_written(group, max(30, width)) for group in self._groups])
        self.query_one("#help-text", Static).update(written)

    def action_manual(self) -> None:
        """Open the manual in the place of the help."""
        self.dismiss(None)
        self.app.call_later(self.app.action_manual, self._term)  # type: ignore[attr-defined]


def _written(group: Group, width: int) -> Content:
    """Return a group as lines of at most `width` cells, the keys in a column."""
    lines = [Content.styled(group.title, "bold $accent")]
    lines += [Content.styled(line, "$secondary") for line in textwrap.wrap(group.words, width)]
    for keys, words in group.rows:
        first, *more = textwrap.wrap(words[:1].upper() + words[1:], width - COLUMN) or [""]
        lines.append(Content.assemble((f"{keys:<{COLUMN}}", "bold"), first))
        lines += [Content(" " * COLUMN + line) for line in more]
    return Content("\n").join(lines)
