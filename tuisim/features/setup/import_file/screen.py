"""The page Import: choose a file, see and change the roles of its columns, and fill the form."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, DirectoryTree, Input, Static

from tuisim import provenance
from tuisim.config import RunConfig
from tuisim.data.tables.roles import TARGET
from tuisim.engine.job import Job
from tuisim.errors import ConfigError
from tuisim.features.setup.import_file import view
from tuisim.features.setup.import_file.options import ImportOptions, column_option
from tuisim.features.setup.import_file.reading import FilePreview, read
from tuisim.features.setup.import_file.view import ImportState
from tuisim.tui.context import PageContext
from tuisim.tui.form.file_picker import FileTree, PathEntry
from tuisim.tui.key_line import KeyLine
from tuisim.tui.panel import Panel, ViewCanvas
from tuisim.tui.panels import PanelScreen, row_bindings, zoom_bindings

TICK = 0.05
"""Seconds between two looks at the job."""
MAX_UNDO = 100


class ImportScreen(PanelScreen):
    """Reads the chosen file on a job and fills the form with the run that it decides."""

    TITLE = "import"
    HELP = (
        "Type the path of a table or of a file of arrays, or choose it in the list: its columns are shown with their types, "
        "roles and first rows, and the network that fits them. A key changes the role of the selected column; ⏎ fills the form."
    )
    AUTO_FOCUS = ""  # the path, or the columns if the form has a file
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-normal-height")]  # noqa: RUF012
    CSS = """
    ImportScreen { layout: grid; grid-size: 2 6; grid-rows: 1 1 1fr 10 1 1; grid-columns: 32 1fr; }
    ImportScreen KeyLine { dock: none; }
    #import-header, #import-paths, #import-use, ImportScreen KeyLine { column-span: 2; }
    #import-header { background: $panel; }
    #import-paths { height: 1; padding: 0 1; background: $footer-background; }
    #import-paths .label { width: auto; color: $secondary; padding-right: 1; }
    #import-paths PathEntry { width: 1fr; margin-right: 2; }
    FileTree { row-span: 2; }
    #import-use { height: 1; padding: 0 1; }
    #use { width: auto; padding: 0 2; background: $accent; color: $button-color-foreground; text-style: bold; }
    #use:focus { background: $foreground; color: $background; }
    #use:disabled { background: $panel; color: $text-disabled; }
    #import-said { width: 1fr; padding-left: 2; color: $text-muted; }
    ImportScreen.-wide { grid-columns: 44 1fr; }
    ImportScreen.-short { grid-rows: 1 1 1fr 9 1 1; }
    ImportScreen.-narrow.-choosing FileTree { column-span: 2; }
    ImportScreen.-narrow.-choosing Panel { display: none; }
    ImportScreen.-narrow.-columns FileTree { display: none; }
    ImportScreen.-narrow.-columns Panel { column-span: 2; }
    ImportScreen.-zoomed { grid-size: 1 5 !important; grid-rows: 1 1 1fr 1 1 !important; }
    ImportScreen.-zoomed FileTree { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "use", "use it", id="import.use", key_display="⏎", tooltip="Fill the form with this file"),
        Binding("t", "role('target')", "target", id="import.target", tooltip="Make the selected column the target"),
        Binding(
            "T",
            "more_targets",
            "more targets",
            id="import.targets",
            show=False,
            tooltip="Make the selected column one more target, or no longer one",
        ),
        Binding(
            "a",
            "task",
            "task",
            id="import.task",
            show=False,
            tooltip="Next kind of targets: auto (by the values), classes, regression",
        ),
        Binding("d", "role('drop')", "drop", id="import.drop", tooltip="Leave the selected column out, or no longer"),
        Binding("o", "role('categorical')", "category", id="import.category", tooltip="Encode the selected column one-hot"),
        Binding("k", "role('keep')", "keep", id="import.keep", tooltip="Keep the selected column as an input"),
        Binding("n", "missing", "missing", id="import.missing", tooltip="Next rule for missing values: drop, mean, error"),
        *row_bindings("import", "column"),
        Binding("down", "files", "files", id="import.down", key_display="↓", tooltip="Go from the path to the list of files"),
        Binding("e", "edit", "edit path", id="import.edit", tooltip="Type the path of a file; so does / or ~, which begins it"),
        Binding("g", "files", "files", id="import.files", tooltip="Go to the list of files"),
        Binding("u", "undo", "undo", id="import.undo", tooltip="Take the last change back", show=False),
        *zoom_bindings("import", "columns", "result"),
    ]

    def __init__(self, context: PageContext, root: Path | None = None) -> None:
        """`root`: the top folder of the tree; by default that of the form's file, else the current one."""
        super().__init__()
        self.context = context
        self.job: Job[None, FilePreview] | None = None
        self.state = ImportState(ImportOptions.of(self._base))
        self._before: list[ImportOptions] = []
        self._root = root
        self._line = ViewCanvas(view.header, id="import-header")
        self._panels = (
            Panel(1, "columns", view.column_lines, id="import-columns", rows=view.column_places),
            Panel(2, "result", view.result_lines, id="import-result"),
        )

    def compose(self) -> ComposeResult:
        """Lay out the paths, the tree, the panels and the button."""
        options = self.state.options
        yield self._line
        with Horizontal(id="import-paths"):
            yield Static("file", classes="label")
            yield PathEntry(id="import-path", placeholder="type a path; tab completes, ⏎ reads")
            yield Static("validation", classes="label")
            yield PathEntry(id="import-validation", placeholder="a second file, or none")
        yield FileTree(self._root or _folder(options.path))
        yield from self._panels
        with Horizontal(id="import-use"):
            yield Button("use it  ⏎", id="use", compact=True)
            yield Static(id="import-said", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the form's file if it has one, and follow the job."""
        options = self.state.options
        self.query_one("#import-path", PathEntry).show(options.path)
        self.query_one("#import-validation", PathEntry).show(options.validation_data)
        self.every(TICK, self.tick)
        self._choose(bool(options.path))
        if not options.path:
            self.set_focus(self.query_one("#import-path"))
        self._read()

    def on_unmount(self) -> None:
        """Cancel the job."""
        if self.job is not None:
            self.job.cancel()

    @property
    def config(self) -> RunConfig | None:
        """The run that fills the form; None while the file cannot be used."""
        return self.state.options.config(self._base) if self.state.is_usable else None

    @property
    def _base(self) -> RunConfig:
        """The run in the form, with what the data decide left to them if that is known."""
        return self.context.described or self.context.config

    @property
    def copied_config(self) -> RunConfig | None:
        """The run that fills the form."""
        return self.config

    # ── reading ──

    def make_job(self, config: RunConfig) -> Job[None, FilePreview]:
        """Return a job that reads the files of `config`."""
        return Job("read file", lambda job: read(config))

    def _read(self) -> None:
        """Read the files again with the choices so far."""
        if self.job is not None:
            self.job.cancel()
        self.job = None
        if not self.state.options.path:
            self._update(replace(self.state, preview=None, failure="", is_reading=False))
            return
        try:
            config = self.state.options.config(self._base)
        except ConfigError as error:
            self._update(replace(self.state, preview=None, failure=str(error).splitlines()[0], is_reading=False))
            return
        self.job = self.make_job(config)
        self.job.start()
        self._update(replace(self.state, failure="", is_reading=True))
        self.tick()

    def tick(self) -> None:
        """Show what the job has found."""
        job = self.job
        if job is None or (job.result is None and job.failure is None):
            return
        self.job = None
        if job.failure is not None:
            self._update(replace(self.state, preview=None, failure=job.failure.message, is_reading=False))
            return
        assert job.result is not None
        selected = min(self.state.selected, max(0, len(job.result.columns) - 1))
        self._update(replace(self.state, preview=job.result, failure="", is_reading=False, selected=selected))

    def _update(self, state: ImportState) -> None:
        self.state = state
        self.show(state)
        for panel in self._panels:
            panel.border_subtitle = "" if state.preview is None else provenance.words(view.TAG)
        self.query_one("#use", Button).disabled = not state.is_usable
        words = "fills the form with this file and this network" if state.is_usable else ""
        self.query_one("#import-said", Static).update(words)
        self.refresh_bindings()

    # ── choosing a file ──

    def _choose(self, has_columns: bool) -> None:
        """Show the columns instead of the tree where there is no room for both."""
        self.set_class(not has_columns, "-choosing")
        self.set_class(has_columns, "-columns")
        self.set_focus(self._panels[0] if has_columns else self.query_one(FileTree))
        self.call_after_refresh(self.fit_panels)

    @on(DirectoryTree.FileSelected)
    def _file_selected(self, event: DirectoryTree.FileSelected) -> None:
        event.stop()
        self._open_file(_short(event.path))

    @on(Input.Submitted, "#import-path")
    def _path_typed(self, event: Input.Submitted) -> None:
        event.stop()
        path = self._found(event.value.strip())
        if os.path.isdir(os.path.expanduser(path)):
            self.query_one(FileTree).path = Path(path).expanduser()
            self._choose(False)
        elif path:
            self._open_file(path)
        else:
            self._choose(False)

    @on(FileTree.Typed)
    def _typed_in_tree(self, event: FileTree.Typed) -> None:
        """Type what was typed in the list of files into the path."""
        event.stop()
        self._type_path(event.text)

    def on_key(self, event: events.Key) -> None:
        """Begin a path with a character that begins nothing else."""
        if event.character in ("/", "~"):
            event.stop()
            self._type_path(event.character)

    def _type_path(self, text: str) -> None:
        """Move the focus to the path, and type there; the first characters replace the path before."""
        entry = self.query_one("#import-path", PathEntry)
        is_begun = self.focused is entry
        self.set_focus(entry)
        if text and is_begun:
            entry.insert_text_at_cursor(text)
        elif text:
            entry.begin(text)

    @on(Input.Submitted, "#import-validation")
    def _validation_typed(self, event: Input.Submitted) -> None:
        event.stop()
        self._panels[0].focus()
        self._change(replace(self.state.options, validation_data=self._found(event.value.strip())))

    def _found(self, path: str) -> str:
        """Return a typed path; one that is not below the current folder, but in the folder that is shown, as it is there."""
        shown = Path(self.query_one(FileTree).path) / path
        return _short(shown) if path and not Path(path).expanduser().exists() and shown.exists() else path

    def _open_file(self, path: str) -> None:
        self.query_one("#import-path", PathEntry).show(path)
        options = self.state.options.with_file(path)
        if options != self.state.options:
            self.state = replace(self.state, selected=0, preview=None)
            self.query_one("#import-validation", PathEntry).show("")
        self._choose(True)
        self._change(options)

    # ── changing roles ──

    def _change(self, options: ImportOptions) -> None:
        if options != self.state.options:
            self._before = [*self._before[-MAX_UNDO:], self.state.options]
        self.state = replace(self.state, options=options)
        self._read()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return True for actions that apply now."""
        if action in ("role", "row", "more_targets"):
            return bool(self.state.columns) and not isinstance(self.focused, FileTree | Input)
        if action == "files":
            return not isinstance(self.focused, FileTree)
        if action in ("missing", "task"):
            return bool(self.state.options.path)
        if action == "use":
            return self.state.is_usable and not isinstance(self.focused, FileTree | Input)
        if action == "undo":
            return bool(self._before)
        return super().check_action(action, parameters)

    async def action_tab(self, direction: int) -> None:
        """Take the completion of a path, else move the focus."""
        if direction > 0 and isinstance(self.focused, PathEntry) and self.focused.has_completion:
            self.focused.action_cursor_right()
        elif direction > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_role(self, role: str) -> None:
        """Give the selected column a role, or take it back."""
        if self.state.column is not None:
            column = column_option(self.state.columns, self.state.selected)
            self._change(self.state.options.with_role(column, role))

    def action_more_targets(self) -> None:
        """Make the selected column one more target, or one fewer."""
        targets = [column_option(self.state.columns, at) for at, one in enumerate(self.state.columns) if one.role == TARGET]
        options = self.state.options
        if not options.target and self.state.column is not None and self.state.column.role != TARGET:
            options = replace(options, target=tuple(targets))  # the one that was chosen by its place
        self._change(options.with_target(column_option(self.state.columns, self.state.selected)))

    def action_task(self) -> None:
        """Take the next kind of targets."""
        self._change(self.state.options.with_next_task())

    def action_missing(self) -> None:
        """Take the next rule for missing values."""
        self._change(self.state.options.with_next_missing())

    def action_row(self, by: int) -> None:
        """Select the column above or below."""
        self._select(self.state.selected + by)

    @on(Panel.RowClicked)
    def _row_clicked(self, message: Panel.RowClicked) -> None:
        self._panels[0].focus()
        self._select(message.row)

    def _select(self, row: int) -> None:
        self._update(replace(self.state, selected=min(max(row, 0), max(0, len(self.state.columns) - 1))))

    def action_undo(self) -> None:
        """Take the last change back."""
        options = self._before.pop()
        self.query_one("#import-path", PathEntry).show(options.path)
        self.query_one("#import-validation", PathEntry).show(options.validation_data)
        self.state = replace(self.state, options=options, preview=None if not options.path else self.state.preview)
        self._choose(bool(options.path))
        self._read()

    def action_edit(self) -> None:
        """Put the cursor into the path."""
        self._type_path("")

    def action_files(self) -> None:
        """Go to the list of files."""
        self._choose(False)

    def action_back(self) -> None:
        """Leave the path with what is typed in it, the zoom, or the page."""
        entry, path = self.focused, self.state.options.path
        if isinstance(entry, PathEntry) and (path or entry.value):
            before = path if entry.id == "import-path" else self.state.options.validation_data
            entry.show(before)
            self._choose(bool(path))
        elif isinstance(entry, PathEntry):
            self.dismiss(None)
        else:
            super().action_back()

    # ── filling the form ──

    @on(Button.Pressed, "#use")
    def action_use(self) -> None:
        """Fill the form, and leave."""
        config = self.config
        if config is not None:
            self.dismiss(None)
            self.context.use(config)


def _folder(path: str) -> Path:
    """Return the folder of a file, the current one if there is none."""
    folder = Path(path).expanduser().parent
    return folder if path and folder.is_dir() else Path.cwd()


def _short(path: Path) -> str:
    """Return a path relative to the current folder if it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
