"""A tree of the data files in a folder, and a path that completes as it is typed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import DirectoryTree

from tuisim.errors import printable
from tuisim.tui.form.controls import Entry

SUFFIXES = (
    ".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".npy", ".npz", ".idx", "-ubyte", ".xlsx", ".xls", ".ods", ".parquet",
)  # fmt: skip
PACKED = (".gz", ".zip", ".bz2", ".xz")
MAX_SHOWN = 1_000
"""Entries of a folder that are listed; a file beyond them can be typed."""


def is_data_file(name: str) -> bool:
    """Return True if a file's name has the ending of a format that is read, also packed."""
    name = name.lower()
    packed = next((ending for ending in PACKED if name.endswith(ending)), "")
    return bool(packed) or name.endswith(SUFFIXES)


class FileTree(DirectoryTree):
    """The folders and data files below a folder. What is typed in it is the path of a file: posts `Typed`."""

    BINDING_GROUP_TITLE = "files"
    HELP = "Folders and files with the ending of a format that is read. What you type goes to the path, which takes any file."
    ICON_NODE, ICON_NODE_EXPANDED, ICON_FILE = "▸ ", "▾ ", "  "
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "parent_folder", "parent folder", key_display="⌫", tooltip="Show the parent of the top folder"),
    ]
    DEFAULT_CSS = """
    FileTree { background: $surface; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    FileTree > .directory-tree--extension { text-style: none; }
    """

    @dataclass
    class Typed(Message):
        """The beginning of a path was typed; an empty text if only the path is to be edited."""

        text: str

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return True for a character that is typed."""
        return character is not None and character.isprintable() and character != " "

    def on_key(self, event: events.Key) -> None:
        """Post the character that is typed."""
        if self.check_consume_key(event.key, event.character):
            event.stop()
            event.prevent_default()
            self.post_message(self.Typed(event.character or ""))

    def action_cursor_up(self) -> None:
        """Move up, from the first entry to the path."""
        if self.cursor_line > 0:
            super().action_cursor_up()
        else:
            self.post_message(self.Typed(""))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Return folders and data files that are not hidden."""
        visible = (path for path in paths if not path.name.startswith("."))
        return islice((path for path in visible if self._safe_is_dir(path) or is_data_file(path.name)), MAX_SHOWN)

    def process_label(self, label: str | Text) -> Text:
        """Return a name without control characters."""
        return Text(printable(label if isinstance(label, str) else label.plain, 200))

    def action_parent_folder(self) -> None:
        """Show the parent of the top folder."""
        top = Path(self.path).expanduser().resolve()
        if top.parent != top:
            self.path = top.parent


class PathSuggester(Suggester):
    """Completes a path by the first file or folder that begins as typed."""

    def __init__(self) -> None:
        """Remember nothing: files come and go."""
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completed path, None if there is none."""
        return await asyncio.to_thread(completed, value) if value else None


def completed(typed: str) -> str | None:
    """Return a typed path completed by the first folder or data file that begins so; None if there is none."""
    folder, _, start = typed.rpartition("/")
    folder = f"{folder}/" if "/" in typed else ""
    try:
        with os.scandir(os.path.expanduser(folder) or os.curdir) as entries:
            found = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in islice(entries, MAX_SHOWN)
                if entry.name.startswith(start) and (start or not entry.name.startswith("."))
                and (entry.is_dir() or is_data_file(entry.name))
            )  # fmt: skip
    except (OSError, ValueError):
        return None
    return next((folder + name for name in found if name != start and name.isprintable()), None)


class PathEntry(Entry):
    """A text field for the path of a file; → or tab takes the completion, and an empty one leaves ← and → to the page."""

    BINDING_GROUP_TITLE = "path"

    def __init__(self, *, id: str, placeholder: str) -> None:
        super().__init__(id=id, placeholder=placeholder)
        self.suggester = PathSuggester()

    def begin(self, text: str) -> None:
        """Replace the path by what was typed, with the cursor behind it; the focus that is under way selects nothing."""
        self.select_on_focus = False
        self.value = text
        self.action_end()
        self.call_later(setattr, self, "select_on_focus", True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ← and → to the page while there is no text to move in."""
        return bool(self.value) if action in ("cursor_left", "cursor_right") else super().check_action(action, parameters)

    @property
    def has_completion(self) -> bool:
        """True if a completion is shown."""
        return self.cursor_at_end and bool(self._suggestion)
